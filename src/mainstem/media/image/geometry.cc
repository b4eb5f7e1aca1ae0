#include "mainstem/media/image/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mainstem/media/image/header.h"

namespace mainstem {
namespace {

int PixelBytes(const Image& image) { return image.channels() * BytesPerSample(image.mode); }

// Copies pixels of the type from a start with the given steps between neighbours of a row and between rows.
template <typename Pixel>
void CopyStrided(const Image& in, Image& out, int64_t start, int64_t x_step, int64_t y_step) {
  const auto* source = reinterpret_cast<const Pixel*>(in.data());
  auto* target = reinterpret_cast<Pixel*>(out.mutable_data());
  for (int64_t y = 0; y < out.height; ++y) {
    const Pixel* from = source + start + y * y_step;
    for (int64_t x = 0; x < out.width; ++x, from += x_step) *target++ = *from;
  }
}

struct Triple {
  uint8_t samples[3];
};

// `start` and the steps count pixels of the input.
Result<Image> Rearranged(const Image& in, bool swap_sides, int64_t start, int64_t x_step, int64_t y_step) {
  ARROW_ASSIGN_OR_RAISE(Image out, Image::Allocate(swap_sides ? in.width : in.height,
                                                   swap_sides ? in.height : in.width, in.mode));
  switch (PixelBytes(in)) {
    case 1: CopyStrided<uint8_t>(in, out, start, x_step, y_step); break;
    case 2: CopyStrided<uint16_t>(in, out, start, x_step, y_step); break;
    case 3: CopyStrided<Triple>(in, out, start, x_step, y_step); break;
    default: CopyStrided<uint32_t>(in, out, start, x_step, y_step); break;
  }
  return out;
}

}  // namespace

Result<Image> CropImage(const Image& image, const Box& box) {
  constexpr int64_t kMaxCoordinate = 1 << 30;
  for (const int64_t edge : {box.left, box.top, box.right, box.bottom}) {
    if (edge < -kMaxCoordinate || edge > kMaxCoordinate) {
      return RowError(fmt::format("a crop edge at {} is out of range", edge));
    }
  }
  const int64_t width = box.right - box.left;
  const int64_t height = box.bottom - box.top;
  if (width <= 0 || height <= 0) return RowError(fmt::format("a crop of {} × {} pixels is empty", width, height));
  if (width > kDefaultPixelLimit / height) {
    return RowError(fmt::format("a crop of {} × {} pixels is more than {} pixels", width, height, kDefaultPixelLimit));
  }
  if (box.left == 0 && box.top == 0 && width == image.width && height == image.height) return image;
  ARROW_ASSIGN_OR_RAISE(Image out,
                        Image::Allocate(static_cast<int32_t>(height), static_cast<int32_t>(width), image.mode));
  const int64_t left = std::clamp<int64_t>(box.left, 0, image.width);
  const int64_t right = std::clamp<int64_t>(box.right, 0, image.width);
  const int64_t top = std::clamp<int64_t>(box.top, 0, image.height);
  const int64_t bottom = std::clamp<int64_t>(box.bottom, 0, image.height);
  const int64_t pixel = PixelBytes(image);
  const bool inside = right - left == width && bottom - top == height;
  if (!inside) std::memset(out.mutable_data(), 0, out.size_bytes());
  if (right <= left) return out;
  for (int64_t y = top; y < bottom; ++y) {
    std::memcpy(out.mutable_data() + (y - box.top) * out.row_bytes() + (left - box.left) * pixel,
                image.row(y) + left * pixel, (right - left) * pixel);
  }
  return out;
}

Box CenterBox(const Image& image, int64_t width, int64_t height) {
  // Rounds towards minus infinity, so that an odd border is the same on both signs.
  const auto half = [](int64_t rest) { return rest >= 0 ? rest / 2 : -((1 - rest) / 2); };
  const int64_t left = half(image.width - width);
  const int64_t top = half(image.height - height);
  return {.left = left, .top = top, .right = left + width, .bottom = top + height};
}

Result<Image> FlipImage(const Image& image, Flip flip) {
  switch (flip) {
    case Flip::kHorizontal: return ApplyOrientation(image, 2);
    case Flip::kRotate180: return ApplyOrientation(image, 3);
    case Flip::kVertical: return ApplyOrientation(image, 4);
  }
  return image;
}

bool SwapsSides(int32_t orientation) { return orientation >= 5 && orientation <= 8; }

Result<Image> ApplyOrientation(const Image& image, int32_t orientation) {
  const int64_t w = image.width;
  const int64_t h = image.height;
  switch (orientation) {
    case 2: return Rearranged(image, false, w - 1, -1, w);              // mirrored left to right
    case 3: return Rearranged(image, false, w * h - 1, -1, -w);         // turned by 180°
    case 4: return Rearranged(image, false, (h - 1) * w, 1, -w);        // mirrored top to bottom
    case 5: return Rearranged(image, true, 0, w, 1);                    // transposed
    case 6: return Rearranged(image, true, (h - 1) * w, -w, 1);         // needs 90° clockwise
    case 7: return Rearranged(image, true, w * h - 1, -w, -1);          // transposed along the other diagonal
    case 8: return Rearranged(image, true, w - 1, w, -1);               // needs 90° counter-clockwise
    default: return image;
  }
}

}  // namespace mainstem
