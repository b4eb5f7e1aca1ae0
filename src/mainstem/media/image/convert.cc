#include "mainstem/media/image/convert.h"

#include "mainstem/media/image/vector_code.h"

namespace mainstem {
namespace {

// One pixel as red, green, blue and alpha, or as grey in all three.
struct Pixel {
  uint8_t red, green, blue, alpha;
};

template <ImageMode kMode>
MAINSTEM_IN_CALLER Pixel Load(const uint8_t* in) {
  if constexpr (kMode == ImageMode::kL) return {in[0], in[0], in[0], 255};
  if constexpr (kMode == ImageMode::kLA) return {in[0], in[0], in[0], in[1]};
  if constexpr (kMode == ImageMode::kRGB) return {in[0], in[1], in[2], 255};
  if constexpr (kMode == ImageMode::kRGBA) return {in[0], in[1], in[2], in[3]};
  if constexpr (kMode == ImageMode::kL16) {
    const auto grey = static_cast<uint8_t>(*reinterpret_cast<const uint16_t*>(in) / 257);
    return {grey, grey, grey, 255};
  }
}

template <ImageMode kMode, bool kGrey>
MAINSTEM_IN_CALLER void Store(const Pixel& pixel, uint8_t* out) {
  const uint8_t luma = kGrey ? pixel.red : Luma(pixel.red, pixel.green, pixel.blue);
  if constexpr (kMode == ImageMode::kL) {
    out[0] = luma;
  } else if constexpr (kMode == ImageMode::kLA) {
    out[0] = luma;
    out[1] = pixel.alpha;
  } else if constexpr (kMode == ImageMode::kRGB || kMode == ImageMode::kRGBA) {
    out[0] = pixel.red;
    out[1] = pixel.green;
    out[2] = pixel.blue;
    if constexpr (kMode == ImageMode::kRGBA) out[3] = pixel.alpha;
  } else {
    *reinterpret_cast<uint16_t*>(out) = static_cast<uint16_t>(luma * 257);
  }
}

constexpr int PixelBytes(ImageMode mode) {
  switch (mode) {
    case ImageMode::kL: return 1;
    case ImageMode::kLA: return 2;
    case ImageMode::kRGB: return 3;
    case ImageMode::kRGBA: return 4;
    case ImageMode::kL16: return 2;
  }
  return 0;
}

template <ImageMode kFrom, ImageMode kTo>
MAINSTEM_IN_CALLER void ConvertLoop(const uint8_t* __restrict in, uint8_t* __restrict out, int64_t pixels) {
  constexpr bool kGrey = kFrom == ImageMode::kL || kFrom == ImageMode::kLA || kFrom == ImageMode::kL16;
  for (int64_t i = 0; i < pixels; ++i) {
    Store<kTo, kGrey>(Load<kFrom>(in + i * PixelBytes(kFrom)), out + i * PixelBytes(kTo));
  }
}

template <ImageMode kFrom, ImageMode kTo>
MAINSTEM_AVX2 void ConvertPixelsAvx2(const uint8_t* in, uint8_t* out, int64_t pixels) {
  ConvertLoop<kFrom, kTo>(in, out, pixels);
}

template <ImageMode kFrom, ImageMode kTo>
void ConvertPixels(const uint8_t* in, uint8_t* out, int64_t pixels) {
  if (HasAvx2()) return ConvertPixelsAvx2<kFrom, kTo>(in, out, pixels);
  ConvertLoop<kFrom, kTo>(in, out, pixels);
}

using Conversion = void (*)(const uint8_t*, uint8_t*, int64_t);

template <ImageMode kFrom>
Conversion ConversionTo(ImageMode to) {
  switch (to) {
    case ImageMode::kL: return ConvertPixels<kFrom, ImageMode::kL>;
    case ImageMode::kLA: return ConvertPixels<kFrom, ImageMode::kLA>;
    case ImageMode::kRGB: return ConvertPixels<kFrom, ImageMode::kRGB>;
    case ImageMode::kRGBA: return ConvertPixels<kFrom, ImageMode::kRGBA>;
    case ImageMode::kL16: return ConvertPixels<kFrom, ImageMode::kL16>;
  }
  return nullptr;
}

Conversion FindConversion(ImageMode from, ImageMode to) {
  switch (from) {
    case ImageMode::kL: return ConversionTo<ImageMode::kL>(to);
    case ImageMode::kLA: return ConversionTo<ImageMode::kLA>(to);
    case ImageMode::kRGB: return ConversionTo<ImageMode::kRGB>(to);
    case ImageMode::kRGBA: return ConversionTo<ImageMode::kRGBA>(to);
    case ImageMode::kL16: return ConversionTo<ImageMode::kL16>(to);
  }
  return nullptr;
}

}  // namespace

Result<Image> ConvertMode(const Image& image, ImageMode mode) {
  if (image.mode == mode) return image;
  ARROW_ASSIGN_OR_RAISE(Image out, Image::Allocate(image.height, image.width, mode));
  FindConversion(image.mode, mode)(image.data(), out.mutable_data(), int64_t{image.height} * image.width);
  return out;
}

}  // namespace mainstem
