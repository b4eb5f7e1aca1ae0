// Perceptual hashes: 64 bits that stay near when a picture is scaled or re-encoded.
#pragma once

#include <cstdint>
#include <string>

#include "mainstem/data/image.h"

namespace mainstem {

enum class HashMethod { kPerceptual, kDifference, kAverage };

/// The hash of the grey picture, equal to the Python library imagehash with 8 × 8 bits, first bit highest:
/// perceptual: low frequencies of a 32 × 32 cosine transform above their median; difference: brighter than the left
/// neighbour at 9 × 8; average: above the mean at 8 × 8.
Result<uint64_t> ImageHash(const Image& image, HashMethod method);

/// 16 hexadecimal digits.
std::string HashText(uint64_t hash);

}  // namespace mainstem
