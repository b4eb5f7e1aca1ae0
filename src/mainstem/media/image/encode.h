// Encoding: pixels to encoded bytes.
#pragma once

#include <string>

#include "mainstem/data/image.h"
#include "mainstem/media/image/format.h"

namespace mainstem {

inline constexpr int kDefaultQuality = 85;

struct EncodeOptions {
  ImageFormat format = ImageFormat::kJpeg;
  int quality = kDefaultQuality;  ///< 1 … 100; of JPEG and WEBP
};

/// Encodes. JPEG has no alpha: it is dropped, and 16-bit grey becomes 8-bit. WEBP has colour only: grey becomes RGB or
/// RGBA. PNG keeps every mode.
Result<std::string> EncodeImage(const Image& image, const EncodeOptions& options = {});

/// "data:image/png;base64,…" (RFC 2397).
std::string DataUrl(ImageFormat format, std::string_view encoded);

}  // namespace mainstem
