#include "mainstem/media/image/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "mainstem/media/image/convert.h"

namespace mainstem {
namespace {

constexpr int kSide = 8;
constexpr int kTransformSide = 32;

uint64_t Average(const Image& grey) {
  int sum = 0;
  for (int i = 0; i < kSide * kSide; ++i) sum += grey.data()[i];
  uint64_t hash = 0;
  for (int i = 0; i < kSide * kSide; ++i) hash = hash << 1 | (grey.data()[i] * kSide * kSide > sum ? 1 : 0);
  return hash;
}

uint64_t Difference(const Image& grey) {
  uint64_t hash = 0;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) hash = hash << 1 | (grey.row(y)[x + 1] > grey.row(y)[x] ? 1 : 0);
  }
  return hash;
}

// cos(π k (2 n + 1) / 64) of the lowest frequencies: the cosine transform of type II.
using Basis = std::array<std::array<double, kTransformSide>, kSide>;
Basis MakeBasis() {
  Basis basis;
  for (int k = 0; k < kSide; ++k) {
    for (int n = 0; n < kTransformSide; ++n) {
      basis[k][n] = std::cos(std::numbers::pi * k * (2 * n + 1) / (2 * kTransformSide));
    }
  }
  return basis;
}

uint64_t Perceptual(const Image& grey) {
  const Basis basis = MakeBasis();
  std::array<std::array<double, kTransformSide>, kSide> columns;  // transformed down, not yet across
  for (int k = 0; k < kSide; ++k) {
    for (int x = 0; x < kTransformSide; ++x) {
      double sum = 0;
      for (int y = 0; y < kTransformSide; ++y) sum += basis[k][y] * grey.row(y)[x];
      columns[k][x] = 2 * sum;
    }
  }
  std::array<double, kSide * kSide> low;
  for (int k = 0; k < kSide; ++k) {
    for (int j = 0; j < kSide; ++j) {
      double sum = 0;
      for (int x = 0; x < kTransformSide; ++x) sum += basis[j][x] * columns[k][x];
      low[k * kSide + j] = 2 * sum;
    }
  }
  auto sorted = low;
  std::sort(sorted.begin(), sorted.end());
  const double median = (sorted[31] + sorted[32]) / 2;
  uint64_t hash = 0;
  for (const double value : low) hash = hash << 1 | (value > median ? 1 : 0);
  return hash;
}

}  // namespace

Result<uint64_t> ImageHasher::Hash(const Image& image) {
  ARROW_ASSIGN_OR_RAISE(Image grey, ConvertMode(image, ImageMode::kL));
  const int32_t height = method_ == HashMethod::kPerceptual ? kTransformSide : kSide;
  const int32_t width = method_ == HashMethod::kDifference ? kSide + 1 : height;
  ARROW_ASSIGN_OR_RAISE(grey, resizer_.Resize(grey, height, width));
  switch (method_) {
    case HashMethod::kPerceptual: return Perceptual(grey);
    case HashMethod::kDifference: return Difference(grey);
    case HashMethod::kAverage: return Average(grey);
  }
  return uint64_t{0};
}

std::string HashText(uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace mainstem
