// Where a container says that it ends: the only sign of a truncated file that decoders do not give.
#pragma once

#include <cstdint>
#include <optional>

#include "mainstem/media/video/video_decoder.h"

namespace mainstem::video {

/// Returns the size in bytes that the outermost boxes of ISO media (mp4, mov), Matroska (webm, mkv) or RIFF
/// (avi) claim for the file; nothing for other containers and for boxes of unknown size. May be less than the
/// file's size, which is no error. Formats: ISO/IEC 14496-12 §4.2, RFC 8794 §4–6, Microsoft RIFF.
std::optional<int64_t> ClaimedSize(ByteSource* source);

}  // namespace mainstem::video
