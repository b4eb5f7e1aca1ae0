// JPEG: reading and writing with libjpeg-turbo.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mainstem/data/image.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

/// Scans that a progressive JPEG may have; more are an attack on time (each scan visits every block).
inline constexpr int kMaxJpegScans = 100;

/// Lets the decoder scale: the smallest of 1/8, 1/4 and 1/2 that leaves at least these sides; none where one is 0.
struct ScaledDecode {
  int32_t minimum_height = 0;
  int32_t minimum_width = 0;
};

Result<ImageHeader> ReadJpegHeader(std::span<const uint8_t> bytes);

/// Decodes to L or RGB (CMYK and YCCK with Adobe's inversion, converted as Pillow does). Data that ends early is a
/// RowError, never grey rows; recoverable damage inside is decoded as libjpeg recovers it.
Result<Image> DecodeJpeg(std::span<const uint8_t> bytes, const ScaledDecode& scaled = {});

/// Encodes L or RGB pixels as baseline JPEG, chroma halved both ways (4:2:0). `quality` is 1 … 100.
Result<std::string> EncodeJpeg(const Image& image, int quality);

}  // namespace mainstem
