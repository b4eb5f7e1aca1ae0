#include <fmt/format.h>

#include <vector>

#include "mainstem/media/image/jpeg.h"
#include "mainstem/media/image/jpeg_error.h"

namespace mainstem {
namespace {

// Writes one picture into memory. Nothing throws between the jump's set-up and libjpeg's calls but `output_`'s growth,
// which is caught in the callback.
class JpegWriter {
 public:
  JpegWriter() {
    info_.err = error_.Attach();
    if (setjmp(error_.jump)) return;
    jpeg_create_compress(&info_);
    created_ = true;
    info_.client_data = this;
    destination_.init_destination = [](j_compress_ptr) {};
    destination_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
      auto* self = static_cast<JpegWriter*>(info->client_data);
      if (!self->Grow()) std::longjmp(self->error_.jump, 1);
      return TRUE;
    };
    destination_.term_destination = [](j_compress_ptr) {};
    info_.dest = &destination_;
  }
  ~JpegWriter() {
    if (created_) jpeg_destroy_compress(&info_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  bool Write(const Image& image, int quality) {
    constexpr JDIMENSION kRowsAtOnce = 16;
    if (!created_ || !Grow() || setjmp(error_.jump)) return false;
    const bool grey = image.mode == ImageMode::kL;
    info_.image_width = image.width;
    info_.image_height = image.height;
    info_.input_components = grey ? 1 : 3;
    info_.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      JSAMPROW rows[kRowsAtOnce];
      const JDIMENSION first = info_.next_scanline;
      const JDIMENSION count = std::min(kRowsAtOnce, info_.image_height - first);
      for (JDIMENSION i = 0; i < count; ++i) rows[i] = const_cast<JSAMPROW>(image.row(first + i));
      jpeg_write_scanlines(&info_, rows, count);
    }
    jpeg_finish_compress(&info_);
    output_.resize(output_.size() - destination_.free_in_buffer);
    return true;
  }

  const std::string& output() const { return output_; }
  Status Error() const {
    return RowError(fmt::format("the image cannot be encoded as JPEG: {}",
                                error_.message[0] ? error_.message : "there is not enough memory"));
  }

 private:
  // Doubles the output; libjpeg has filled all of it.
  bool Grow() {
    constexpr size_t kFirst = 32 * 1024;
    const size_t filled = output_.size();
    try {
      output_.resize(filled == 0 ? kFirst : filled * 2);
    } catch (const std::bad_alloc&) {
      return false;
    }
    destination_.next_output_byte = reinterpret_cast<JOCTET*>(output_.data()) + filled;
    destination_.free_in_buffer = output_.size() - filled;
    return true;
  }

  JpegError error_;
  jpeg_compress_struct info_{};
  jpeg_destination_mgr destination_{};
  bool created_ = false;
  std::string output_;
};

}  // namespace

Result<std::string> EncodeJpeg(const Image& image, int quality) {
  if (image.width > JPEG_MAX_DIMENSION || image.height > JPEG_MAX_DIMENSION) {
    return RowError(fmt::format("an image of {} × {} pixels is too large for JPEG, which allows {} a side",
                                image.width, image.height, JPEG_MAX_DIMENSION));
  }
  JpegWriter writer;
  if (!writer.Write(image, quality)) return writer.Error();
  return std::string(writer.output());
}

}  // namespace mainstem
