// PNG: reading and writing with libpng.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mainstem/data/image.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

/// Walks the chunks up to the pixels: size and mode, transparency and EXIF orientation.
Result<ImageHeader> ReadPngHeader(std::span<const uint8_t> bytes);

/// Decodes to the header's mode. Samples below 8 bits are widened; 16-bit grey stays (L16), other 16-bit samples keep
/// their upper byte, as Pillow does. Gamma and colour profiles are not applied.
Result<Image> DecodePng(std::span<const uint8_t> bytes, const ImageHeader& header);

/// Encodes any mode without loss.
Result<std::string> EncodePng(const Image& image);

}  // namespace mainstem
