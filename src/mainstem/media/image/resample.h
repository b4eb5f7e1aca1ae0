// Resampling kernels: the weights of one axis and the passes that apply them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mainstem/media/image/vector_code.h"

namespace mainstem {

enum class ResizeMethod;

/// Bits after the point of a fixed-point weight (Pillow's choice: 32 - 8 bits of a sample - 2 bits of overshoot).
inline constexpr int kWeightBits = 22;
/// The vector passes split a weight into a high part and this many low bits, so that both fit 16-bit multiplication.
inline constexpr int kLowBits = 11;
/// The vector passes may read this many bytes behind a row and write this many behind a result row.
inline constexpr size_t kRowSlack = 64;
/// Rows that the horizontal pass takes at once.
inline constexpr int kRowsAtOnce = 4;

/// For every output position the input positions that contribute and their weights. Weights are padded with zeros to
/// a multiple of eight.
struct AxisWeights {
  int32_t input = 0;
  int32_t output = 0;
  int32_t stride = 0;           ///< weights kept for each output position; a multiple of eight
  std::vector<int32_t> first;   ///< first contributing input position
  std::vector<int32_t> count;   ///< number of contributing positions
  std::vector<int32_t> fixed;   ///< weight · 2^22, rounded
  std::vector<int16_t> split;   ///< the same in groups of four: four high parts, four low parts
  std::vector<double> real;     ///< as computed; only for 16-bit pictures

  /// Weights held for one output position, at most; before the tables are made.
  static int64_t Taps(ResizeMethod method, int32_t input, int32_t output);
  /// Fills the tables unless they are those of this axis already.
  void Prepare(ResizeMethod method, int32_t input, int32_t output, bool want_real);
};

/// Applies the weights along `rows` (each with kRowSlack readable bytes behind it); writes `output` pixels to each of
/// `out` (kRowSlack writable bytes behind them). `count` is 1 … kRowsAtOnce.
void ResampleAcross(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                    int count);

/// Weights rows against each other: output row `position` from the rows given (padded to a multiple of four pointers).
void ResampleDown(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t row_bytes,
                  uint8_t* out);

/// The same for processors with AVX2.
void ResampleAcrossAvx2(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                        int count);
void ResampleDownAvx2(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t row_bytes,
                      uint8_t* out);

/// The passes in plain C++, which every processor can run.
void ResampleAcrossPortable(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                            int count);
void ResampleDownPortable(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t first_byte,
                          size_t row_bytes, uint8_t* out);

/// Rounds a weighted sum and clips it to a byte.
inline uint8_t ToByte(int32_t sum) {
  const int32_t value = sum >> kWeightBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}
inline constexpr int32_t kHalf = 1 << (kWeightBits - 1);

}  // namespace mainstem
