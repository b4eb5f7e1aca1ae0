#include "mainstem/media/image/to_tensor.h"

#include <arrow/type.h>

namespace mainstem {
namespace {

template <typename Sample>
void FillFrom(const Image& image, const float* table, TensorLayout layout, float* out) {
  constexpr size_t kTable = size_t{1} << (8 * sizeof(Sample));
  const auto channels = static_cast<size_t>(image.channels());
  const auto pixels = static_cast<size_t>(image.height) * static_cast<size_t>(image.width);
  const auto* samples = reinterpret_cast<const Sample*>(image.data());
  if (layout == TensorLayout::kHwc) {
    for (size_t i = 0; i < pixels; ++i) {
      for (size_t c = 0; c < channels; ++c) *out++ = table[c * kTable + *samples++];
    }
    return;
  }
  for (size_t c = 0; c < channels; ++c) {
    const float* values = table + c * kTable;
    for (size_t i = 0; i < pixels; ++i) *out++ = values[samples[i * channels + c]];
  }
}

}  // namespace

TensorMaker::TensorMaker(ImageMode mode, TensorLayout layout, std::vector<double> mean, std::vector<double> std)
    : mode_(mode), layout_(layout) {
  const int highest = mode == ImageMode::kL16 ? 65535 : 255;
  for (int c = 0; c < Channels(mode); ++c) {
    for (int sample = 0; sample <= highest; ++sample) {
      float value = static_cast<float>(sample) / static_cast<float>(highest);
      if (!mean.empty()) value -= static_cast<float>(mean[c]);
      if (!std.empty()) value /= static_cast<float>(std[c]);
      values_.push_back(value);
    }
  }
}

Result<Tensor> TensorMaker::Make(const Image& image) const {
  std::vector<int64_t> shape = {image.height, image.width, image.channels()};
  if (layout_ == TensorLayout::kChw) shape = {image.channels(), image.height, image.width};
  ARROW_ASSIGN_OR_RAISE(Tensor tensor, Tensor::Allocate(arrow::float32(), std::move(shape)));
  Fill(image, tensor.mutable_data<float>());
  return tensor;
}

void TensorMaker::Fill(const Image& image, float* out) const {
  if (mode_ == ImageMode::kL16) {
    FillFrom<uint16_t>(image, values_.data(), layout_, out);
  } else {
    FillFrom<uint8_t>(image, values_.data(), layout_, out);
  }
}

}  // namespace mainstem
