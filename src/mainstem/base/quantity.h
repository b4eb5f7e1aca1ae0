// Quantities as people write them: byte sizes ("512MB", "2GiB") and durations ("10s", "250ms").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mainstem/base/error.h"

namespace mainstem {

/// Parses a byte size: a number and B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of
/// 1024); a bare number is bytes. Letter case does not matter.
Result<int64_t> ParseBytes(std::string_view text);

/// Parses a duration into nanoseconds: a number and ns, us, ms, s, min, h or d.
Result<int64_t> ParseDuration(std::string_view text);

/// Renders bytes with three digits and a binary unit: "1.50 GiB".
std::string FormatBytes(int64_t bytes);

/// Renders nanoseconds for people: "1.25 s", "3 min 4 s", "830 µs".
std::string FormatDuration(int64_t ns);

}  // namespace mainstem
