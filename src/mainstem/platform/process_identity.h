// ProcessIdentity: which process of which machine, told apart from a later one that was given the same number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstem {

struct ProcessIdentity {
  std::string machine;   ///< this boot of the machine and the namespace in which numbers are given; no blanks
  int64_t process = 0;
  int64_t started = 0;   ///< in the system's ticks since the boot
};

/// The process that asks.
ProcessIdentity ThisProcess();

/// "machine process started"
std::string ToString(const ProcessIdentity& identity);
/// Nothing where the text is not one that ToString gives.
std::optional<ProcessIdentity> ParseProcessIdentity(std::string_view text);

enum class ProcessState { kAlive, kDead, kElsewhere };

/// What can be known from here; kElsewhere where the process belongs to another machine or another container.
ProcessState StateOf(const ProcessIdentity& identity);

}  // namespace mainstem
