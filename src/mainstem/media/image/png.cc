#include "mainstem/media/image/png.h"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

namespace mainstem {
namespace {

// Ancillary chunks beyond this are skipped: nothing in them is needed.
constexpr png_alloc_size_t kMaxChunkBytes = 8 << 20;

// Where libpng reads from or writes to, and the first error it reports.
struct PngStream {
  std::span<const uint8_t> input;
  std::string output;
  char message[128] = "";

  static PngStream* Of(png_structp png) { return static_cast<PngStream*>(png_get_error_ptr(png)); }
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* stream = PngStream::Of(png);
  if (stream->message[0] == '\0') std::snprintf(stream->message, sizeof(stream->message), "%s", message);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void Read(png_structp png, png_bytep out, size_t count) {
  auto* stream = static_cast<PngStream*>(png_get_io_ptr(png));
  if (count > stream->input.size()) png_error(png, "its data ends early (truncated)");
  std::memcpy(out, stream->input.data(), count);
  stream->input = stream->input.subspan(count);
}

void Write(png_structp png, png_bytep bytes, size_t count) {
  auto* stream = static_cast<PngStream*>(png_get_io_ptr(png));
  bool written = true;
  try {
    stream->output.append(reinterpret_cast<const char*>(bytes), count);
  } catch (const std::bad_alloc&) {
    written = false;
  }
  if (!written) png_error(png, "there is not enough memory");
}

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct PngWriter {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

// Asks libpng for the layout of `mode`.
void SetTransformations(png_structp png, png_infop info, ImageMode mode) {
  const int depth = png_get_bit_depth(png, info);
  const int colour = png_get_color_type(png, info);
  const bool alpha = mode == ImageMode::kLA || mode == ImageMode::kRGBA;
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (alpha && png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
  if (depth == 16) {
    if (mode == ImageMode::kL16) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      png_set_swap(png);
#endif
    } else {
      png_set_strip_16(png);
    }
  }
  // The header promised transparency that a broken chunk does not deliver, or the reverse.
  if (alpha && !(colour & PNG_COLOR_MASK_ALPHA) && !png_get_valid(png, info, PNG_INFO_tRNS)) {
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
  }
  if (!alpha) png_set_strip_alpha(png);
}

// Reads everything but the pixels. False after an error.
bool StartReading(PngReader& reader, PngStream& stream, ImageMode mode) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &stream, Read);
  png_set_user_limits(reader.png, kMaxImageSide, kMaxImageSide);
  png_set_chunk_malloc_max(reader.png, kMaxChunkBytes);
  png_read_info(reader.png, reader.info);
  SetTransformations(reader.png, reader.info, mode);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool ReadPixels(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

bool WritePixels(PngWriter& writer, PngStream& stream, const Image& image) {
  if (setjmp(png_jmpbuf(writer.png))) return false;
  int colour = PNG_COLOR_TYPE_GRAY;
  if (image.mode == ImageMode::kLA) colour = PNG_COLOR_TYPE_GRAY_ALPHA;
  if (image.mode == ImageMode::kRGB) colour = PNG_COLOR_TYPE_RGB;
  if (image.mode == ImageMode::kRGBA) colour = PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_write_fn(writer.png, &stream, Write, [](png_structp) {});
  png_set_IHDR(writer.png, writer.info, image.width, image.height, 8 * BytesPerSample(image.mode), colour,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (image.mode == ImageMode::kL16) png_set_swap(writer.png);
#endif
  for (int32_t y = 0; y < image.height; ++y) png_write_row(writer.png, image.row(y));
  png_write_end(writer.png, writer.info);
  return true;
}

Status Failed(const char* what, const PngStream& stream) {
  return RowError(fmt::format("the {}: {}", what,
                              Escaped(stream.message[0] ? stream.message : "there is not enough memory")));
}

}  // namespace

Result<Image> DecodePng(std::span<const uint8_t> bytes, const ImageHeader& header) {
  constexpr const char* kWhat = "PNG image cannot be decoded";
  PngStream stream{.input = bytes};
  PngReader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, OnError, OnWarning);
  if (reader.png) reader.info = png_create_info_struct(reader.png);
  if (!reader.info || !StartReading(reader, stream, header.mode)) return Failed(kWhat, stream);
  ARROW_ASSIGN_OR_RAISE(Image image, Image::Allocate(header.height, header.width, header.mode));
  if (png_get_rowbytes(reader.png, reader.info) != static_cast<size_t>(image.row_bytes()) ||
      png_get_image_height(reader.png, reader.info) != static_cast<uint32_t>(image.height)) {
    return RowError("the PNG image cannot be decoded: its header does not match its pixels");
  }
  std::vector<png_bytep> rows(image.height);
  for (int32_t y = 0; y < image.height; ++y) rows[y] = image.mutable_data() + y * image.row_bytes();
  if (!ReadPixels(reader, rows.data())) return Failed(kWhat, stream);
  return image;
}

Result<std::string> EncodePng(const Image& image) {
  PngStream stream;
  PngWriter writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, OnError, OnWarning);
  if (writer.png) writer.info = png_create_info_struct(writer.png);
  if (!writer.info || !WritePixels(writer, stream, image)) return Failed("image cannot be encoded as PNG", stream);
  return std::move(stream.output);
}

}  // namespace mainstem
