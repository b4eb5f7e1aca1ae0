#include "mainstem/media/image/premultiply.h"

#include <algorithm>

namespace mainstem {
namespace {

template <int kChannels>
void PremultiplyPixels(const uint8_t* __restrict in, uint8_t* __restrict out, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i, in += kChannels, out += kChannels) {
    const unsigned alpha = in[kChannels - 1];
    for (int c = 0; c < kChannels - 1; ++c) {
      const unsigned product = in[c] * alpha + 128;
      out[c] = static_cast<uint8_t>(((product >> 8) + product) >> 8);
    }
    out[kChannels - 1] = static_cast<uint8_t>(alpha);
  }
}

template <int kChannels>
void UnpremultiplyPixels(uint8_t* pixels, int64_t count) {
  for (int64_t i = 0; i < count; ++i, pixels += kChannels) {
    const unsigned alpha = pixels[kChannels - 1];
    if (alpha == 0 || alpha == 255) continue;
    for (int c = 0; c < kChannels - 1; ++c) {
      pixels[c] = static_cast<uint8_t>(std::min(255u, 255u * pixels[c] / alpha));
    }
  }
}

}  // namespace

void Premultiply(const uint8_t* in, uint8_t* out, int64_t pixels, int channels) {
  channels == 2 ? PremultiplyPixels<2>(in, out, pixels) : PremultiplyPixels<4>(in, out, pixels);
}

void Unpremultiply(uint8_t* pixels, int64_t count, int channels) {
  channels == 2 ? UnpremultiplyPixels<2>(pixels, count) : UnpremultiplyPixels<4>(pixels, count);
}

}  // namespace mainstem
