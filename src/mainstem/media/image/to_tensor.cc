#include "mainstem/media/image/to_tensor.h"

#include <arrow/type.h>

#include "mainstem/media/image/vector_code.h"

namespace mainstem {
namespace {

// Everything that the loops need; one scale and shift a channel.
struct Normalisation {
  float highest;
  const float* mean;
  const float* std;
};

template <typename Sample, int kChannels>
MAINSTEM_IN_CALLER void FillPlanes(const Sample* samples, int64_t pixels, const Normalisation& by, float* out) {
  for (int c = 0; c < kChannels; ++c) {
    const float mean = by.mean[c];
    const float std = by.std[c];
    float* __restrict plane = out + c * pixels;
    for (int64_t i = 0; i < pixels; ++i) {
      plane[i] = (static_cast<float>(samples[i * kChannels + c]) / by.highest - mean) / std;
    }
  }
}

template <typename Sample, int kChannels>
MAINSTEM_IN_CALLER void FillInterleaved(const Sample* samples, int64_t pixels, const Normalisation& by, float* out) {
  float* __restrict target = out;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < kChannels; ++c) {
      const auto sample = static_cast<float>(samples[i * kChannels + c]);
      target[i * kChannels + c] = (sample / by.highest - by.mean[c]) / by.std[c];
    }
  }
}

template <typename Sample, int kChannels>
MAINSTEM_IN_CALLER void FillLoop(const Image& image, TensorLayout layout, const Normalisation& by, float* out) {
  const auto* samples = reinterpret_cast<const Sample*>(image.data());
  const int64_t pixels = int64_t{image.height} * image.width;
  if (layout == TensorLayout::kChw) {
    FillPlanes<Sample, kChannels>(samples, pixels, by, out);
  } else {
    FillInterleaved<Sample, kChannels>(samples, pixels, by, out);
  }
}

template <typename Sample, int kChannels>
MAINSTEM_AVX2 void FillAvx2(const Image& image, TensorLayout layout, const Normalisation& by, float* out) {
  FillLoop<Sample, kChannels>(image, layout, by, out);
}

template <typename Sample, int kChannels>
void FillFrom(const Image& image, TensorLayout layout, const Normalisation& by, float* out) {
  if (HasAvx2()) return FillAvx2<Sample, kChannels>(image, layout, by, out);
  FillLoop<Sample, kChannels>(image, layout, by, out);
}

}  // namespace

TensorMaker::TensorMaker(ImageMode mode, TensorLayout layout, const std::vector<double>& mean,
                         const std::vector<double>& std)
    : mode_(mode), layout_(layout), mean_(mean.begin(), mean.end()), std_(std.begin(), std.end()) {
  mean_.resize(Channels(mode), 0.0f);
  std_.resize(Channels(mode), 1.0f);
}

Result<Tensor> TensorMaker::Make(const Image& image) const {
  std::vector<int64_t> shape = {image.height, image.width, image.channels()};
  if (layout_ == TensorLayout::kChw) shape = {image.channels(), image.height, image.width};
  ARROW_ASSIGN_OR_RAISE(Tensor tensor, Tensor::Allocate(arrow::float32(), std::move(shape)));
  Fill(image, tensor.mutable_data<float>());
  return tensor;
}

void TensorMaker::Fill(const Image& image, float* out) const {
  const Normalisation by{
      .highest = mode_ == ImageMode::kL16 ? 65535.0f : 255.0f, .mean = mean_.data(), .std = std_.data()};
  switch (mode_) {
    case ImageMode::kL: return FillFrom<uint8_t, 1>(image, layout_, by, out);
    case ImageMode::kLA: return FillFrom<uint8_t, 2>(image, layout_, by, out);
    case ImageMode::kRGB: return FillFrom<uint8_t, 3>(image, layout_, by, out);
    case ImageMode::kRGBA: return FillFrom<uint8_t, 4>(image, layout_, by, out);
    case ImageMode::kL16: return FillFrom<uint16_t, 1>(image, layout_, by, out);
  }
}

}  // namespace mainstem
