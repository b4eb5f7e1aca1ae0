// Crop, flip and turn: pixels moved, not changed.
#pragma once

#include <cstdint>
#include <string_view>

#include "mainstem/data/image.h"

namespace mainstem {

/// A rectangle in pixels; right and bottom are exclusive.
struct Box {
  int64_t left = 0;
  int64_t top = 0;
  int64_t right = 0;
  int64_t bottom = 0;
};

/// Cuts the rectangle out. What lies outside the picture is zero, as in Pillow. An empty rectangle, or one beyond
/// kDefaultPixelLimit pixels, is a RowError.
Result<Image> CropImage(const Image& image, const Box& box);

/// The rectangle of a size round the centre; where the rest is odd, the extra pixel is left at the right or bottom.
Box CenterBox(const Image& image, int64_t width, int64_t height);

enum class Flip { kHorizontal, kVertical, kRotate180 };
/// Mirrors left and right (horizontal), top and bottom (vertical), or turns by 180 degrees.
Result<Image> FlipImage(const Image& image, Flip flip);

/// Turns a picture upright that was stored with this EXIF orientation (1 … 8).
Result<Image> ApplyOrientation(const Image& image, int32_t orientation);
/// Says whether turning it upright exchanges width and height.
bool SwapsSides(int32_t orientation);

}  // namespace mainstem
