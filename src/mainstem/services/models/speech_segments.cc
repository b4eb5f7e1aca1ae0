#include "mainstem/services/models/speech_segments.h"

#include <algorithm>
#include <optional>

namespace mainstem {

namespace {

/// Widens ranges by the padding; where two are nearer than twice the padding, each takes half of the gap.
void Pad(std::vector<SampleRange>* ranges, int64_t padding, int64_t total) {
  for (size_t i = 0; i < ranges->size(); ++i) {
    SampleRange& range = (*ranges)[i];
    if (i == 0) {
      range.start = std::max<int64_t>(0, range.start - padding);
    }
    if (i + 1 == ranges->size()) {
      range.end = std::min(total, range.end + padding);
      continue;
    }
    SampleRange& next = (*ranges)[i + 1];
    const int64_t gap = next.start - range.end;
    const int64_t share = gap < 2 * padding ? gap / 2 : padding;
    range.end = std::min(total, range.end + share);
    next.start = std::max<int64_t>(0, next.start - share);
  }
}

}  // namespace

std::vector<SampleRange> SpeechSegments(std::span<const float> probabilities, int64_t window_samples,
                                        int64_t total_samples, int64_t sample_rate, const SegmentOptions& options) {
  const double leave_below = std::max(options.threshold - 0.15, 0.01);
  const double min_speech = static_cast<double>(sample_rate) * static_cast<double>(options.min_speech_ms) / 1000;
  const double min_silence = static_cast<double>(sample_rate) * static_cast<double>(options.min_silence_ms) / 1000;
  std::vector<SampleRange> ranges;
  std::optional<int64_t> speech_start;
  std::optional<int64_t> silence_start;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const int64_t sample = static_cast<int64_t>(i) * window_samples;
    const double probability = probabilities[i];
    if (probability >= options.threshold) {
      silence_start.reset();
      if (!speech_start) {
        speech_start = sample;
      }
    } else if (probability < leave_below && speech_start) {
      silence_start = silence_start.value_or(sample);
      if (static_cast<double>(sample - *silence_start) < min_silence) {
        continue;
      }
      if (static_cast<double>(*silence_start - *speech_start) > min_speech) {
        ranges.push_back({*speech_start, *silence_start});
      }
      speech_start.reset();
      silence_start.reset();
    }
  }
  if (speech_start && static_cast<double>(total_samples - *speech_start) > min_speech) {
    ranges.push_back({*speech_start, total_samples});
  }
  Pad(&ranges, sample_rate * options.speech_pad_ms / 1000, total_samples);
  return ranges;
}

}  // namespace mainstem
