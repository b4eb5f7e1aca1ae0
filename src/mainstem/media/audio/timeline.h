// The timeline of decoded sound: its silent stretches, parts of it, and several sounds in a row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/waveform.h"
#include "mainstem/media/audio/decode.h"

namespace mainstem::audio {

/// A stretch of time; the end is exclusive.
struct TimeSpan {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
};

/// Returns the silent stretches of at least `min_silence_ms`. Time is cut into windows of 10 ms; one is silent where
/// the root mean square of the average of the channels is at most 10^(threshold_db / 20). Times count from the
/// source's start.
std::vector<TimeSpan> FindSilence(const Waveform& waveform, double threshold_db, int64_t min_silence_ms);

/// Returns a part that shares the samples, marked with its place in the source. The range must lie within the sound.
Waveform Part(const Waveform& waveform, const FrameRange& frames, const TimeSpan& place);

/// Joins sounds of one rate and one number of channels; other mixes are a RowError. The result has no place in a
/// source.
Result<Waveform> Concat(std::span<const Waveform* const> parts, int64_t max_bytes = kMaxDecodedBytes);

}  // namespace mainstem::audio
