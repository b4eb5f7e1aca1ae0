#include "mainstem/functions/video/video_source.h"

#include <fmt/format.h>

#include "mainstem/media/video/byte_source.h"

namespace mainstem {
namespace {

Status CheckRange(const VideoSource& source) {
  const int64_t start = source.start_time_ms.value_or(0);
  if (start < 0 || source.end_time_ms.value_or(start) < start) {
    return RowError(fmt::format("the clip of '{}' from {} ms to {} ms is no range of time", Escaped(source.uri), start,
                                source.end_time_ms.value_or(start)));
  }
  return Status::OK();
}

}  // namespace

Result<VideoSource> ReadVideoSource(const Value& value) {
  VideoSource source;
  if (value.Is<Bytes>()) {
    source.uri = std::string(value.As<Bytes>().view());
  } else if (value.Is<MediaClip>()) {
    const MediaClip& clip = value.As<MediaClip>();
    source.uri = clip.uri;
    source.start_time_ms = clip.start_time_ms;
    source.end_time_ms = clip.end_time_ms;
    ARROW_RETURN_NOT_OK(CheckRange(source));
  } else if (value.Is<FileReference>()) {
    const FileReference& file = value.As<FileReference>();
    source.uri = file.uri;
    source.is_part_of_file = !NamesWholeFile(file);
    source.data = file.data;
    source.offset = file.offset;
    source.length = file.length;
  } else {
    return RowError("a video is named by a uri, a file or a video clip");
  }
  if (source.uri.empty() && !source.data) return RowError("the uri of the video is empty");
  return source;
}

Result<std::unique_ptr<video::ByteSource>> VideoSource::Open() const {
  if (data) return video::OpenBytes(*data);
  if (!IsLocalUri(uri)) {
    return RowError(fmt::format("the video '{}' is remote and has to be fetched first: make it a file column, whose "
                                "bytes can be read ahead", Escaped(uri)));
  }
  return video::OpenFile(LocalPath(uri), offset, length);
}

bool IsSkipped(const Status& status, const std::string& on_error) {
  return on_error == "skip" && ClassOf(status) == ErrorClass::kRow;
}

}  // namespace mainstem
