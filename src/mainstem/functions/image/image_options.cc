#include "mainstem/functions/image/image_options.h"

#include <fmt/format.h>

#include "mainstem/media/image/encode.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

OptionSpec ModeOption(std::string doc) {
  return {.name = "mode",
          .type = OptionType::kString,
          .doc = std::move(doc),
          .choices = {"L", "LA", "RGB", "RGBA", "L16"}};
}

std::optional<ImageMode> ModeOf(const Options& options) {
  if (!options.Has("mode")) return {};
  return ParseImageMode(options.String("mode")).ValueOrDie();  // one of the choices
}

OptionSpec PixelLimitOption() {
  return {.name = "pixel_limit",
          .type = OptionType::kInt,
          .doc = "Most pixels (width × height) that a picture may have by its header; None is 178,956,970.",
          .minimum = 1};
}

int64_t PixelLimitOf(const Options& options) { return options.MaybeInt("pixel_limit").value_or(kDefaultPixelLimit); }

OptionSpec ResizeMethodOption() {
  return {.name = "method",
          .type = OptionType::kString,
          .default_value = "lanczos",
          .doc = "How pixels are weighted; all but 'nearest' average over the pixels that a result covers.",
          .choices = {"nearest", "bilinear", "bicubic", "lanczos"}};
}

ResizeMethod ResizeMethodOf(const Options& options) {
  const std::string& name = options.String("method");
  if (name == "nearest") return ResizeMethod::kNearest;
  if (name == "bilinear") return ResizeMethod::kBilinear;
  if (name == "bicubic") return ResizeMethod::kBicubic;
  return ResizeMethod::kLanczos;
}

OptionSpec QualityOption() {
  return {.name = "quality",
          .type = OptionType::kInt,
          .default_value = kDefaultQuality,
          .doc = "Quality of JPEG and WEBP, 1 to 100; PNG has no loss and ignores it.",
          .minimum = 1,
          .maximum = 100};
}

OptionSpec SideOption(std::string name) {
  const std::string doc = name == "width" ? "Width of the result in pixels." : "Height of the result in pixels.";
  return {.name = std::move(name),
          .type = OptionType::kInt,
          .doc = doc,
          .required = true,
          .minimum = 1,
          .maximum = static_cast<double>(kMaxImageSide)};
}

Status CheckResultSize(const std::string& function, int64_t height, int64_t width) {
  if (height <= kDefaultPixelLimit / width) return Status::OK();
  return JobError(fmt::format("{}: a result of {} × {} pixels is more than {} pixels", function, width, height,
                              kDefaultPixelLimit));
}

Status CheckCount(const std::string& function, const std::string& option, size_t given, size_t expected) {
  if (given == expected) return Status::OK();
  return JobError(fmt::format("{}: option '{}' takes {} numbers, not {}", function, option, expected, given));
}

}  // namespace mainstem
