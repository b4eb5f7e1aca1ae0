// Key groups: the units in which keyed state moves between subtasks. The group of a key never changes.
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstem {

/// The most subtasks that a keyed task can have. Snapshots hold groups, so a change of this number loses them.
inline constexpr int kKeyGroups = 128;

/// 0 to kKeyGroups - 1, from the key's content alone: XXH3-64 (https://xxhash.com/) modulo their number.
int KeyGroupOf(std::string_view key);

/// The lane that owns a group when there are so many lanes, 1 to kKeyGroups. Every lane owns a run of groups, and the
/// lengths of any two runs differ by one at most, also where the number of lanes does not divide that of groups.
constexpr int LaneOfKeyGroup(int group, int lanes) { return group * lanes / kKeyGroups; }

}  // namespace mainstem
