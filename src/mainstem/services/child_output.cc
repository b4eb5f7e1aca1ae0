#include "mainstem/services/child_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_descriptor.h"

namespace mainstem {
namespace {

constexpr size_t kLineBytesMax = 8 * 1024;
constexpr size_t kTailBytes = 4 * 1024;
// A replica that prints without end must not keep the pool from its other work.
constexpr int kReadsMax = 16;

}  // namespace

void PrintOutput(std::string_view service, std::string_view line) {
  WriteToStandardError(fmt::format("[{}] {}\n", service, line));
}

bool ChildOutput::Drain(int fd) {
  std::array<char, 16 * 1024> buffer;
  for (int i = 0; i < kReadsMax; ++i) {
    const int64_t count = ReadSome(fd, buffer);
    if (count == kNothingNow) return true;
    if (count == 0) {
      Flush();
      return false;
    }
    Take(std::string_view(buffer.data(), static_cast<size_t>(count)));
  }
  return true;
}

void ChildOutput::Take(std::string_view bytes) {
  tail_.append(bytes);
  if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      line_.append(bytes);
      if (line_.size() >= kLineBytesMax) Flush();
      return;
    }
    line_.append(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    sink_(service_, line_);
    line_.clear();
  }
}

void ChildOutput::Flush() {
  if (line_.empty()) return;
  sink_(service_, line_);
  line_.clear();
}

std::string ChildOutput::Tail() const {
  std::string text;
  std::string_view rest = tail_;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    text += "\n  " + Escaped(rest.substr(0, end), kTailBytes);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

}  // namespace mainstem
