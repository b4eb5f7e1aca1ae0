// SoundFile: an encoded sound opened for reading, through libsndfile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/bytes.h"

namespace mainstem::audio {

/// Encoded bytes, wherever they are. Used by one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual int64_t size() const = 0;
  /// Reads at most `length` bytes at `offset` into `out`; returns how many there were, 0 at the end or on failure.
  virtual int64_t ReadAt(int64_t offset, int64_t length, void* out) = 0;
};

/// Makes a source of bytes that are in memory.
std::unique_ptr<ByteSource> SourceOf(Bytes bytes);

/// A sound opened for reading. WAV (with RF64 and RIFX), FLAC, OGG (Vorbis, Opus), AIFF and MP3 are read; anything
/// else is refused by its first bytes, before a decoder sees it. Used by one thread at a time.
class SoundFile {
 public:
  /// Opens an encoded sound and reads its header. A RowError where the bytes are not a sound that can be read.
  static Result<SoundFile> Open(Bytes encoded);
  static Result<SoundFile> Open(std::unique_ptr<ByteSource> source);

  SoundFile(SoundFile&&) noexcept;
  SoundFile& operator=(SoundFile&&) noexcept;
  ~SoundFile();

  /// Frames that the header (or the last page of an OGG) promises; -1 where it does not say.
  int64_t frames() const;
  int32_t channels() const;     ///< at least 1
  int32_t sample_rate() const;  ///< Hz, at least 1
  /// "WAV", "FLAC", "OGG", "AIFF" or "MP3".
  std::string format() const;
  /// How samples are stored: libsndfile's name of the subtype, "PCM_16", "VORBIS", …
  std::string codec() const;
  int64_t size_bytes() const;  ///< encoded

  /// Moves to a frame. A RowError where the decoder cannot.
  Status Seek(int64_t frame);
  /// Decodes at most `frames` frames into `out` (interleaved, full scale = 1). Fewer only at the end of the sound; a
  /// RowError where the decoder reports broken data.
  Result<int64_t> Read(float* out, int64_t frames);

 private:
  struct State;
  explicit SoundFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mainstem::audio
