#include "mainstem/services/models/speech_detector.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "mainstem/services/models/columns.h"

namespace mainstem {

namespace {

constexpr int64_t kSampleRate = 16000;
constexpr int64_t kWindow = 512;   // samples, 32 ms
constexpr int64_t kContext = 64;   // samples of the window before, in front of each
constexpr int64_t kFrame = kContext + kWindow;
constexpr int64_t kState = 128;    // numbers in each of the two states of the recurrent layer
constexpr int64_t kFramesPerInference = 512;

/// The model is the one of the package silero-vad that takes many windows at once.
Status CheckPorts(const CompiledModel& model) {
  const auto& inputs = model.inputs();
  const auto& outputs = model.outputs();
  const bool fits = inputs.size() == 3 && outputs.size() == 3 && inputs[0].shape == std::vector<int64_t>{-1, kFrame} &&
                    inputs[1].shape == std::vector<int64_t>{1, 1, kState} && inputs[2].shape == inputs[1].shape;
  if (!fits) {
    return JobError("the model is not Silero's voice activity model for sequences of windows at 16 kHz "
                    "(silero_vad_16k_sequence.onnx): it has inputs [N, 576] and twice [1, 1, 128]");
  }
  return Status::OK();
}

}  // namespace

Result<std::unique_ptr<Model>> SpeechDetector::Load(const Payload& payload, Backend& backend) {
  ARROW_ASSIGN_OR_RAISE(const std::string path, payload.File("model"));
  ARROW_ASSIGN_OR_RAISE(const CompileOptions compile, payload.Compile());
  ARROW_ASSIGN_OR_RAISE(auto compiled, backend.Compile(path, compile));
  ARROW_RETURN_NOT_OK(CheckPorts(*compiled));
  constexpr int64_t kHourMs = 3'600'000;
  std::unique_ptr<SpeechDetector> detector(new SpeechDetector(std::move(compiled)));
  SegmentOptions& options = detector->options_;
  ARROW_ASSIGN_OR_RAISE(options.threshold, payload.Number("threshold", options.threshold, 0, 1));
  ARROW_ASSIGN_OR_RAISE(options.min_speech_ms, payload.Int("min_speech_ms", options.min_speech_ms, 0, kHourMs));
  ARROW_ASSIGN_OR_RAISE(options.min_silence_ms, payload.Int("min_silence_ms", options.min_silence_ms, 0, kHourMs));
  ARROW_ASSIGN_OR_RAISE(options.speech_pad_ms, payload.Int("speech_pad_ms", options.speech_pad_ms, 0, kHourMs));
  ARROW_ASSIGN_OR_RAISE(detector->max_segments_, payload.Int("max_segments", 1024, 1, 1 << 24));
  return detector;
}

Result<std::vector<float>> SpeechDetector::Probabilities(std::span<const float> samples) {
  const auto total = static_cast<int64_t>(samples.size());
  const int64_t windows = (total + kWindow - 1) / kWindow;
  std::vector<float> probabilities;
  probabilities.reserve(static_cast<size_t>(windows));
  std::array<float, kState> hidden = {};
  std::array<float, kState> cell = {};
  for (int64_t first = 0; first < windows; first += kFramesPerInference) {
    const int64_t count = std::min(kFramesPerInference, windows - first);
    frames_.assign(static_cast<size_t>(count * kFrame), 0.0F);
    for (int64_t i = 0; i < count; ++i) {
      // A frame is a window and the samples before it, silence before the first: one piece of the sound.
      const int64_t begin = (first + i) * kWindow - kContext;
      const int64_t from = std::max<int64_t>(0, begin);
      const int64_t to = std::min(total, begin + kFrame);
      std::copy(samples.begin() + from, samples.begin() + to, frames_.begin() + i * kFrame + (from - begin));
    }
    const auto f32 = model_->inputs()[0].dtype;
    const std::array<TensorView, 3> inputs = {{{f32, {count, kFrame}, frames_.data()},
                                               {f32, {1, 1, kState}, hidden.data()},
                                               {f32, {1, 1, kState}, cell.data()}}};
    ARROW_ASSIGN_OR_RAISE(const auto outputs, model_->Infer(inputs));
    if (outputs[0].shape != std::vector<int64_t>{count}) {
      return JobError(fmt::format("the model returned {} for {} windows", ShapeToString(outputs[0].shape), count));
    }
    probabilities.insert(probabilities.end(), outputs[0].floats(), outputs[0].floats() + count);
    std::memcpy(hidden.data(), outputs[1].data, sizeof(hidden));
    std::memcpy(cell.data(), outputs[2].data, sizeof(cell));
  }
  return probabilities;
}

Result<std::shared_ptr<arrow::RecordBatch>> SpeechDetector::Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                                std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const SoundColumn sounds, SoundColumn::Of(*rows));
  auto start = std::make_shared<arrow::Int64Builder>();
  auto end = std::make_shared<arrow::Int64Builder>();
  auto duration = std::make_shared<arrow::Int64Builder>();
  const auto type = arrow::struct_({arrow::field("start_ms", arrow::int64()), arrow::field("end_ms", arrow::int64()),
                                    arrow::field("duration_ms", arrow::int64())});
  using Builders = std::vector<std::shared_ptr<arrow::ArrayBuilder>>;
  auto item = std::make_shared<arrow::StructBuilder>(type, arrow::default_memory_pool(), Builders{start, end, duration});
  arrow::ListBuilder builder(arrow::default_memory_pool(), item, arrow::list(type));

  const auto fail = [&](int64_t row, std::string reason) {
    failures->push_back({row, std::move(reason)});
    return builder.AppendNull();
  };
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (sounds.IsNull(row)) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    const auto sound = sounds.At(row);
    if (!sound.ok()) {
      ARROW_RETURN_NOT_OK(fail(row, sound.status().message()));
      continue;
    }
    if (sound->sample_rate != kSampleRate || sound->channels != 1) {
      ARROW_RETURN_NOT_OK(fail(row, fmt::format("speech is found in mono sound of 16000 Hz, this has {} channels and {} "
                                                "Hz: use audio.standardize() first", sound->channels,
                                                sound->sample_rate)));
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto probabilities, Probabilities(sound->samples));
    const auto ranges = SpeechSegments(probabilities, kWindow, static_cast<int64_t>(sound->samples.size()), kSampleRate,
                                       options_);
    if (static_cast<int64_t>(ranges.size()) > max_segments_) {
      ARROW_RETURN_NOT_OK(fail(row, fmt::format("the sound has {} segments of speech, more than max_segments={}",
                                                ranges.size(), max_segments_)));
      continue;
    }
    ARROW_RETURN_NOT_OK(builder.Append());
    for (const SampleRange& range : ranges) {
      const int64_t start_ms = sound->start_ms + range.start * 1000 / kSampleRate;
      const int64_t end_ms = sound->start_ms + range.end * 1000 / kSampleRate;
      ARROW_RETURN_NOT_OK(item->Append());
      ARROW_RETURN_NOT_OK(start->Append(start_ms));
      ARROW_RETURN_NOT_OK(end->Append(end_ms));
      ARROW_RETURN_NOT_OK(duration->Append(end_ms - start_ms));
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto result, builder.Finish());
  return ResultBatch(std::move(result));
}

}  // namespace mainstem
