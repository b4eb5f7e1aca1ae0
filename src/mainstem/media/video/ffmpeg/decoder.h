// FfmpegDecoder: pictures of one video stream, one at a time.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

#include "mainstem/media/video/ffmpeg/input.h"

namespace mainstem::video {

struct FreeCodec {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

class FfmpegDecoder : public Decoder {
 public:
  FfmpegDecoder(ByteSource* source, const DecoderOptions& options) : input_(source), options_(options) {}
  Outcome Open(std::string* error);

  const StreamInfo& info() const override { return info_; }
  void CountFrom(int64_t pts) override;
  Outcome Seek(int64_t pts, std::string* error) override;
  Outcome Next(Picture* picture, std::string* error) override;
  Outcome Convert(int32_t width, int32_t height, uint8_t* rgb, std::string* error) override;

 private:
  Outcome Receive(Picture* picture, std::string* error);
  Outcome Feed(std::string* error);
  Outcome StartDraining(Outcome after, std::string reason, std::string* error);
  Outcome PrepareScaler(int32_t width, int32_t height, std::string* error);

  Input input_;
  DecoderOptions options_;
  StreamInfo info_;
  std::unique_ptr<AVCodecContext, FreeCodec> codec_;
  std::unique_ptr<AVPacket, FreePacket> packet_;
  std::unique_ptr<AVFrame, FreeFrame> frame_;
  std::unique_ptr<AVFrame, FreeFrame> scaled_;  // rows padded as the scaler wants them
  std::unique_ptr<SwsContext, FreeScaler> scaler_;

  int64_t count_from_ = kNoTime;
  int64_t packets_counted_ = 0;   // with a time stamp from count_from_ on
  int64_t packet_position_ = 0;   // packets counted before the key frame being decoded
  int64_t pictures_counted_ = 0;
  bool seen_picture_ = false;
  bool draining_ = false;
  bool more_after_drain_ = false;  // only the key frame was flushed out
  Outcome end_ = Outcome::kEnd;    // what follows the last picture
  std::string end_reason_;
};

}  // namespace mainstem::video
