#include "mainstem/media/image/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mainstem/media/image/header.h"
#include "mainstem/media/image/premultiply.h"

namespace mainstem {
namespace {

// Tables and row buffers of one resize.
constexpr int64_t kMaxScratchBytes = int64_t{1} << 30;

bool HasAlpha(ImageMode mode) { return mode == ImageMode::kLA || mode == ImageMode::kRGBA; }

// The input position under the centre of each output position, summed up step by step as Pillow does.
std::vector<int32_t> NearestPositions(int32_t input, int32_t output) {
  const double step = static_cast<double>(input) / output;
  std::vector<int32_t> positions(output);
  double center = step * 0.5;
  for (int32_t& position : positions) {
    position = std::min(static_cast<int32_t>(center), input - 1);
    center += step;
  }
  return positions;
}

uint16_t ToWord(double value) { return static_cast<uint16_t>(std::clamp(std::floor(value + 0.5), 0.0, 65535.0)); }

}  // namespace

Result<Image> Resizer::Resize(const Image& image, int32_t height, int32_t width) {
  if (height <= 0 || width <= 0 || int64_t{height} > kDefaultPixelLimit / width) {
    return JobError(fmt::format("cannot resize to {} × {} pixels; sizes are at least 1 × 1 and at most {} pixels",
                                width, height, kDefaultPixelLimit));
  }
  if (height == image.height && width == image.width) return image;
  if (method_ == ResizeMethod::kNearest) return ResizeNearest(image, height, width);
  ARROW_RETURN_NOT_OK(PrepareTables(image, height, width));
  return image.mode == ImageMode::kL16 ? Resize16Bit(image, height, width) : Resize8Bit(image, height, width);
}

Status Resizer::PrepareTables(const Image& image, int32_t height, int32_t width) {
  const bool wide = image.mode == ImageMode::kL16;
  const int64_t taps_across = AxisWeights::Taps(method_, image.width, width);
  const int64_t taps_down = AxisWeights::Taps(method_, image.height, height);
  const int64_t weight_bytes = wide ? 16 : 8;
  // The ring never needs more rows than there are.
  const int64_t rows = std::min<int64_t>(taps_down, image.height) + kRowsAtOnce;
  const int64_t row_bytes = int64_t{width} * image.channels() * BytesPerSample(image.mode);
  const int64_t stride = (row_bytes + kRowSlack + 63) / 64 * 64;
  const int64_t weights = ((taps_across + 8) * width + (taps_down + 8) * height) * weight_bytes;
  if (weights > kMaxScratchBytes || rows > kMaxScratchBytes / stride) {
    return RowError(fmt::format("resizing {} × {} to {} × {} pixels needs more than {} MiB of working memory; such a "
                                "shape cannot be resized in one step",
                                image.width, image.height, width, height, kMaxScratchBytes >> 20));
  }
  across_.Prepare(method_, image.width, width, wide);
  down_.Prepare(method_, image.height, height, wide);
  ring_rows_ = static_cast<size_t>(rows);
  ring_stride_ = static_cast<size_t>(stride);
  if (ring_.size() < ring_rows_ * ring_stride_) ring_.resize(ring_rows_ * ring_stride_);
  return Status::OK();
}

Result<Image> Resizer::ResizeNearest(const Image& image, int32_t height, int32_t width) {
  ARROW_ASSIGN_OR_RAISE(Image out, Image::Allocate(height, width, image.mode));
  const std::vector<int32_t> columns = NearestPositions(image.width, width);
  const std::vector<int32_t> rows = NearestPositions(image.height, height);
  const int64_t pixel = image.row_bytes() / image.width;
  uint8_t* target = out.mutable_data();
  for (const int32_t y : rows) {
    const uint8_t* row = image.row(y);
    for (const int32_t x : columns) {
      for (int64_t i = 0; i < pixel; ++i) *target++ = row[x * pixel + i];
    }
  }
  return out;
}

void Resizer::ResampleRows(const Image& image, int32_t first, int32_t count, int32_t width) {
  const int64_t row_bytes = image.row_bytes();
  const int64_t slack = kRowSlack;
  const auto must_copy = [&](int64_t y) {
    return HasAlpha(image.mode) || (y + 1) * row_bytes + slack > image.size_bytes();
  };
  const auto needed = static_cast<size_t>((row_bytes + slack) * kRowsAtOnce);
  if (must_copy(first + count - 1) && scratch_.size() < needed) scratch_.resize(needed);
  const uint8_t* in[kRowsAtOnce];
  uint8_t* out[kRowsAtOnce];
  for (int32_t i = 0; i < count; ++i) {
    const int32_t y = first + i;
    in[i] = image.row(y);
    out[i] = ring_.data() + (y % ring_rows_) * ring_stride_;
    if (!must_copy(y)) continue;
    uint8_t* copy = scratch_.data() + i * (row_bytes + slack);
    if (HasAlpha(image.mode)) {
      Premultiply(in[i], copy, image.width, image.channels());
    } else {
      std::memcpy(copy, in[i], row_bytes);
    }
    in[i] = copy;
  }
  if (width == image.width) {
    for (int32_t i = 0; i < count; ++i) std::memcpy(out[i], in[i], row_bytes);
  } else {
    ResampleAcross(across_, image.channels(), in, out, count);
  }
}

Result<Image> Resizer::Resize8Bit(const Image& image, int32_t height, int32_t width) {
  ARROW_ASSIGN_OR_RAISE(Image out, Image::Allocate(height, width, image.mode));
  const auto row_bytes = static_cast<size_t>(out.row_bytes());
  std::vector<const uint8_t*> rows(static_cast<size_t>(down_.stride));
  int32_t done = 0;
  for (int32_t y = 0; y < height; ++y) {
    const int32_t first = down_.first[y];
    const int32_t count = down_.count[y];
    while (done < first + count) {
      const int32_t batch = std::min(kRowsAtOnce, image.height - done);
      ResampleRows(image, done, batch, width);
      done += batch;
    }
    uint8_t* target = out.mutable_data() + y * out.row_bytes();
    if (height == image.height) {
      std::memcpy(target, ring_.data() + (y % ring_rows_) * ring_stride_, row_bytes);
    } else {
      for (int32_t k = 0; k < (count + 3) / 4 * 4; ++k) {
        rows[k] = ring_.data() + ((first + std::min(k, count - 1)) % ring_rows_) * ring_stride_;
      }
      ResampleDown(down_, y, rows.data(), row_bytes, target);
    }
    if (HasAlpha(image.mode)) Unpremultiply(target, width, image.channels());
  }
  return out;
}

Result<Image> Resizer::Resize16Bit(const Image& image, int32_t height, int32_t width) {
  ARROW_ASSIGN_OR_RAISE(Image out, Image::Allocate(height, width, image.mode));
  const auto ring_row = [&](int32_t y) {
    return reinterpret_cast<uint16_t*>(ring_.data() + (y % ring_rows_) * ring_stride_);
  };
  int32_t done = 0;
  for (int32_t y = 0; y < height; ++y) {
    const int32_t first = down_.first[y];
    const int32_t count = down_.count[y];
    for (; done < first + count; ++done) {
      const auto* row = reinterpret_cast<const uint16_t*>(image.row(done));
      for (int32_t x = 0; x < width; ++x) {
        const double* weight = &across_.real[int64_t{x} * across_.stride];
        double sum = 0;
        for (int32_t k = 0; k < across_.count[x]; ++k) sum += row[across_.first[x] + k] * weight[k];
        ring_row(done)[x] = ToWord(sum);
      }
    }
    auto* target = reinterpret_cast<uint16_t*>(out.mutable_data()) + int64_t{y} * width;
    const double* weight = &down_.real[int64_t{y} * down_.stride];
    for (int32_t x = 0; x < width; ++x) {
      double sum = 0;
      for (int32_t k = 0; k < count; ++k) sum += ring_row(first + k)[x] * weight[k];
      target[x] = ToWord(sum);
    }
  }
  return out;
}

}  // namespace mainstem
