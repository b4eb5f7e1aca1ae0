// Speech segments: from the speech probability of each window to time ranges of speech.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mainstem {

/// A range of samples, end exclusive.
struct SampleRange {
  int64_t start = 0;
  int64_t end = 0;
  bool operator==(const SampleRange&) const = default;
};

struct SegmentOptions {
  double threshold = 0.5;            ///< speech starts at a window of at least this probability
  int64_t min_speech_ms = 250;       ///< shorter ranges are dropped
  int64_t min_silence_ms = 100;      ///< speech ends when it was quiet for as long
  int64_t speech_pad_ms = 30;        ///< added at both ends, shared between neighbours that are near
};

/// The state machine that silero-vad documents as `get_speech_timestamps` (github.com/snakers4/silero-vad), without
/// a longest range: a range is left where the probability stays below max(threshold − 0.15, 0.01).
std::vector<SampleRange> SpeechSegments(std::span<const float> probabilities, int64_t window_samples,
                                        int64_t total_samples, int64_t sample_rate, const SegmentOptions& options);

}  // namespace mainstem
