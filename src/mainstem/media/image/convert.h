// ConvertMode: changes a picture's channel layout.
#pragma once

#include <cstdint>

#include "mainstem/data/image.h"

namespace mainstem {

/// Returns the picture in another mode; the same pixels, shared, where it has it already. Grey is Pillow's luma
/// (ITU-R 601-2): (19595 R + 38470 G + 7471 B + 32768) / 65536. A new alpha is opaque, a superfluous one is dropped.
/// 8 and 16 bits are converted linearly: v · 257 and v / 257 rounded down.
Result<Image> ConvertMode(const Image& image, ImageMode mode);

/// The luma of one pixel.
inline __attribute__((always_inline)) uint8_t Luma(uint8_t red, uint8_t green, uint8_t blue) {
  return static_cast<uint8_t>((red * 19595u + green * 38470u + blue * 7471u + 0x8000u) >> 16);
}

}  // namespace mainstem
