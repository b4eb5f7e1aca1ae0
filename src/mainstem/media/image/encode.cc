#include "mainstem/media/image/encode.h"

#include <fmt/format.h>

#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/jpeg.h"
#include "mainstem/media/image/png.h"
#include "mainstem/media/image/webp.h"

namespace mainstem {
namespace {

ImageMode StorableMode(ImageFormat format, ImageMode mode) {
  switch (format) {
    case ImageFormat::kJpeg:
      return mode == ImageMode::kRGB || mode == ImageMode::kRGBA ? ImageMode::kRGB : ImageMode::kL;
    case ImageFormat::kPng: return mode;
    case ImageFormat::kWebp:
      return mode == ImageMode::kRGBA || mode == ImageMode::kLA ? ImageMode::kRGBA : ImageMode::kRGB;
  }
  return mode;
}

}  // namespace

Result<std::string> EncodeImage(const Image& image, const EncodeOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const Image stored, ConvertMode(image, StorableMode(options.format, image.mode)));
  switch (options.format) {
    case ImageFormat::kJpeg: return EncodeJpeg(stored, options.quality);
    case ImageFormat::kPng: return EncodePng(stored);
    case ImageFormat::kWebp: return EncodeWebp(stored, options.quality);
  }
  return RowError("unknown image format");
}

std::string DataUrl(ImageFormat format, std::string_view encoded) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string url = fmt::format("data:{};base64,", MimeType(format));
  url.reserve(url.size() + (encoded.size() + 2) / 3 * 4);
  for (size_t i = 0; i < encoded.size(); i += 3) {
    const size_t count = std::min<size_t>(3, encoded.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<uint8_t>(encoded[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) url += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return url;
}

}  // namespace mainstem
