#include "mainstem/platform/process_identity.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <vector>

namespace mainstem {
namespace {

constexpr size_t kTextBytesMax = 1000;
constexpr size_t kStateField = 0;     // after the command's name
constexpr size_t kStartedField = 19;  // field 22 of proc(5)

std::string ReadFirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    if (blank != 0) words.push_back(text.substr(0, blank));
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  }
  return words;
}

std::optional<int64_t> Number(std::string_view text) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// When a process began; nothing where there is none, or only what its parent has not yet collected.
std::optional<int64_t> StartOf(int64_t process) {
  const std::string stat = ReadFirstLine(fmt::format("/proc/{}/stat", process));
  // The command's name stands in parentheses and may hold any byte.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = Words(std::string_view(stat).substr(name_end + 1));
  if (fields.size() <= kStartedField || fields[kStateField] == "Z" || fields[kStateField] == "X") return std::nullopt;
  return Number(fields[kStartedField]);
}

std::string Machine() {
  std::string name(64, '\0');
  const ssize_t length = ::readlink("/proc/self/ns/pid", name.data(), name.size());
  name.resize(length < 0 ? 0 : static_cast<size_t>(length));
  const std::string boot = ReadFirstLine("/proc/sys/kernel/random/boot_id");
  if (name.empty() || boot.empty()) return "unknown";
  return fmt::format("{}/{}", boot, name);
}

}  // namespace

ProcessIdentity ThisProcess() {
  const int64_t process = ::getpid();
  return {.machine = Machine(), .process = process, .started = StartOf(process).value_or(0)};
}

std::string ToString(const ProcessIdentity& identity) {
  return fmt::format("{} {} {}", identity.machine, identity.process, identity.started);
}

std::optional<ProcessIdentity> ParseProcessIdentity(std::string_view text) {
  if (text.size() > kTextBytesMax) return std::nullopt;
  const auto words = Words(text);
  if (words.size() != 3) return std::nullopt;
  const auto process = Number(words[1]);
  const auto started = Number(words[2]);
  if (!process || !started) return std::nullopt;
  return ProcessIdentity{.machine = std::string(words[0]), .process = *process, .started = *started};
}

ProcessState StateOf(const ProcessIdentity& identity) {
  const ProcessIdentity own = ThisProcess();
  if (own.machine == "unknown" || identity.machine != own.machine) return ProcessState::kElsewhere;
  const auto started = StartOf(identity.process);
  return started && *started == identity.started ? ProcessState::kAlive : ProcessState::kDead;
}

}  // namespace mainstem
