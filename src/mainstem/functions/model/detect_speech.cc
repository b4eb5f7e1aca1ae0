#include "mainstem/functions/model/families.h"

namespace mainstem {

Status RegisterDetectSpeech(Registry& registry) {
  constexpr double kHourMs = 3'600'000;
  const auto milliseconds = [](const char* name, int value, const char* doc) {
    return OptionSpec{.name = name, .type = OptionType::kInt, .default_value = value, .doc = doc, .minimum = 0,
                      .maximum = kHourMs};
  };
  FunctionDefinition detect;
  detect.name = "audio.detect_speech";
  detect.kind = FunctionKind::kCall;
  detect.cost = CostClass::kHeavy;
  detect.call_service = "detect_speech";
  detect.has_on_error = true;
  detect.doc =
      "Where somebody speaks: a list of time ranges (start_ms, end_ms, duration_ms, in the timeline of the sound's "
      "source), found by Silero's voice activity model in windows of 32 ms. Takes mono sound of 16 kHz: use "
      "audio.standardize() first; other sound is a data error, and so are more than max_segments ranges.";
  detect.arguments = {{"audio", TypePattern::kAudio, "Decoded sound, mono, 16 kHz."}};
  detect.options = ModelOptions("silero-vad", {});
  // One sound is one sequence of inferences; there is no batch to choose.
  std::erase_if(detect.options, [](const OptionSpec& option) { return option.name == "batch_size"; });
  detect.options.push_back({.name = "threshold",
                            .type = OptionType::kFloat,
                            .default_value = 0.5,
                            .doc = "Probability from which a window is speech; it is left below threshold − 0.15.",
                            .minimum = 0,
                            .maximum = 1});
  detect.options.push_back(milliseconds("min_speech_ms", 250, "Shorter speech is dropped."));
  detect.options.push_back(milliseconds("min_silence_ms", 100, "Shorter silence does not end speech."));
  detect.options.push_back(milliseconds("speech_pad_ms", 30, "Added at both ends of a range."));
  detect.options.push_back({.name = "max_segments",
                            .type = OptionType::kInt,
                            .default_value = 1024,
                            .doc = "Most ranges of one sound.",
                            .minimum = 1,
                            .maximum = 1 << 24});
  detect.result_type = Always(LogicalType::List(LogicalType::Struct({{"start_ms", LogicalType::Int64()},
                                                                     {"end_ms", LogicalType::Int64()},
                                                                     {"duration_ms", LogicalType::Int64()}})));
  return registry.Add(std::move(detect));
}

}  // namespace mainstem
