#include "mainstem/media/image/decode.h"

#include <utility>

#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/geometry.h"
#include "mainstem/media/image/jpeg.h"
#include "mainstem/media/image/png.h"
#include "mainstem/media/image/webp.h"

namespace mainstem {
namespace {

Result<Image> DecodePixels(std::span<const uint8_t> bytes, const ImageHeader& header, const DecodeOptions& options) {
  switch (header.format) {
    case ImageFormat::kJpeg: {
      ScaledDecode scaled{.minimum_height = options.minimum_height, .minimum_width = options.minimum_width};
      if (options.apply_orientation && SwapsSides(header.orientation)) {
        std::swap(scaled.minimum_height, scaled.minimum_width);
      }
      return DecodeJpeg(bytes, scaled);
    }
    case ImageFormat::kPng: return DecodePng(bytes, header);
    case ImageFormat::kWebp: return DecodeWebp(bytes, header);
  }
  return RowError("unknown image format");
}

}  // namespace

Result<Image> DecodeImage(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const ImageHeader header, ReadImageHeader(bytes));
  ARROW_RETURN_NOT_OK(CheckPixelLimit(header, options.pixel_limit));
  ARROW_ASSIGN_OR_RAISE(Image image, DecodePixels(bytes, header, options));
  if (options.mode) {
    ARROW_ASSIGN_OR_RAISE(image, ConvertMode(image, *options.mode));
  }
  if (options.apply_orientation) return ApplyOrientation(image, header.orientation);
  return image;
}

}  // namespace mainstem
