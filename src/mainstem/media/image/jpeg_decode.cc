#include <fmt/format.h>

#include <cstring>

#include "mainstem/media/image/exif.h"
#include "mainstem/media/image/jpeg.h"
#include "mainstem/media/image/jpeg_error.h"

namespace mainstem {
namespace {

// Reads one picture from memory. Methods that call libjpeg return false after an error exit.
class JpegReader {
 public:
  explicit JpegReader(std::span<const uint8_t> bytes) {
    info_.err = error_.Attach();
    if (setjmp(error_.jump)) return;
    jpeg_create_decompress(&info_);
    created_ = true;
    info_.client_data = this;
    source_.next_input_byte = bytes.data();
    source_.bytes_in_buffer = bytes.size();
    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr info) -> boolean { return EndOfInput(info); };
    source_.skip_input_data = Skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    info_.src = &source_;
    progress_.progress_monitor = [](j_common_ptr info) {
      auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
      if (decompress->input_scan_number > kMaxJpegScans) Fail(decompress, "it has too many progressive scans");
    };
    info_.progress = &progress_;
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
  }
  ~JpegReader() {
    // Releases memory only; it cannot exit with an error.
    if (created_) jpeg_destroy_decompress(&info_);
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool ReadHeader() {
    if (!created_ || setjmp(error_.jump)) return false;
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  // The size of the output is known afterwards. Reads all scans of a progressive file.
  bool Start(const ScaledDecode& scaled) {
    if (setjmp(error_.jump)) return false;
    info_.out_color_space = OutputSpace();
    ChooseScale(scaled);
    return jpeg_start_decompress(&info_);
  }

  bool ReadRows(uint8_t* pixels, size_t row_bytes) {
    constexpr JDIMENSION kRowsAtOnce = 16;
    if (setjmp(error_.jump)) return false;
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW rows[kRowsAtOnce];
      const JDIMENSION first = info_.output_scanline;
      const JDIMENSION count = std::min(kRowsAtOnce, info_.output_height - first);
      for (JDIMENSION i = 0; i < count; ++i) rows[i] = pixels + (first + i) * row_bytes;
      jpeg_read_scanlines(&info_, rows, count);
    }
    return true;
  }

  int32_t Orientation() const {
    for (jpeg_saved_marker_ptr marker = info_.marker_list; marker; marker = marker->next) {
      const std::span<const uint8_t> block(marker->data, marker->data_length);
      if (block.size() >= 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) return ExifOrientation(block);
    }
    return 1;
  }

  bool IsCmyk() const { return info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK; }
  bool IsGrey() const { return info_.jpeg_color_space == JCS_GRAYSCALE; }
  const jpeg_decompress_struct& info() const { return info_; }

  Status Error() const {
    return RowError(fmt::format("the JPEG image cannot be decoded: {}", Escaped(error_.message)));
  }

 private:
  [[noreturn]] static void Fail(j_decompress_ptr info, const char* message) {
    auto* self = static_cast<JpegReader*>(info->client_data);
    std::snprintf(self->error_.message, sizeof(self->error_.message), "%s", message);
    std::longjmp(self->error_.jump, 1);
  }
  [[noreturn]] static boolean EndOfInput(j_decompress_ptr info) { Fail(info, "its data ends early (truncated)"); }
  static void Skip(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if (static_cast<size_t>(count) > info->src->bytes_in_buffer) EndOfInput(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= count;
  }

  J_COLOR_SPACE OutputSpace() const { return IsCmyk() ? JCS_CMYK : IsGrey() ? JCS_GRAYSCALE : JCS_RGB; }

  void ChooseScale(const ScaledDecode& scaled) {
    info_.scale_num = 8;
    info_.scale_denom = 8;
    if (scaled.minimum_height <= 0 || scaled.minimum_width <= 0) return;
    const auto leaves = [](uint64_t side, uint64_t eighths, int32_t minimum) {
      return (side * eighths + 7) / 8 >= static_cast<uint64_t>(minimum);
    };
    // The factors between are slower than decoding all pixels: only these have vector code in the library.
    for (const unsigned eighths : {1u, 2u, 4u}) {
      if (leaves(info_.image_height, eighths, scaled.minimum_height) &&
          leaves(info_.image_width, eighths, scaled.minimum_width)) {
        info_.scale_num = eighths;
        return;
      }
    }
  }

  JpegError error_;
  jpeg_decompress_struct info_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  bool created_ = false;
};

// Adobe's files store CMYK inverted; the formula is Pillow's: out = k - c·k / 255 on the true values.
void CmykToRgb(const uint8_t* cmyk, uint8_t* rgb, int64_t pixels) {
  const auto multiply = [](unsigned a, unsigned b) {
    const unsigned product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  };
  for (int64_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const unsigned key = cmyk[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(key - multiply(255u - cmyk[c], key));
  }
}

}  // namespace

Result<ImageHeader> ReadJpegHeader(std::span<const uint8_t> bytes) {
  JpegReader reader(bytes);
  if (!reader.ReadHeader()) return reader.Error();
  return ImageHeader{.format = ImageFormat::kJpeg,
                     .width = static_cast<int32_t>(reader.info().image_width),
                     .height = static_cast<int32_t>(reader.info().image_height),
                     .channels = reader.IsCmyk() ? 4 : reader.IsGrey() ? 1 : 3,
                     .stored_mode = reader.IsCmyk() ? "CMYK" : reader.IsGrey() ? "L" : "RGB",
                     .mode = reader.IsGrey() ? ImageMode::kL : ImageMode::kRGB,
                     .orientation = reader.Orientation()};
}

Result<Image> DecodeJpeg(std::span<const uint8_t> bytes, const ScaledDecode& scaled) {
  JpegReader reader(bytes);
  if (!reader.ReadHeader() || !reader.Start(scaled)) return reader.Error();
  const auto height = static_cast<int32_t>(reader.info().output_height);
  const auto width = static_cast<int32_t>(reader.info().output_width);
  ARROW_ASSIGN_OR_RAISE(Image image,
                        Image::Allocate(height, width, reader.IsGrey() ? ImageMode::kL : ImageMode::kRGB));
  if (!reader.IsCmyk()) {
    if (!reader.ReadRows(image.mutable_data(), image.row_bytes())) return reader.Error();
    return image;
  }
  ARROW_ASSIGN_OR_RAISE(const auto cmyk, arrow::AllocateBuffer(int64_t{4} * width * height));
  if (!reader.ReadRows(cmyk->mutable_data(), size_t{4} * width)) return reader.Error();
  CmykToRgb(cmyk->data(), image.mutable_data(), int64_t{width} * height);
  return image;
}

}  // namespace mainstem
