#include "mainstem/media/image/webp.h"

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

#include <cstring>
#include <memory>

#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/exif.h"

namespace mainstem {
namespace {

Status Broken(VP8StatusCode code) {
  const char* why = "it is broken";
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: why = "its data ends early (truncated)"; break;
    case VP8_STATUS_OUT_OF_MEMORY: why = "there is not enough memory"; break;
    case VP8_STATUS_UNSUPPORTED_FEATURE: why = "it uses a feature that is not supported"; break;
    default: break;
  }
  return RowError(fmt::format("the WEBP image cannot be decoded: {}", why));
}

// The EXIF chunk of the RIFF container stands after the pixels.
int32_t Orientation(std::span<const uint8_t> bytes) {
  constexpr size_t kRiffBytes = 12;
  constexpr size_t kChunkHeaderBytes = 8;
  size_t offset = kRiffBytes;
  while (offset <= bytes.size() && bytes.size() - offset >= kChunkHeaderBytes) {
    const uint8_t* chunk = bytes.data() + offset;
    const size_t length = uint32_t{chunk[4]} | uint32_t{chunk[5]} << 8 | uint32_t{chunk[6]} << 16 |
                          uint32_t{chunk[7]} << 24;
    if (length > bytes.size() - offset - kChunkHeaderBytes) return 1;
    if (std::memcmp(chunk, "EXIF", 4) == 0) return ExifOrientation(bytes.subspan(offset + kChunkHeaderBytes, length));
    offset += kChunkHeaderBytes + length + length % 2;
  }
  return 1;
}

struct DeleteAnimation {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

Result<Image> DecodeFirstFrame(std::span<const uint8_t> bytes, const ImageHeader& header) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return Broken(VP8_STATUS_UNSUPPORTED_FEATURE);
  options.color_mode = MODE_RGBA;
  const WebPData data{.bytes = bytes.data(), .size = bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, DeleteAnimation> decoder(WebPAnimDecoderNew(&data, &options));
  uint8_t* canvas = nullptr;
  int timestamp = 0;
  WebPAnimInfo info;
  if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &info) ||
      info.canvas_width != static_cast<uint32_t>(header.width) ||
      info.canvas_height != static_cast<uint32_t>(header.height) ||
      !WebPAnimDecoderGetNext(decoder.get(), &canvas, &timestamp)) {
    return Broken(VP8_STATUS_BITSTREAM_ERROR);
  }
  ARROW_ASSIGN_OR_RAISE(Image image, Image::Allocate(header.height, header.width, ImageMode::kRGBA));
  std::memcpy(image.mutable_data(), canvas, image.size_bytes());
  return ConvertMode(image, header.mode);
}

}  // namespace

Result<ImageHeader> ReadWebpHeader(std::span<const uint8_t> bytes) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (code != VP8_STATUS_OK) return Broken(code);
  if (features.width <= 0 || features.height <= 0) return Broken(VP8_STATUS_BITSTREAM_ERROR);
  const bool alpha = features.has_alpha;
  return ImageHeader{.format = ImageFormat::kWebp,
                     .width = features.width,
                     .height = features.height,
                     .channels = alpha ? 4 : 3,
                     .stored_mode = alpha ? "RGBA" : "RGB",
                     .mode = alpha ? ImageMode::kRGBA : ImageMode::kRGB,
                     .orientation = Orientation(bytes)};
}

Result<Image> DecodeWebp(std::span<const uint8_t> bytes, const ImageHeader& header) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return Broken(VP8_STATUS_UNSUPPORTED_FEATURE);
  const VP8StatusCode features = WebPGetFeatures(bytes.data(), bytes.size(), &config.input);
  if (features != VP8_STATUS_OK) return Broken(features);
  if (config.input.has_animation) return DecodeFirstFrame(bytes, header);
  ARROW_ASSIGN_OR_RAISE(Image image, Image::Allocate(header.height, header.width, header.mode));
  config.output.colorspace = header.mode == ImageMode::kRGBA ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.mutable_data();
  config.output.u.RGBA.stride = static_cast<int>(image.row_bytes());
  config.output.u.RGBA.size = image.size_bytes();
  const VP8StatusCode code = WebPDecode(bytes.data(), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (code != VP8_STATUS_OK) return Broken(code);
  return image;
}

Result<std::string> EncodeWebp(const Image& image, int quality) {
  if (image.width > WEBP_MAX_DIMENSION || image.height > WEBP_MAX_DIMENSION) {
    return RowError(fmt::format("an image of {} × {} pixels is too large for WEBP, which allows {} a side",
                                image.width, image.height, WEBP_MAX_DIMENSION));
  }
  uint8_t* encoded = nullptr;
  const auto stride = static_cast<int>(image.row_bytes());
  const size_t size =
      image.mode == ImageMode::kRGBA
          ? WebPEncodeRGBA(image.data(), image.width, image.height, stride, static_cast<float>(quality), &encoded)
          : WebPEncodeRGB(image.data(), image.width, image.height, stride, static_cast<float>(quality), &encoded);
  const std::unique_ptr<uint8_t, void (*)(void*)> owner(encoded, WebPFree);
  if (size == 0) return RowError("the image cannot be encoded as WEBP");
  return std::string(reinterpret_cast<const char*>(encoded), size);
}

}  // namespace mainstem
