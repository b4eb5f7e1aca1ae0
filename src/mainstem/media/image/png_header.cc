#include <fmt/format.h>

#include "mainstem/media/image/exif.h"
#include "mainstem/media/image/png.h"

namespace mainstem {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kChunkHeaderBytes = 8;
constexpr size_t kChecksumBytes = 4;

// Colour types of the IHDR chunk (PNG specification, 11.2.2).
enum PngColour : uint8_t { kGrey = 0, kTrueColour = 2, kPalette = 3, kGreyAlpha = 4, kTrueColourAlpha = 6 };

uint32_t BigEndian32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

Status Broken(std::string_view why) {
  return RowError(fmt::format("the PNG image cannot be decoded: {}", why));
}

// The stored mode in Pillow's names; empty where the combination is not allowed.
std::string_view StoredMode(uint8_t colour, uint8_t depth) {
  const bool byte_or_two = depth == 8 || depth == 16;
  switch (colour) {
    case kGrey:
      return depth == 1 ? "1" : depth == 2 || depth == 4 || depth == 8 ? "L" : depth == 16 ? "I;16" : "";
    case kTrueColour: return byte_or_two ? "RGB" : "";
    case kPalette: return depth == 1 || depth == 2 || depth == 4 || depth == 8 ? "P" : "";
    case kGreyAlpha: return byte_or_two ? "LA" : "";
    case kTrueColourAlpha: return byte_or_two ? "RGBA" : "";
  }
  return "";
}

ImageMode DecodedMode(uint8_t colour, uint8_t depth, bool transparent) {
  switch (colour) {
    // A transparent grey of 16 bits cannot be kept beside 16-bit samples: there is no such mode.
    case kGrey: return depth == 16 ? ImageMode::kL16 : transparent ? ImageMode::kLA : ImageMode::kL;
    case kGreyAlpha: return ImageMode::kLA;
    case kTrueColourAlpha: return ImageMode::kRGBA;
    default: return transparent ? ImageMode::kRGBA : ImageMode::kRGB;
  }
}

int32_t StoredChannels(uint8_t colour) {
  return colour == kTrueColour ? 3 : colour == kGreyAlpha ? 2 : colour == kTrueColourAlpha ? 4 : 1;
}

}  // namespace

Result<ImageHeader> ReadPngHeader(std::span<const uint8_t> bytes) {
  constexpr size_t kHeaderBytes = 13;
  const size_t first = kSignatureBytes + kChunkHeaderBytes;
  if (bytes.size() < first + kHeaderBytes + kChecksumBytes) return Broken("its data ends early (truncated)");
  if (BigEndian32(&bytes[kSignatureBytes]) != kHeaderBytes || BigEndian32(&bytes[kSignatureBytes + 4]) != 0x49484452) {
    return Broken("it does not start with a header chunk (IHDR)");
  }
  const uint32_t width = BigEndian32(&bytes[first]);
  const uint32_t height = BigEndian32(&bytes[first + 4]);
  const uint8_t depth = bytes[first + 8];
  const uint8_t colour = bytes[first + 9];
  if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX) return Broken("its size is not valid");
  const std::string_view stored = StoredMode(colour, depth);
  if (stored.empty()) return Broken(fmt::format("colour type {} with {} bits is not valid", colour, depth));

  bool transparent = false;
  int32_t orientation = 1;
  size_t offset = first + kHeaderBytes + kChecksumBytes;
  while (bytes.size() - offset >= kChunkHeaderBytes) {
    const size_t length = BigEndian32(&bytes[offset]);
    const uint32_t type = BigEndian32(&bytes[offset + 4]);
    if (type == 0x49444154) break;  // IDAT: the pixels
    const size_t rest = bytes.size() - offset - kChunkHeaderBytes;
    if (rest < kChecksumBytes || length > rest - kChecksumBytes) break;
    if (type == 0x74524e53) transparent = true;                                                     // tRNS
    if (type == 0x65584966) orientation = ExifOrientation(bytes.subspan(offset + kChunkHeaderBytes, length));  // eXIf
    offset += kChunkHeaderBytes + length + kChecksumBytes;
  }
  return ImageHeader{.format = ImageFormat::kPng,
                     .width = static_cast<int32_t>(width),
                     .height = static_cast<int32_t>(height),
                     .channels = StoredChannels(colour),
                     .stored_mode = stored,
                     .mode = DecodedMode(colour, depth, transparent),
                     .orientation = orientation};
}

}  // namespace mainstem
