// The sources of video bytes: a local file or a part of one, and bytes in memory.
#pragma once

#include <memory>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/bytes.h"
#include "mainstem/media/video/video_decoder.h"

namespace mainstem::video {

/// Opens a local file for reading at any place; `length` -1 means to its end. Its size is taken once, at
/// opening. Only regular files: a pipe or device could block for ever. Failures are JobErrors.
Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path, int64_t offset = 0, int64_t length = -1);

/// Reads bytes that are in memory, and keeps them alive.
std::unique_ptr<ByteSource> OpenBytes(Bytes bytes);

}  // namespace mainstem::video
