// ImageHeader: what an encoded picture says of itself before its pixels are decoded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "mainstem/base/error.h"
#include "mainstem/data/image.h"
#include "mainstem/media/image/format.h"

namespace mainstem {

/// Sides beyond this are refused from the header, whatever the pixel limit: no picture has them, and tables and
/// row buffers grow with the side.
inline constexpr int64_t kMaxImageSide = 1'000'000;

/// Pixels that a picture may have where the caller does not say otherwise; Pillow's limit.
inline constexpr int64_t kDefaultPixelLimit = 178'956'970;

struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  int32_t width = 0;
  int32_t height = 0;
  /// Channels as stored: 1 for a palette, 4 for CMYK.
  int32_t channels = 0;
  /// Mode as stored, in Pillow's names: "1", "L", "LA", "P", "RGB", "RGBA", "CMYK" or "I;16".
  std::string_view stored_mode;
  /// Mode that decoding gives where none is asked for. Palettes and CMYK become RGB; transparency of a palette or
  /// a transparent colour becomes an alpha channel.
  ImageMode mode = ImageMode::kRGB;
  /// EXIF orientation 1 … 8; 1 where there is none.
  int32_t orientation = 1;

  int64_t pixels() const { return int64_t{width} * height; }
};

/// Reads the header of a JPEG, PNG or WebP picture; bytes that have none are a RowError. Pixels may still turn out
/// to be broken.
Result<ImageHeader> ReadImageHeader(std::span<const uint8_t> bytes);

/// Fails with a RowError where the picture has more pixels than the limit, or a side beyond kMaxImageSide.
Status CheckPixelLimit(const ImageHeader& header, int64_t pixel_limit);

}  // namespace mainstem
