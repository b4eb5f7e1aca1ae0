#include "mainstem/media/image/header.h"

#include <fmt/format.h>

#include "mainstem/media/image/jpeg.h"
#include "mainstem/media/image/png.h"
#include "mainstem/media/image/webp.h"

namespace mainstem {

Result<ImageHeader> ReadImageHeader(std::span<const uint8_t> bytes) {
  ARROW_ASSIGN_OR_RAISE(const ImageFormat format, DetectImageFormat(bytes));
  switch (format) {
    case ImageFormat::kJpeg: return ReadJpegHeader(bytes);
    case ImageFormat::kPng: return ReadPngHeader(bytes);
    case ImageFormat::kWebp: return ReadWebpHeader(bytes);
  }
  return RowError("unknown image format");
}

Status CheckPixelLimit(const ImageHeader& header, int64_t pixel_limit) {
  if (header.pixels() > pixel_limit) {
    return RowError(fmt::format("the {} image has {} × {} pixels, more than the limit of {}; raise pixel_limit if the "
                                "source is trusted",
                                ToString(header.format), header.width, header.height, pixel_limit));
  }
  if (header.width > kMaxImageSide || header.height > kMaxImageSide) {
    return RowError(fmt::format("the {} image of {} × {} pixels has a side beyond {}", ToString(header.format),
                                header.width, header.height, kMaxImageSide));
  }
  return Status::OK();
}

}  // namespace mainstem
