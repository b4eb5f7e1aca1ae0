// The loader of the video decoder plug-in, which is never linked: FFmpeg's licence depends on its build.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/media/video/video_decoder.h"

namespace mainstem::video {

/// Returns the decoder, loaded at first use and kept for the life of the process. Looks, in this order, in the
/// files or folders of the environment variable MAINSTEM_PLUGIN_PATH (separated by ':'), the folder of this
/// library or program, its `plugins`, and `../plugins`. A JobError where there is none. Thread-safe.
Result<const DecoderPlugin*> LoadDecoder();

/// The places where LoadDecoder looks, as files.
std::vector<std::string> DecoderPlaces();

/// Loads the first of `files` that exists and is a plug-in of this version.
Result<const DecoderPlugin*> LoadDecoderFrom(std::span<const std::string> files);

}  // namespace mainstem::video
