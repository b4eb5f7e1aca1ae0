#include "mainstem/media/video/ffmpeg/decoder.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cstring>

namespace mainstem::video {
namespace {

// Swscale's vector code may write whole registers at the end of a row.
constexpr int kRowAlignment = 64;
// Packets at the start of a stream that was cut out of a longer one may be undecodable; so many are passed over.
constexpr int kUndecodableStartPackets = 1000;

Outcome OutOfMemory(std::string* error) {
  *error = "out of memory";
  return Outcome::kOutOfMemory;
}

bool Damaged(const AVFrame& frame) {
  return (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
}

}  // namespace

Outcome FfmpegDecoder::Open(std::string* error) {
  if (const Outcome outcome = input_.Open(error); outcome != Outcome::kOk) return outcome;
  info_ = input_.Info();
  const AVCodecParameters* parameters = input_.stream()->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  if (codec == nullptr) {
    *error = "there is no decoder for '" + info_.codec_name + "'";
    return Outcome::kBadData;
  }
  codec_.reset(avcodec_alloc_context3(codec));
  packet_.reset(av_packet_alloc());
  frame_.reset(av_frame_alloc());
  scaled_.reset(av_frame_alloc());
  if (!codec_ || !packet_ || !frame_ || !scaled_) return OutOfMemory(error);
  int code = avcodec_parameters_to_context(codec_.get(), parameters);
  if (code >= 0) {
    codec_->pkt_timebase = input_.stream()->time_base;
    codec_->thread_count = std::max(1, options_.threads);
    codec_->max_pixels = options_.pixel_limit;
    codec_->codec_whitelist = av_strdup(kVideoCodecs);
    code = avcodec_open2(codec_.get(), codec, nullptr);
  }
  if (code < 0) {
    const std::string what = "cannot decode '" + info_.codec_name + "'";
    *error = Describe(what.c_str(), code);
    return code == AVERROR(ENOMEM) ? Outcome::kOutOfMemory : Outcome::kBadData;
  }
  return Outcome::kOk;
}

void FfmpegDecoder::CountFrom(int64_t pts) {
  count_from_ = pts;
  packets_counted_ = 0;
  pictures_counted_ = 0;
}

Outcome FfmpegDecoder::Seek(int64_t pts, std::string* error) {
  if (const Outcome outcome = input_.Seek(pts, error); outcome != Outcome::kOk) return outcome;
  avcodec_flush_buffers(codec_.get());
  CountFrom(count_from_);
  draining_ = false;
  more_after_drain_ = false;
  seen_picture_ = false;
  end_ = Outcome::kEnd;
  end_reason_.clear();
  return Outcome::kOk;
}

Outcome FfmpegDecoder::StartDraining(Outcome after, std::string reason, std::string* error) {
  end_ = after;
  end_reason_ = std::move(reason);
  draining_ = true;
  more_after_drain_ = false;
  avcodec_send_packet(codec_.get(), nullptr);
  return Outcome::kOk;
}

// Gives the decoder one more packet, or lets it run empty at the end of the stream or at damage.
Outcome FfmpegDecoder::Feed(std::string* error) {
  for (int undecodable = 0;;) {
    std::string reason;
    const Outcome outcome = input_.ReadPacket(packet_.get(), &reason);
    if (outcome != Outcome::kOk) {
      if (outcome == Outcome::kBadData && !seen_picture_ && ++undecodable <= kUndecodableStartPackets) continue;
      return StartDraining(outcome, std::move(reason), error);
    }
    const int64_t pts = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
    const int64_t position = packets_counted_;
    if (count_from_ == kNoTime || pts == AV_NOPTS_VALUE || pts >= count_from_) ++packets_counted_;
    const bool key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (options_.keyframes_only && !key) {
      av_packet_unref(packet_.get());
      continue;
    }
    const int code = avcodec_send_packet(codec_.get(), packet_.get());
    av_packet_unref(packet_.get());
    if (code == AVERROR(ENOMEM)) return OutOfMemory(error);
    if (code < 0) {
      if (!seen_picture_ && ++undecodable <= kUndecodableStartPackets) continue;
      return StartDraining(Outcome::kBadData, Describe("a picture cannot be decoded", code), error);
    }
    if (options_.keyframes_only) {
      // Flushed out at once: what follows it is not decoded, so the decoder must not wait for it.
      packet_position_ = position;
      StartDraining(Outcome::kEnd, {}, error);
      more_after_drain_ = true;
    }
    return Outcome::kOk;
  }
}

Outcome FfmpegDecoder::Receive(Picture* picture, std::string* error) {
  AVFrame* frame = frame_.get();
  const int64_t pts = frame->best_effort_timestamp;
  picture->pts = pts == AV_NOPTS_VALUE ? kNoTime : pts;
  picture->key_frame = frame->key_frame != 0;
  picture->width = frame->width;
  picture->height = frame->height;
  picture->pictures_before = options_.keyframes_only ? packet_position_ : pictures_counted_;
  if (count_from_ == kNoTime || pts == AV_NOPTS_VALUE || pts >= count_from_) ++pictures_counted_;
  seen_picture_ = true;
  return Outcome::kOk;
}

Outcome FfmpegDecoder::Next(Picture* picture, std::string* error) {
  for (int failures = 0;;) {
    const int code = avcodec_receive_frame(codec_.get(), frame_.get());
    if (code == AVERROR(ENOMEM)) return OutOfMemory(error);
    if (code == 0 && !Damaged(*frame_)) return Receive(picture, error);
    if (code == AVERROR(EAGAIN)) {
      if (const Outcome outcome = Feed(error); outcome != Outcome::kOk) return outcome;
      continue;
    }
    if (code == AVERROR_EOF) {
      if (draining_ && more_after_drain_) {
        avcodec_flush_buffers(codec_.get());
        draining_ = more_after_drain_ = false;
        continue;
      }
      *error = end_reason_;
      return end_;
    }
    // A damaged picture, or none where one should be.
    if (!seen_picture_ && ++failures <= kUndecodableStartPackets) continue;
    *error = code == 0 ? "a picture is damaged" : Describe("a picture cannot be decoded", code);
    return Outcome::kBadData;
  }
}

Outcome FfmpegDecoder::PrepareScaler(int32_t width, int32_t height, std::string* error) {
  const AVFrame& frame = *frame_;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  if (sws_isSupportedInput(format) == 0) {
    const char* name = av_get_pix_fmt_name(format);
    *error = std::string("pixels of the format '") + (name == nullptr ? "?" : name) + "' cannot be converted";
    return Outcome::kBadData;
  }
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format, width, height,
                                     AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr, nullptr, nullptr));
  if (!scaler_) {
    *error = Describe("the picture cannot be converted", AVERROR(EINVAL));
    return Outcome::kBadData;
  }
  // The matrix that the video names; swscale's default (BT.601) where it names none.
  const int* matrix =
      sws_getCoefficients(frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : frame.colorspace);
  const int full_range = frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0;
  sws_setColorspaceDetails(scaler_.get(), matrix, full_range, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16,
                           1 << 16);
  return Outcome::kOk;
}

Outcome FfmpegDecoder::Convert(int32_t width, int32_t height, uint8_t* rgb, std::string* error) {
  if (frame_->width <= 0 || frame_->buf[0] == nullptr) {
    *error = "there is no picture to convert";
    return Outcome::kBadData;
  }
  if (const Outcome outcome = PrepareScaler(width, height, error); outcome != Outcome::kOk) return outcome;
  const int row_bytes = width * 3;
  const bool direct = row_bytes % kRowAlignment == 0 && reinterpret_cast<uintptr_t>(rgb) % kRowAlignment == 0;
  uint8_t* planes[4] = {rgb, nullptr, nullptr, nullptr};
  int strides[4] = {row_bytes, 0, 0, 0};
  if (!direct) {
    AVFrame* scaled = scaled_.get();
    if (scaled->width != width || scaled->height != height) {
      av_frame_unref(scaled);
      scaled->format = AV_PIX_FMT_RGB24;
      scaled->width = width;
      scaled->height = height;
      if (av_frame_get_buffer(scaled, 0) < 0) {
        av_frame_unref(scaled);
        return OutOfMemory(error);
      }
    }
    planes[0] = scaled->data[0];
    strides[0] = scaled->linesize[0];
  }
  const int rows = sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, planes, strides);
  if (rows != height) {
    *error = Describe("the picture cannot be converted", rows < 0 ? rows : AVERROR_INVALIDDATA);
    return Outcome::kBadData;
  }
  if (!direct) {
    for (int32_t y = 0; y < height; ++y) {
      std::memcpy(rgb + int64_t{y} * row_bytes, planes[0] + int64_t{y} * strides[0], static_cast<size_t>(row_bytes));
    }
  }
  return Outcome::kOk;
}

}  // namespace mainstem::video
