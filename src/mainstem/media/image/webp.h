// WebP: reading and writing with libwebp.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mainstem/data/image.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

Result<ImageHeader> ReadWebpHeader(std::span<const uint8_t> bytes);

/// Decodes to RGB or RGBA; of an animation the first frame on its canvas.
Result<Image> DecodeWebp(std::span<const uint8_t> bytes, const ImageHeader& header);

/// Encodes RGB or RGBA pixels, lossy with method 4. `quality` is 1 … 100.
Result<std::string> EncodeWebp(const Image& image, int quality);

}  // namespace mainstem
