// FrameReader: the chosen pictures of one video, decoded one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/image.h"
#include "mainstem/media/video/video_decoder.h"

namespace mainstem::video {

/// Which pictures.
enum class FrameSelector {
  kAll,
  kKeyframe,  ///< key frames; nothing else is decoded
  kSample,    ///< the first picture at or after each multiple of the interval
};

/// What to read and in which form.
struct FrameOptions {
  FrameSelector selector = FrameSelector::kAll;
  int64_t sample_interval_ms = 1000;
  int64_t every_nth = 1;                 ///< of the selected pictures, the first included
  std::optional<int64_t> max_frames;
  std::optional<int64_t> start_time_ms;  ///< relative to the video's first picture
  std::optional<int64_t> end_time_ms;    ///< inclusive
  int32_t width = 0;                     ///< with height: every picture is scaled to it; 0 keeps the video's size
  int32_t height = 0;
  int64_t pixel_limit = 178956970;       ///< pixels of one picture, decoded or scaled
  int32_t threads = 1;                   ///< of the decoder
};

/// One picture of a video.
struct VideoFrame {
  Image image;               ///< RGB
  int64_t frame_index = 0;   ///< pictures of the range before this one
  int64_t pts = 0;           ///< relative to the video's first picture, in units of the stream's time base
  int64_t time_ms = 0;       ///< the same in milliseconds, rounded
  bool key_frame = false;
};

/// Reads pictures in display order, decoding no further than asked. A range that begins later seeks to the key
/// frame before it and falls back to decoding from the start where the container cannot seek exactly. Display
/// rotation stored in the container is not applied. Used by one thread at a time.
class FrameReader {
 public:
  static Result<std::unique_ptr<FrameReader>> Open(std::unique_ptr<ByteSource> source, const FrameOptions& options);

  /// Returns the next chosen picture, or nothing at the end. Damage is a RowError after the last good picture;
  /// so is a file that is shorter than its container says (mp4, mov, webm, mkv, avi).
  Result<std::optional<VideoFrame>> Next();

  const StreamInfo& info() const { return info_; }

 private:
  FrameReader(std::unique_ptr<ByteSource> source, const FrameOptions& options, const DecoderPlugin* plugin)
      : source_(std::move(source)), options_(options), plugin_(plugin) {}

  Status Reopen();
  Result<bool> NextPicture();
  Result<bool> NextInRange();
  Status GoToStart();
  Status CheckComplete();
  bool Selects();
  Result<VideoFrame> Render();
  int64_t ToMilliseconds(int64_t pts) const;

  std::unique_ptr<ByteSource> source_;
  FrameOptions options_;
  const DecoderPlugin* plugin_;
  std::unique_ptr<Decoder> decoder_;
  StreamInfo info_;

  Picture picture_;
  int64_t pts_ = 0;                       // of picture_, relative
  int64_t time_ms_ = 0;
  std::optional<int64_t> first_pts_;      // as stored
  int64_t untimed_ = 0;                   // pictures without a time stamp so far
  bool positioned_ = false;
  bool pending_ = false;                  // picture_ is in range and not used yet
  bool finished_ = false;
  int64_t frame_index_ = -1;              // of picture_
  int64_t selected_ = 0;
  int64_t emitted_ = 0;
  int64_t next_sample_ms_ = 0;
};

/// Reads what the container says of its first video stream.
Result<StreamInfo> ReadStreamInfo(ByteSource* source);

}  // namespace mainstem::video
