// Premultiplied alpha: colours weighted by their opacity, as averaging needs them.
#pragma once

#include <cstdint>

namespace mainstem {

/// out = colour · alpha / 255, rounded. `channels` is 2 or 4; the last one is alpha.
void Premultiply(const uint8_t* in, uint8_t* out, int64_t pixels, int channels);
/// colour = min(255, 255 · colour / alpha), rounded down; in place. Pixels of alpha 0 and 255 stay.
void Unpremultiply(uint8_t* pixels, int64_t count, int channels);

}  // namespace mainstem
