// Image: a decoded picture, rows of interleaved channels.
#pragma once

#include <arrow/buffer.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "mainstem/base/error.h"

namespace mainstem {

/// Channel layouts. The numbers are stored in files: never change them. kL16 has 16 bits a sample, native
/// byte order; the others have 8.
enum class ImageMode : uint8_t { kL = 0, kLA = 1, kRGB = 2, kRGBA = 3, kL16 = 4 };

std::string_view ToString(ImageMode mode);
/// Parses "L", "LA", "RGB", "RGBA" or "L16".
Result<ImageMode> ParseImageMode(std::string_view name);
int Channels(ImageMode mode);
int BytesPerSample(ImageMode mode);

/// A decoded picture: height × width × channels, C-contiguous, no padding between rows. Immutable once shared.
struct Image {
  int32_t height = 0;
  int32_t width = 0;
  ImageMode mode = ImageMode::kRGB;
  std::shared_ptr<arrow::Buffer> pixels;

  int channels() const { return Channels(mode); }
  int64_t row_bytes() const { return int64_t{width} * Channels(mode) * BytesPerSample(mode); }
  int64_t size_bytes() const { return row_bytes() * height; }
  const uint8_t* data() const { return pixels->data(); }
  const uint8_t* row(int64_t y) const { return pixels->data() + y * row_bytes(); }
  /// For the code that fills a picture it has just allocated.
  uint8_t* mutable_data() { return pixels->mutable_data(); }

  /// Allocates a picture whose pixels are not initialised. Fails where a side is not positive.
  static Result<Image> Allocate(int32_t height, int32_t width, ImageMode mode);
};

}  // namespace mainstem
