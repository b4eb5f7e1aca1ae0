// The door to the video decoder plug-in: abstract interfaces of plain types, nothing of Arrow or FFmpeg.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace mainstem::video {

/// The plug-in is refused unless it was built for this version. Raise it with every change of this file.
inline constexpr int32_t kDecoderInterfaceVersion = 1;
/// The one symbol that the plug-in exports: `extern "C" const DecoderPlugin* mainstem_video_decoder()`.
inline constexpr char kDecoderEntryPoint[] = "mainstem_video_decoder";
/// File name of the plug-in.
inline constexpr char kDecoderFileName[] = "libmainstem_ffmpeg.so";

inline constexpr int64_t kUnknown = -1;
inline constexpr int64_t kNoTime = std::numeric_limits<int64_t>::min();

/// Bytes that can be read at any place. Used by one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual int64_t size() const = 0;
  /// Reads up to `length` bytes at `offset`; returns how many (0 at the end), or -1 when reading failed.
  virtual int64_t ReadAt(int64_t offset, int64_t length, void* out) = 0;
};

/// How a step went.
enum class Outcome : int32_t {
  kOk,
  kEnd,           ///< no more pictures
  kBadData,       ///< the bytes are at fault
  kSourceFailed,  ///< ByteSource::ReadAt failed
  kOutOfMemory,
};

/// What the container says of its first video stream.
struct StreamInfo {
  int32_t width = 0;
  int32_t height = 0;
  double frames_per_second = 0;          ///< 0 where unknown
  int64_t duration_ms = kUnknown;
  int64_t frame_count = kUnknown;
  int32_t time_base_numerator = 1;       ///< unit of the time stamps, seconds
  int32_t time_base_denominator = 1;
  int32_t stream_index = 0;
  std::string codec_name;
};

/// One decoded picture, still in the decoder's own memory and pixel format.
struct Picture {
  int64_t pts = kNoTime;         ///< as stored, in units of the time base
  int64_t pictures_before = 0;   ///< pictures between the counting start (see CountFrom) and this one
  bool key_frame = false;
  int32_t width = 0;
  int32_t height = 0;
};

struct DecoderOptions {
  int32_t threads = 1;
  bool keyframes_only = false;      ///< other packets are read and counted, never decoded
  int64_t pixel_limit = 178956970;  ///< pixels of one picture
};

/// Decodes the first video stream of one source. Used by one thread at a time. Every step that fails writes
/// its reason, which may quote outside bytes, to `error`.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual const StreamInfo& info() const = 0;
  /// Pictures with a time stamp before `pts` are not counted in `pictures_before`.
  virtual void CountFrom(int64_t pts) = 0;
  /// Moves to a key frame at or before `pts`. After a failure the position is unknown.
  virtual Outcome Seek(int64_t pts, std::string* error) = 0;
  /// Decodes the next picture in display order. Damage ends the stream, after the pictures before it.
  virtual Outcome Next(Picture* picture, std::string* error) = 0;
  /// Writes the last picture as RGB, 8 bits a sample, height × width × 3 without padding, scaled (bilinear,
  /// with a wider kernel when shrinking) where the size differs.
  virtual Outcome Convert(int32_t width, int32_t height, uint8_t* rgb, std::string* error) = 0;
};

/// What the plug-in offers.
struct DecoderPlugin {
  int32_t version = kDecoderInterfaceVersion;  ///< first member for ever
  const char* description = "";                ///< the library and its version
  /// Opens a source, which must outlive the decoder. Returns null after a failure.
  Decoder* (*open)(ByteSource* source, const DecoderOptions& options, Outcome* outcome, std::string* error) = nullptr;
};

using DecoderEntryPoint = const DecoderPlugin* (*)();

}  // namespace mainstem::video
