#include "mainstem/media/image/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mainstem/media/image/resize.h"

namespace mainstem {
namespace {

double Sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double Triangle(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys' cubic convolution with a = -0.5.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double Lanczos3(double x) { return x >= -3.0 && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

double Support(ResizeMethod method) {
  return method == ResizeMethod::kLanczos ? 3.0 : method == ResizeMethod::kBicubic ? 2.0 : 1.0;
}

// The sine of an angle that grows by the same step: a rotation is several times faster than a sine.
class TurningSine {
 public:
  TurningSine(double angle, double step)
      : sine_(std::sin(angle)), cosine_(std::cos(angle)), step_sine_(std::sin(step)), step_cosine_(std::cos(step)) {}
  double value() const { return sine_; }
  void Turn() {
    const double sine = sine_ * step_cosine_ + cosine_ * step_sine_;
    cosine_ = cosine_ * step_cosine_ - sine_ * step_sine_;
    sine_ = sine;
  }

 private:
  double sine_, cosine_, step_sine_, step_cosine_;
};

// Positions of neighbouring samples in the filter's units: (k + offset) · step for k = 0 …
struct Positions {
  double offset;
  double step;
  double At(int32_t k) const { return (k + offset) * step; }
};

// The tables of a size are made for every picture of another size; most of their time would be sines.
void LanczosWeights(const Positions& positions, int32_t count, double* weights) {
  constexpr double kNearZero = 0.25;  // here the quotient would magnify the rotation's error of about 1e-14
  const double angle = std::numbers::pi * positions.At(0);
  const double step = std::numbers::pi * positions.step;
  TurningSine fast(angle, step);
  TurningSine slow(angle / 3, step / 3);
  for (int32_t k = 0; k < count; ++k, fast.Turn(), slow.Turn()) {
    const double x = positions.At(k);
    if (std::fabs(x) < kNearZero || x < -3.0 || x >= 3.0) {
      weights[k] = Lanczos3(x);
    } else {
      const double scaled = x * std::numbers::pi;
      weights[k] = fast.value() / scaled * (slow.value() / (scaled / 3));
    }
  }
}

void FilterWeights(ResizeMethod method, const Positions& positions, int32_t count, double* weights) {
  if (method == ResizeMethod::kLanczos) return LanczosWeights(positions, count, weights);
  for (int32_t k = 0; k < count; ++k) {
    weights[k] = method == ResizeMethod::kBicubic ? Cubic(positions.At(k)) : Triangle(positions.At(k));
  }
}

template <int kChannels>
void AcrossPortable(const AxisWeights& weights, const uint8_t* in, uint8_t* out) {
  for (int32_t x = 0; x < weights.output; ++x) {
    const int32_t* weight = &weights.fixed[int64_t{x} * weights.stride];
    const uint8_t* pixel = in + int64_t{weights.first[x]} * kChannels;
    int32_t sums[kChannels];
    for (int32_t& sum : sums) sum = kHalf;
    for (int32_t k = 0; k < weights.count[x]; ++k) {
      for (int c = 0; c < kChannels; ++c) sums[c] += pixel[k * kChannels + c] * weight[k];
    }
    for (int c = 0; c < kChannels; ++c) *out++ = ToByte(sums[c]);
  }
}

}  // namespace

int64_t AxisWeights::Taps(ResizeMethod method, int32_t input, int32_t output) {
  const double scale = std::max(1.0, static_cast<double>(input) / output);
  return static_cast<int64_t>(std::ceil(Support(method) * scale)) * 2 + 1;
}

void AxisWeights::Prepare(ResizeMethod method, int32_t in, int32_t out, bool want_real) {
  if (input == in && output == out && real.empty() != want_real) return;
  input = in;
  output = out;
  stride = static_cast<int32_t>((Taps(method, in, out) + 7) / 8 * 8);
  first.assign(out, 0);
  count.assign(out, 0);
  fixed.assign(size_t{1} * out * stride, 0);
  split.assign(size_t{2} * out * stride, 0);
  real.assign(want_real ? size_t{1} * out * stride : 0, 0.0);

  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(1.0, scale);
  const double support = Support(method) * filter_scale;
  std::vector<double> row(stride);
  for (int32_t position = 0; position < out; ++position) {
    const double center = (position + 0.5) * scale;
    const int32_t begin = std::max(0, static_cast<int32_t>(center - support + 0.5));
    const int32_t end = std::min(in, static_cast<int32_t>(center + support + 0.5));
    double total = 0.0;
    FilterWeights(method, {.offset = begin - center + 0.5, .step = 1.0 / filter_scale}, end - begin, row.data());
    for (int32_t k = 0; k < end - begin; ++k) total += row[k];
    first[position] = begin;
    count[position] = end - begin;
    for (int32_t k = 0; k < end - begin; ++k) {
      const double weight = total == 0.0 ? row[k] : row[k] / total;
      const int64_t slot = int64_t{position} * stride + k;
      const double scaled = weight * (1 << kWeightBits);
      fixed[slot] = static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      const int64_t group = int64_t{position} * stride * 2 + k / 4 * 8 + k % 4;
      split[group] = static_cast<int16_t>(fixed[slot] >> kLowBits);
      split[group + 4] = static_cast<int16_t>(fixed[slot] & ((1 << kLowBits) - 1));
      if (want_real) real[slot] = weight;
    }
  }
}

void ResampleAcrossPortable(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                            int count) {
  for (int i = 0; i < count; ++i) {
    switch (channels) {
      case 1: AcrossPortable<1>(weights, rows[i], out[i]); break;
      case 2: AcrossPortable<2>(weights, rows[i], out[i]); break;
      case 3: AcrossPortable<3>(weights, rows[i], out[i]); break;
      default: AcrossPortable<4>(weights, rows[i], out[i]); break;
    }
  }
}

void ResampleDownPortable(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t first_byte,
                          size_t row_bytes, uint8_t* out) {
  constexpr size_t kBlock = 64;
  const int32_t* weight = &weights.fixed[int64_t{position} * weights.stride];
  for (size_t begin = first_byte; begin < row_bytes; begin += kBlock) {
    const size_t size = std::min(kBlock, row_bytes - begin);
    int32_t sums[kBlock];
    std::fill(sums, sums + size, kHalf);
    for (int32_t k = 0; k < weights.count[position]; ++k) {
      const uint8_t* row = rows[k] + begin;
      for (size_t i = 0; i < size; ++i) sums[i] += row[i] * weight[k];
    }
    for (size_t i = 0; i < size; ++i) out[begin + i] = ToByte(sums[i]);
  }
}

void ResampleAcross(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                    int count) {
  if (HasAvx2()) return ResampleAcrossAvx2(weights, channels, rows, out, count);
  ResampleAcrossPortable(weights, channels, rows, out, count);
}

void ResampleDown(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t row_bytes,
                  uint8_t* out) {
  if (HasAvx2()) return ResampleDownAvx2(weights, position, rows, row_bytes, out);
  ResampleDownPortable(weights, position, rows, 0, row_bytes, out);
}

}  // namespace mainstem
