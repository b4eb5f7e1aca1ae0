#include "mainstem/data/image.h"

#include <fmt/format.h>

namespace mainstem {

std::string_view ToString(ImageMode mode) {
  switch (mode) {
    case ImageMode::kL: return "L";
    case ImageMode::kLA: return "LA";
    case ImageMode::kRGB: return "RGB";
    case ImageMode::kRGBA: return "RGBA";
    case ImageMode::kL16: return "L16";
  }
  return "?";
}

Result<ImageMode> ParseImageMode(std::string_view name) {
  for (const auto mode : {ImageMode::kL, ImageMode::kLA, ImageMode::kRGB, ImageMode::kRGBA, ImageMode::kL16}) {
    if (ToString(mode) == name) return mode;
  }
  return JobError(fmt::format("'{}' is not an image mode; there are L, LA, RGB, RGBA and L16", Escaped(name)));
}

int Channels(ImageMode mode) {
  switch (mode) {
    case ImageMode::kL: return 1;
    case ImageMode::kLA: return 2;
    case ImageMode::kRGB: return 3;
    case ImageMode::kRGBA: return 4;
    case ImageMode::kL16: return 1;
  }
  return 0;
}

int BytesPerSample(ImageMode mode) { return mode == ImageMode::kL16 ? 2 : 1; }

Result<Image> Image::Allocate(int32_t height, int32_t width, ImageMode mode) {
  if (height <= 0 || width <= 0) {
    return RowError(fmt::format("an image of {} × {} pixels has no content", width, height));
  }
  Image image{.height = height, .width = width, .mode = mode};
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(image.size_bytes()));
  image.pixels = std::move(buffer);
  return image;
}

}  // namespace mainstem
