#include "mainstem/base/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <span>

namespace mainstem {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 10> kByteUnits = {{{"", 1}, {"b", 1}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
                                             {"kib", 1024.0}, {"mib", 1048576.0}, {"gib", 1073741824.0},
                                             {"tib", 1099511627776.0}}};
constexpr std::array<Unit, 7> kTimeUnits = {{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9},
                                            {"h", 3600e9}, {"d", 86400e9}}};

Result<int64_t> Parse(std::string_view text, std::span<const Unit> units, std::string_view what,
                      std::string_view example) {
  const auto fail = [&] {
    return JobError(fmt::format("'{}' is not a {}; write it like {}", Escaped(text), what, example));
  };
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || !std::isfinite(number)) return fail();
  std::string unit;
  for (const char* p = end; p < text.data() + text.size(); ++p) {
    if (*p != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*p)));
  }
  for (const Unit& candidate : units) {
    if (candidate.name == unit) {
      const double value = number * candidate.factor;
      if (value > 9.2e18) return fail();
      return static_cast<int64_t>(std::llround(value));
    }
  }
  return fail();
}

}  // namespace

Result<int64_t> ParseBytes(std::string_view text) {
  return Parse(text, kByteUnits, "byte size", "'512MB' or '2GiB'");
}

Result<int64_t> ParseDuration(std::string_view text) {
  return Parse(text, kTimeUnits, "duration", "'10s', '250ms' or '5min'");
}

std::string FormatBytes(int64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (std::abs(value) >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  const int digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, digits, kUnits[unit]);
}

std::string FormatDuration(int64_t ns) {
  const double seconds = static_cast<double>(ns) / 1e9;
  if (seconds < 1e-3) return fmt::format("{:.0f} µs", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.2f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace mainstem
