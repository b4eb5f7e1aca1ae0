// What an image function is given where it takes decoded and encoded pictures alike.
#pragma once

#include <optional>

#include "mainstem/data/value.h"
#include "mainstem/media/image/header.h"

namespace mainstem {

/// The encoded bytes of a value: binary, or a file whose bytes have been fetched.
Result<Bytes> EncodedBytes(const Value& value);

/// Size, mode and format of a picture; a decoded one has no format.
struct ImageFacts {
  int32_t width = 0;
  int32_t height = 0;
  int32_t channels = 0;
  std::string_view mode;
  ImageMode decoded_mode = ImageMode::kRGB;
  std::optional<ImageFormat> format;
};

/// Reads the header of encoded bytes, or looks at decoded pixels.
Result<ImageFacts> ReadImageFacts(const Value& value);

}  // namespace mainstem
