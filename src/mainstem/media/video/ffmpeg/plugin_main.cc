// The plug-in's entry point and the log of FFmpeg, which never reaches the terminal.
extern "C" {
#include <libavutil/avutil.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "mainstem/media/video/ffmpeg/decoder.h"

namespace mainstem::video {
namespace {

// FFmpeg allocates what a header claims: tables of samples that do not exist, for one. No single piece may be larger;
// a plane of the largest picture that pixel_limit allows by default still fits.
constexpr size_t kAllocationBytesMax = size_t{256} << 20;

thread_local char logged_error[256];

void KeepError(void*, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  std::vsnprintf(logged_error, sizeof(logged_error), format, arguments);
}

Decoder* OpenDecoder(ByteSource* source, const DecoderOptions& options, Outcome* outcome, std::string* error) {
  try {
    auto decoder = std::make_unique<FfmpegDecoder>(source, options);
    *outcome = decoder->Open(error);
    return *outcome == Outcome::kOk ? decoder.release() : nullptr;
  } catch (const std::exception& failure) {
    *outcome = Outcome::kOutOfMemory;
    *error = failure.what();
    return nullptr;
  }
}

}  // namespace

std::string TakeLoggedError() {
  std::string text = logged_error;
  logged_error[0] = '\0';
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

std::string Describe(const char* what, int code) {
  char reason[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, reason, sizeof(reason));
  const std::string logged = TakeLoggedError();
  return std::string(what) + ": " + reason + (logged.empty() ? "" : " (" + logged + ")");
}

}  // namespace mainstem::video

extern "C" __attribute__((visibility("default"))) const mainstem::video::DecoderPlugin* mainstem_video_decoder() {
  using mainstem::video::DecoderPlugin;
  static const DecoderPlugin plugin = [] {
    av_log_set_callback(&mainstem::video::KeepError);
    av_max_alloc(mainstem::video::kAllocationBytesMax);
    DecoderPlugin made;
    made.description = av_version_info();
    made.open = &mainstem::video::OpenDecoder;
    return made;
  }();
  return &plugin;
}
