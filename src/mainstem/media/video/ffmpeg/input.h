// Input: FFmpeg's demuxer over a ByteSource, confined to self-contained formats.
#pragma once

extern "C" {
#include <libavformat/avformat.h>
}

#include <memory>
#include <string>

#include "mainstem/media/video/video_decoder.h"

namespace mainstem::video {

struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct CloseFormat {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};
struct FreeAvio {
  void operator()(AVIOContext* avio) const {
    if (avio != nullptr) av_freep(&avio->buffer);
    avio_context_free(&avio);
  }
};

/// The last error that FFmpeg logged on this thread since the last call, then forgotten; empty where none.
std::string TakeLoggedError();

/// "reason: what FFmpeg logged" for an error code.
std::string Describe(const char* what, int code);

/// A demuxed source and its first video stream. FFmpeg never opens anything by itself: every byte comes from
/// the source, and formats that name other files (playlists, scripts, image patterns) are refused.
class Input {
 public:
  /// `source` must outlive the input.
  explicit Input(ByteSource* source) : source_(source) {}
  Outcome Open(std::string* error);

  /// Reads the next packet of the video stream. kBadData also where the packet itself is marked as damaged.
  Outcome ReadPacket(AVPacket* packet, std::string* error);
  Outcome Seek(int64_t pts, std::string* error);

  AVStream* stream() const { return format_->streams[stream_index_]; }
  StreamInfo Info() const;

 private:
  static int ReadBytes(void* self, uint8_t* out, int length);
  static int64_t SeekBytes(void* self, int64_t offset, int whence);
  Outcome OpenDemuxer(std::string* error);
  Outcome ChooseStream(std::string* error);
  void ChooseFirstVideo();
  bool HeaderSaysAll() const;
  Outcome Failed(const char* what, int code, std::string* error) const;

  ByteSource* source_;
  int64_t position_ = 0;
  int64_t bytes_read_ = 0;
  int64_t packets_read_ = 0;
  bool source_failed_ = false;
  bool budget_spent_ = false;
  int stream_index_ = -1;
  // The demuxer uses the byte context until it is closed: keep this order.
  std::unique_ptr<AVIOContext, FreeAvio> avio_;
  std::unique_ptr<AVFormatContext, CloseFormat> format_;
};

/// Codecs that may be used, for avcodec's own check.
extern const char kVideoCodecs[];

}  // namespace mainstem::video
