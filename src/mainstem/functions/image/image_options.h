// Options that several image functions declare, and how their values are read.
#pragma once

#include <optional>

#include "mainstem/functions/function.h"
#include "mainstem/media/image/resize.h"

namespace mainstem {

/// mode = None | L | LA | RGB | RGBA | L16.
OptionSpec ModeOption(std::string doc);
std::optional<ImageMode> ModeOf(const Options& options);

/// pixel_limit = None: the default limit.
OptionSpec PixelLimitOption();
int64_t PixelLimitOf(const Options& options);

/// method = nearest | bilinear | bicubic | lanczos (the default).
OptionSpec ResizeMethodOption();
ResizeMethod ResizeMethodOf(const Options& options);

/// quality = 85, from 1 to 100.
OptionSpec QualityOption();

/// A required side of a result in pixels.
OptionSpec SideOption(std::string name);
/// A JobError where height × width is more than any result may have.
Status CheckResultSize(const std::string& function, int64_t height, int64_t width);

/// A JobError where a list option has not the expected number of entries.
Status CheckCount(const std::string& function, const std::string& option, size_t given, size_t expected);

}  // namespace mainstem
