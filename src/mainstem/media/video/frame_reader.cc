#include "mainstem/media/video/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "mainstem/media/video/container_size.h"
#include "mainstem/media/video/plugin.h"

namespace mainstem::video {
namespace {

constexpr __int128 kMillisecondsPerSecond = 1000;

int64_t Saturate(__int128 value) {
  constexpr __int128 highest = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp(value, -highest, highest));
}

// Rounds to the nearest, halves away from zero.
int64_t Divide(__int128 numerator, __int128 denominator) {
  const __int128 half = denominator / 2;
  return Saturate((numerator >= 0 ? numerator + half : numerator - half) / denominator);
}

Status ErrorFrom(Outcome outcome, const std::string& reason) {
  const std::string text = Escaped(reason);
  switch (outcome) {
    case Outcome::kSourceFailed: return JobError(fmt::format("reading the video failed: {}", text));
    case Outcome::kOutOfMemory: return RowError(fmt::format("the video needs too much memory: {}", text));
    default: return RowError(fmt::format("broken video: {}", text));
  }
}

Result<std::unique_ptr<Decoder>> OpenDecoder(const DecoderPlugin* plugin, ByteSource* source,
                                             const DecoderOptions& options) {
  if (source->size() == 0) return RowError("broken video: it is empty");
  Outcome outcome = Outcome::kBadData;
  std::string reason;
  std::unique_ptr<Decoder> decoder(plugin->open(source, options, &outcome, &reason));
  if (!decoder) return ErrorFrom(outcome, reason);
  return decoder;
}

}  // namespace

Result<StreamInfo> ReadStreamInfo(ByteSource* source) {
  ARROW_ASSIGN_OR_RAISE(const DecoderPlugin* plugin, LoadDecoder());
  ARROW_ASSIGN_OR_RAISE(const auto decoder, OpenDecoder(plugin, source, {}));
  return decoder->info();
}

Result<std::unique_ptr<FrameReader>> FrameReader::Open(std::unique_ptr<ByteSource> source,
                                                       const FrameOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const DecoderPlugin* plugin, LoadDecoder());
  std::unique_ptr<FrameReader> reader(new FrameReader(std::move(source), options, plugin));
  ARROW_RETURN_NOT_OK(reader->Reopen());
  return reader;
}

Status FrameReader::Reopen() {
  decoder_.reset();
  ARROW_ASSIGN_OR_RAISE(decoder_, OpenDecoder(plugin_, source_.get(),
                                              {.threads = options_.threads,
                                               .keyframes_only = options_.selector == FrameSelector::kKeyframe,
                                               .pixel_limit = options_.pixel_limit}));
  info_ = decoder_->info();
  untimed_ = 0;
  return Status::OK();
}

int64_t FrameReader::ToMilliseconds(int64_t pts) const {
  return Divide(__int128{pts} * info_.time_base_numerator * kMillisecondsPerSecond, info_.time_base_denominator);
}

// Decodes one picture and sets its times; false at the end.
Result<bool> FrameReader::NextPicture() {
  std::string reason;
  const Outcome outcome = decoder_->Next(&picture_, &reason);
  if (outcome == Outcome::kEnd) {
    ARROW_RETURN_NOT_OK(CheckComplete());
    return false;
  }
  if (outcome != Outcome::kOk) return ErrorFrom(outcome, reason);
  if (picture_.pts == kNoTime) {
    // A bare stream has no time stamps: count, by the frame rate that its header names.
    const double rate = info_.frames_per_second > 0 ? info_.frames_per_second : 25.0;
    const double unit = double{1} * info_.time_base_numerator / info_.time_base_denominator;
    pts_ = static_cast<int64_t>(static_cast<double>(untimed_++) / rate / unit + 0.5);
  } else {
    if (!first_pts_) first_pts_ = picture_.pts;
    pts_ = Saturate(__int128{picture_.pts} - *first_pts_);
  }
  time_ms_ = ToMilliseconds(pts_);
  return true;
}

// The decoder cannot tell a file that was cut off from one that ends; the container can.
Status FrameReader::CheckComplete() {
  const std::optional<int64_t> claimed = ClaimedSize(source_.get());
  if (claimed && *claimed > source_->size()) {
    return RowError(fmt::format("broken video: the file is cut off, it has {} of {} bytes", source_->size(), *claimed));
  }
  return Status::OK();
}

// Learns the time of the first picture, then goes near the range's start.
Status FrameReader::GoToStart() {
  positioned_ = true;
  next_sample_ms_ = options_.start_time_ms.value_or(0);
  ARROW_ASSIGN_OR_RAISE(bool more, NextPicture());
  pending_ = more;
  if (!more || !options_.start_time_ms || *options_.start_time_ms <= time_ms_) return Status::OK();
  int64_t target = kNoTime;
  if (first_pts_) {
    const __int128 offset = __int128{*options_.start_time_ms} * info_.time_base_denominator /
                            (kMillisecondsPerSecond * info_.time_base_numerator);
    target = Saturate(__int128{*first_pts_} + offset);
    std::string reason;
    decoder_->CountFrom(target);
    if (decoder_->Seek(target, &reason) == Outcome::kOk) {
      const Result<bool> landed = NextPicture();
      if (landed.ok() && *landed && time_ms_ <= *options_.start_time_ms) return Status::OK();
    }
  }
  // The container cannot seek to a place before the range: decode from the start.
  ARROW_RETURN_NOT_OK(Reopen());
  decoder_->CountFrom(target);
  ARROW_ASSIGN_OR_RAISE(pending_, NextPicture());
  return Status::OK();
}

// The next picture of the range; false at its end.
Result<bool> FrameReader::NextInRange() {
  if (!positioned_) {
    ARROW_RETURN_NOT_OK(GoToStart());
    if (!pending_) return false;
  }
  for (;;) {
    if (!pending_) {
      ARROW_ASSIGN_OR_RAISE(const bool more, NextPicture());
      if (!more) return false;
    }
    pending_ = false;
    if (options_.end_time_ms && time_ms_ > *options_.end_time_ms) return false;
    if (options_.start_time_ms && time_ms_ < *options_.start_time_ms) continue;
    frame_index_ = options_.selector == FrameSelector::kKeyframe ? picture_.pictures_before : frame_index_ + 1;
    return true;
  }
}

bool FrameReader::Selects() {
  if (options_.selector == FrameSelector::kSample) {
    if (time_ms_ < next_sample_ms_) return false;
    // One picture serves every multiple that lies before it.
    const __int128 past = __int128{time_ms_} - next_sample_ms_;
    const __int128 interval = options_.sample_interval_ms;
    next_sample_ms_ = Saturate(next_sample_ms_ + (past / interval + 1) * interval);
  }
  return selected_++ % options_.every_nth == 0;
}

Result<VideoFrame> FrameReader::Render() {
  const int32_t width = options_.width > 0 ? options_.width : picture_.width;
  const int32_t height = options_.height > 0 ? options_.height : picture_.height;
  if (width <= 0 || height <= 0 || int64_t{width} * height > options_.pixel_limit) {
    return RowError(fmt::format("a picture of {} × {} pixels passes the limit of {} (pixel_limit)", width, height,
                                options_.pixel_limit));
  }
  VideoFrame frame;
  ARROW_ASSIGN_OR_RAISE(frame.image, Image::Allocate(height, width, ImageMode::kRGB));
  std::string reason;
  const Outcome outcome = decoder_->Convert(width, height, frame.image.mutable_data(), &reason);
  if (outcome != Outcome::kOk) return ErrorFrom(outcome, reason);
  frame.frame_index = frame_index_;
  frame.pts = pts_;
  frame.time_ms = time_ms_;
  frame.key_frame = picture_.key_frame || options_.selector == FrameSelector::kKeyframe;
  return frame;
}

Result<std::optional<VideoFrame>> FrameReader::Next() {
  while (!finished_) {
    if (options_.max_frames && emitted_ >= *options_.max_frames) break;
    auto more = NextInRange();
    if (!more.ok()) finished_ = true;
    ARROW_RETURN_NOT_OK(more.status());
    if (!*more) break;
    if (!Selects()) continue;
    auto frame = Render();
    if (!frame.ok()) finished_ = true;
    ARROW_RETURN_NOT_OK(frame.status());
    ++emitted_;
    return std::optional<VideoFrame>(std::move(*frame));
  }
  finished_ = true;
  decoder_.reset();
  return std::optional<VideoFrame>();
}

}  // namespace mainstem::video
