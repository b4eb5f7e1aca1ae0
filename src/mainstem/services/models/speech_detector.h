// SpeechDetector: finds speech in sound with the Silero voice activity model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mainstem/services/host/model.h"
#include "mainstem/services/models/backend.h"
#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/speech_segments.h"

namespace mainstem {

/// Answers `detect_speech`: mono sound of 16 kHz in, `result: list<struct<start_ms, end_ms, duration_ms: int64>>`
/// out, times in the source's timeline (the sound's own start_time_ms is added). Other sound is a failure of its
/// row, and so are more than `max_segments` segments. Null in, null out.
class SpeechDetector : public Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const Payload& payload, Backend& backend);

  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override;

  /// The speech probability of each window of 512 samples; the last window is filled up with silence.
  Result<std::vector<float>> Probabilities(std::span<const float> samples);

 private:
  explicit SpeechDetector(std::unique_ptr<CompiledModel> model) : model_(std::move(model)) {}

  std::unique_ptr<CompiledModel> model_;
  SegmentOptions options_;
  int64_t max_segments_ = 1024;
  std::vector<float> frames_;  // kept between inferences
};

}  // namespace mainstem
