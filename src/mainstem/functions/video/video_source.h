// VideoSource: what the argument of a video function names: bytes and, for a clip, a range of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/value.h"
#include "mainstem/media/video/video_decoder.h"

namespace mainstem {

struct VideoSource {
  std::string uri;
  std::optional<int64_t> start_time_ms;
  std::optional<int64_t> end_time_ms;   ///< inclusive
  bool is_part_of_file = false;         ///< a file reference that leaves something of the file out
  std::optional<Bytes> data;            ///< the bytes where they have been fetched
  int64_t offset = 0;
  int64_t length = -1;

  /// Opens the bytes: those at hand, or the local file. A RowError where they have to be fetched first.
  Result<std::unique_ptr<video::ByteSource>> Open() const;
};

/// Reads a uri, a file or a video clip (TypePattern::kVideoSource). A range that is negative or ends before it
/// begins is a RowError.
Result<VideoSource> ReadVideoSource(const Value& value);

/// Says that `on_error` is "skip" and the failure is one of the row's data.
bool IsSkipped(const Status& status, const std::string& on_error);

}  // namespace mainstem
