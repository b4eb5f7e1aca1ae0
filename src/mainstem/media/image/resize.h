// Resizer: changes a picture's size as Pillow does, pixel for pixel.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mainstem/data/image.h"
#include "mainstem/media/image/resample.h"

namespace mainstem {

enum class ResizeMethod { kNearest, kBilinear, kBicubic, kLanczos };

/// Resizes pictures and keeps tables and row buffers between them. Used by one thread at a time.
///
/// Nearest picks the pixel under each centre. The others are convolutions whose support grows with the factor when the
/// picture shrinks (antialiasing): triangle, Catmull-Rom-like cubic (a = -0.5), Lanczos with three lobes. 8-bit results
/// equal Pillow's `Image.resize` exactly: weights of 22 bits, rows first, then columns, 8 bits between. Pictures with
/// alpha are weighted by it. 16-bit grey is computed in double precision.
class Resizer {
 public:
  explicit Resizer(ResizeMethod method) : method_(method) {}

  /// A size beyond kDefaultPixelLimit pixels is a JobError; shapes whose buffers would pass 1 GiB are a RowError.
  Result<Image> Resize(const Image& image, int32_t height, int32_t width);

 private:
  Result<Image> ResizeNearest(const Image& image, int32_t height, int32_t width);
  Result<Image> Resize8Bit(const Image& image, int32_t height, int32_t width);
  Result<Image> Resize16Bit(const Image& image, int32_t height, int32_t width);
  // Rows [first, first + count) of the picture, widened or narrowed, into their places of the ring.
  void ResampleRows(const Image& image, int32_t first, int32_t count, int32_t width);
  Status PrepareTables(const Image& image, int32_t height, int32_t width);

  const ResizeMethod method_;
  AxisWeights across_;
  AxisWeights down_;
  std::vector<uint8_t> ring_;     // the rows that the vertical pass still needs
  size_t ring_rows_ = 0;
  size_t ring_stride_ = 0;
  std::vector<uint8_t> scratch_;  // input rows that had to be copied: premultiplied, or at the end of the picture
};

}  // namespace mainstem
