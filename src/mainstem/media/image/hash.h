// Perceptual hashes: 64 bits that stay near when a picture is scaled or re-encoded.
#pragma once

#include <cstdint>
#include <string>

#include "mainstem/data/image.h"
#include "mainstem/media/image/resize.h"

namespace mainstem {

enum class HashMethod { kPerceptual, kDifference, kAverage };

/// Hashes the grey picture as the Python library imagehash does with 8 × 8 bits, first bit highest. Perceptual: low
/// frequencies of a 32 × 32 cosine transform above their median; difference: brighter than the left neighbour at 9 × 8;
/// average: above the mean at 8 × 8. Used by one thread at a time.
class ImageHasher {
 public:
  explicit ImageHasher(HashMethod method) : method_(method) {}
  Result<uint64_t> Hash(const Image& image);

 private:
  const HashMethod method_;
  Resizer resizer_{ResizeMethod::kLanczos};
};

/// 16 hexadecimal digits.
std::string HashText(uint64_t hash);

}  // namespace mainstem
