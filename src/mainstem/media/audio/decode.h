// Decoding sound into float32 samples, whole or a time range, under a limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/waveform.h"
#include "mainstem/media/audio/sound_file.h"

namespace mainstem::audio {

/// What decoded sound may take where nobody says otherwise.
inline constexpr int64_t kMaxDecodedBytes = int64_t{1} << 30;

/// A part of a sound in milliseconds: start inclusive, end exclusive, unset means open.
struct TimeRange {
  std::optional<int64_t> start_ms;
  std::optional<int64_t> end_ms;
};

/// A part of a sound in frames: first inclusive, last exclusive.
struct FrameRange {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Returns the frame at a time: floor(ms · rate / 1000), so that ranges that touch tile the sound. Saturates.
int64_t FrameAt(int64_t time_ms, int32_t sample_rate);

/// Returns the frames of a range; the end is clipped to the sound (`end` = INT64_MAX where that is unknown). A
/// RowError where the range is negative, reversed or starts after the sound's end.
Result<FrameRange> FramesOf(const TimeRange& range, const SoundFile& file);

/// Decodes the frames of `range` and marks them with its times. More than `max_decoded_bytes` of samples is a
/// RowError before memory is taken: by the header's claim, and by what is really there. Memory follows what has been
/// decoded, not what a header claims. Sound that ends before its header says is a RowError, except in WAV and AIFF,
/// whose lengths many writers leave wrong: there the samples that are present count.
Result<Waveform> Decode(SoundFile& file, int64_t max_decoded_bytes = kMaxDecodedBytes, const TimeRange& range = {});

/// Decodes everything and throws it away: OK where Decode would succeed, whatever the size.
Status CheckDecodes(SoundFile& file, const TimeRange& range = {});

/// What is known of a sound without decoding it.
struct Metadata {
  int32_t sample_rate = 0;
  int32_t channels = 0;
  std::optional<int64_t> frames;
  std::optional<int64_t> duration_ms;
  std::string format;
  std::string codec;
  std::optional<int64_t> bit_rate;  ///< encoded bits a second, over the whole file
  std::optional<int64_t> size;      ///< encoded bytes of the whole file

  /// Frames / rate; unset where the length is unknown.
  std::optional<double> duration_seconds() const;
};

/// Reads what the header says; frames and duration are those of the range.
Result<Metadata> ReadMetadata(const SoundFile& file, const TimeRange& range = {});
/// The same of decoded sound: format "UNKNOWN", codec "FLOAT", no size.
Metadata MetadataOf(const Waveform& waveform);

}  // namespace mainstem::audio
