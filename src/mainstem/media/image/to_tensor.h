// Pictures as float tensors, the way models read them.
#pragma once

#include <vector>

#include "mainstem/data/image.h"
#include "mainstem/data/tensor.h"

namespace mainstem {

enum class TensorLayout { kChw, kHwc };

/// Turns pixels into float32: sample / 255 (65,535 of 16 bits) in [0, 1], then (value - mean) / std of each channel.
class TensorMaker {
 public:
  /// `mean` and `std` are empty or have one number a channel of `mode`.
  TensorMaker(ImageMode mode, TensorLayout layout, const std::vector<double>& mean, const std::vector<double>& std);

  /// Shape [channels, height, width] or [height, width, channels]. The picture has the maker's mode.
  Result<Tensor> Make(const Image& image) const;
  /// The same into `out`, which has room for height · width · channels numbers.
  void Fill(const Image& image, float* out) const;

 private:
  const ImageMode mode_;
  const TensorLayout layout_;
  std::vector<float> mean_;
  std::vector<float> std_;
};

}  // namespace mainstem
