// Waveform: decoded sound, and references to time ranges of sound and video.
#pragma once

#include <arrow/buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mainstem/base/error.h"

namespace mainstem {

/// Decoded sound: float32 samples in [-1, 1], frames × channels, interleaved. Immutable once shared.
struct Waveform {
  int64_t frames = 0;
  int32_t channels = 1;
  int32_t sample_rate = 0;             ///< Hz
  std::shared_ptr<arrow::Buffer> samples;
  std::string source_uri;              ///< empty where it came from bytes
  std::optional<int64_t> start_time_ms;  ///< place of the first frame in its source
  std::optional<int64_t> end_time_ms;    ///< exclusive

  const float* data() const { return reinterpret_cast<const float*>(samples->data()); }
  float* mutable_data() { return reinterpret_cast<float*>(samples->mutable_data()); }
  int64_t duration_ms() const { return sample_rate == 0 ? 0 : frames * 1000 / sample_rate; }

  /// Allocates samples that are not initialised.
  static Result<Waveform> Allocate(int64_t frames, int32_t channels, int32_t sample_rate);
};

/// A time range of a file, for sound (end exclusive) or video (end inclusive). An unset end is open.
struct MediaClip {
  std::string uri;
  std::optional<int64_t> start_time_ms;
  std::optional<int64_t> end_time_ms;
};

}  // namespace mainstem
