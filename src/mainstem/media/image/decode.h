// Decoding: encoded bytes to pixels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "mainstem/data/image.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

struct DecodeOptions {
  /// Mode of the result; without one the header's.
  std::optional<ImageMode> mode;
  /// Checked against the header before anything is allocated.
  int64_t pixel_limit = kDefaultPixelLimit;
  /// Turns the picture upright as its EXIF orientation says.
  bool apply_orientation = false;
  /// Where both are positive a JPEG may be scaled while it is decoded, by the smallest of 1/8, 1/4 and 1/2 that leaves
  /// at least this many pixels; they refer to the picture as stored, or turned upright where that is asked for.
  int32_t minimum_height = 0;
  int32_t minimum_width = 0;
};

/// Decodes a JPEG, PNG or WebP picture; of an animation the first frame. Bytes that are truncated, broken or beyond
/// the limit are a RowError.
Result<Image> DecodeImage(std::span<const uint8_t> bytes, const DecodeOptions& options = {});

}  // namespace mainstem
