// ImageFormat: the container formats of encoded pictures.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mainstem/base/error.h"

namespace mainstem {

enum class ImageFormat { kJpeg, kPng, kWebp };

/// "JPEG", "PNG" or "WEBP".
std::string_view ToString(ImageFormat format);
/// Parses a format's name, any letter case; JPG is JPEG. Others are a JobError that names those there are.
Result<ImageFormat> ParseImageFormat(std::string_view name);
/// "image/jpeg", …
std::string_view MimeType(ImageFormat format);

/// Tells the format from the first bytes. Anything else is a RowError that says what the bytes look like.
Result<ImageFormat> DetectImageFormat(std::span<const uint8_t> bytes);

}  // namespace mainstem
