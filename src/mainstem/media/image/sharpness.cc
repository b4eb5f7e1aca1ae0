#include "mainstem/media/image/sharpness.h"

#include <algorithm>

#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/vector_code.h"

namespace mainstem {
namespace {

struct Sums {
  int64_t values = 0;
  int64_t squares = 0;
};

MAINSTEM_IN_CALLER Sums SumLaplacian(const Image& grey) {
  Sums sums;
  for (int64_t y = 1; y < grey.height - 1; ++y) {
    const uint8_t* above = grey.row(y - 1);
    const uint8_t* row = grey.row(y);
    const uint8_t* below = grey.row(y + 1);
    // A block's sums stay in 32 bits: 2,048 · 1,020² < 2^31.
    constexpr int32_t kBlock = 2048;
    for (int32_t begin = 1; begin < grey.width - 1; begin += kBlock) {
      const int32_t end = std::min(begin + kBlock, grey.width - 1);
      int32_t values = 0;
      int32_t squares = 0;
      for (int32_t x = begin; x < end; ++x) {
        const int32_t value = row[x - 1] + row[x + 1] + above[x] + below[x] - 4 * row[x];
        values += value;
        squares += value * value;
      }
      sums.values += values;
      sums.squares += squares;
    }
  }
  return sums;
}

MAINSTEM_AVX2 Sums SumLaplacianAvx2(const Image& grey) { return SumLaplacian(grey); }

}  // namespace

Result<double> Sharpness(const Image& image) {
  if (image.width < 3 || image.height < 3) return 0.0;
  ARROW_ASSIGN_OR_RAISE(const Image grey, ConvertMode(image, ImageMode::kL));
  const Sums sums = HasAvx2() ? SumLaplacianAvx2(grey) : SumLaplacian(grey);
  const auto count = static_cast<double>(int64_t{grey.width - 2} * (grey.height - 2));
  const double mean = static_cast<double>(sums.values) / count;
  return static_cast<double>(sums.squares) / count - mean * mean;
}

}  // namespace mainstem
