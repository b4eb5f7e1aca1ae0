#include <fmt/format.h>

#include "mainstem/functions/audio/families.h"
#include "mainstem/media/audio/encode.h"
#include "mainstem/media/audio/resample.h"
#include "mainstem/media/audio/timeline.h"

namespace mainstem {
namespace {

// Above any rate in use; keeps a mistyped rate from filling memory.
constexpr double kMaxSampleRate = 768000;
constexpr double kMaxChannels = 256;

ArgumentSpec Sound() { return {"audio", TypePattern::kAudio, "Decoded sound."}; }

OptionSpec SizeLimit() {
  return {.name = "max_decoded_bytes",
          .type = OptionType::kInt,
          .default_value = audio::kMaxDecodedBytes,
          .doc = "Most bytes that the samples of one result may take; more is a data error.",
          .minimum = 1};
}

FunctionDefinition Standardize() {
  FunctionDefinition standardize;
  standardize.name = "audio.standardize";
  standardize.cost = CostClass::kHeavy;
  standardize.doc =
      "Brings sound to one sample rate and number of channels: the average of all channels where one is "
      "asked for, copies of a mono sound where more are (other changes of channels are data errors), and "
      "libsoxr's HQ resampler.";
  standardize.arguments = {Sound()};
  standardize.options = {{.name = "sample_rate", .type = OptionType::kInt, .default_value = 16000,
                          .doc = "Rate of the result in Hz.", .minimum = 1, .maximum = kMaxSampleRate},
                         {.name = "channels", .type = OptionType::kInt, .default_value = 1,
                          .doc = "Channels of the result.", .minimum = 1, .maximum = kMaxChannels},
                         SizeLimit()};
  standardize.has_on_error = true;
  standardize.result_type = Always(LogicalType::Audio());
  standardize.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([rate = static_cast<int32_t>(signature.options.Int("sample_rate")),
                          channels = static_cast<int32_t>(signature.options.Int("channels")),
                          limit = signature.options.Int("max_decoded_bytes")](
                             std::span<const Value> arguments) -> Result<Value> {
      return audio::Standardize(arguments[0].As<Waveform>(), rate, channels, limit);
    });
  };
  return standardize;
}

FunctionDefinition Resample() {
  FunctionDefinition resample;
  resample.name = "audio.resample";
  resample.cost = CostClass::kHeavy;
  resample.doc = "Brings sound to another sample rate with libsoxr's HQ resampler; the channels stay.";
  resample.arguments = {Sound()};
  resample.options = {{.name = "sample_rate", .type = OptionType::kInt, .doc = "Rate of the result in Hz.",
                       .required = true, .minimum = 1, .maximum = kMaxSampleRate},
                      SizeLimit()};
  resample.has_on_error = true;
  resample.result_type = Always(LogicalType::Audio());
  resample.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([rate = static_cast<int32_t>(signature.options.Int("sample_rate")),
                          limit = signature.options.Int("max_decoded_bytes")](
                             std::span<const Value> arguments) -> Result<Value> {
      return audio::Resample(arguments[0].As<Waveform>(), rate, limit);
    });
  };
  return resample;
}

audio::Encoding EncodingOf(const std::string& format) {
  if (format == "flac") return audio::Encoding::kFlac;
  if (format == "ogg") return audio::Encoding::kOgg;
  if (format == "aiff") return audio::Encoding::kAiff;
  return audio::Encoding::kWav;
}

FunctionDefinition Encode() {
  FunctionDefinition encode;
  encode.name = "audio.encode";
  encode.cost = CostClass::kHeavy;
  encode.doc =
      "Encodes sound: WAV, FLAC and AIFF as 16-bit PCM, OGG as Vorbis. Samples beyond full scale are "
      "clipped; samples that are not finite are a data error.";
  encode.arguments = {Sound()};
  encode.options = {{.name = "format", .type = OptionType::kString, .default_value = "wav",
                     .doc = "The file format.", .choices = {"wav", "flac", "ogg", "aiff"}}};
  encode.has_on_error = true;
  // The OGG encoder numbers its streams at random.
  encode.deterministic = false;
  encode.result_type = Always(LogicalType::Binary());
  encode.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([encoding = EncodingOf(signature.options.String("format"))](
                             std::span<const Value> arguments) -> Result<Value> {
      return audio::Encode(arguments[0].As<Waveform>(), encoding);
    });
  };
  return encode;
}

FunctionDefinition SilenceDetection() {
  FunctionDefinition silence;
  silence.name = "audio.silence_detection";
  silence.cost = CostClass::kHeavy;
  silence.doc =
      "Returns the silent stretches as a list of start_ms, end_ms (exclusive) and duration_ms, counted from "
      "the start of the source. Time is cut into windows of 10 ms; one is silent where the root mean square "
      "of the mono mix is at most the threshold.";
  silence.arguments = {Sound()};
  silence.options = {{.name = "threshold_db",
                      .type = OptionType::kFloat,
                      .doc = "Loudest level that counts as silence, in dB of full scale.",
                      .required = true,
                      .maximum = 0},
                     {.name = "min_silence_ms",
                      .type = OptionType::kInt,
                      .default_value = 0,
                      .doc = "Shorter stretches are left out.",
                      .minimum = 0}};
  silence.result_type = Always(LogicalType::List(TimeSpanType()));
  silence.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([threshold = signature.options.Float("threshold_db"),
                          shortest = signature.options.Int("min_silence_ms")](
                             std::span<const Value> arguments) -> Result<Value> {
      ListValue out;
      for (const auto& span : audio::FindSilence(arguments[0].As<Waveform>(), threshold, shortest)) {
        out.items.push_back(
            StructValue{{Value(span.start_ms), Value(span.end_ms), Value(span.end_ms - span.start_ms)}});
      }
      return Value(std::move(out));
    });
  };
  return silence;
}

FunctionDefinition Concat() {
  FunctionDefinition concat;
  concat.name = "audio.concat";
  concat.doc =
      "Joins the sounds of a list in their order; null items are left out, and a list without sounds is null. All "
      "must have one sample rate and one number of channels; others are a data error.";
  concat.arguments = {{"sounds", TypePattern::kList, "List of decoded sounds."}};
  concat.options = {SizeLimit()};
  concat.has_on_error = true;
  concat.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    const LogicalType& list = signature.arguments[0];
    if (list.IsList() && list.item().kind() != TypeKind::kAudio) {
      return JobError(fmt::format("audio.concat: takes a list of decoded sounds, not {}", list.ToString()));
    }
    return LogicalType::Audio();
  };
  concat.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([limit = signature.options.Int("max_decoded_bytes")](
                             std::span<const Value> arguments) -> Result<Value> {
      std::vector<const Waveform*> parts;
      for (const Value& item : arguments[0].As<ListValue>().items) {
        if (!item.is_null()) parts.push_back(&item.As<Waveform>());
      }
      if (parts.empty()) return Value();
      return audio::Concat(parts, limit);
    });
  };
  return concat;
}

}  // namespace

LogicalType TimeSpanType() {
  return LogicalType::Struct({{"start_ms", LogicalType::Int64()},
                              {"end_ms", LogicalType::Int64()},
                              {"duration_ms", LogicalType::Int64()}});
}

Status RegisterAudioTransforms(Registry& registry) {
  for (const auto& make : {Standardize, Resample, Encode, SilenceDetection, Concat}) {
    ARROW_RETURN_NOT_OK(registry.Add(make()));
  }
  return Status::OK();
}

}  // namespace mainstem
