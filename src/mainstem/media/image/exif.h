// EXIF orientation: which way up a camera held the picture.
#pragma once

#include <cstdint>
#include <span>

namespace mainstem {

/// Finds the orientation (tag 0x0112 of the first directory, EXIF 2.32 §4.6.4) in a TIFF block: 1 … 8, and 1 where
/// there is none or the block is broken. A leading "Exif\0\0" is skipped.
int32_t ExifOrientation(std::span<const uint8_t> block);

}  // namespace mainstem
