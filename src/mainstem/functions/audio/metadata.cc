#include <fmt/format.h>

#include "mainstem/functions/audio/audio_source.h"
#include "mainstem/functions/audio/families.h"

namespace mainstem {
namespace {

constexpr char kSourceDoc[] = "Sound: decoded, bytes, a uri, a file or an audio clip.";

template <typename T>
Value OrNull(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}

Result<audio::Metadata> MetadataOf(const Value& value, const LogicalType& type) {
  if (value.Is<Waveform>()) return audio::MetadataOf(value.As<Waveform>());
  ARROW_ASSIGN_OR_RAISE(const AudioSource source, OpenAudioSource(value, type));
  return audio::ReadMetadata(source.file, source.range);
}

// Broken sound has no metadata; everything else that goes wrong is passed on.
Result<std::optional<audio::Metadata>> MetadataOrNothing(const Value& value, const LogicalType& type) {
  Result<audio::Metadata> metadata = MetadataOf(value, type);
  if (metadata.ok()) return std::optional(*std::move(metadata));
  if (ClassOf(metadata.status()) == ErrorClass::kRow) return std::nullopt;
  return metadata.status();
}

FunctionDefinition Metadata() {
  FunctionDefinition metadata;
  metadata.name = "audio.metadata";
  metadata.doc =
      "Returns what the header says: sample_rate (Hz), channels, frames, duration_ms, format (WAV, FLAC, "
      "OGG, AIFF, MP3; UNKNOWN of decoded sound), codec (PCM_16, VORBIS, …), bit_rate (encoded bits a "
      "second) and size (encoded bytes). Frames and duration of a clip are those of its range. Null for "
      "broken input; a field that is not known is null.";
  metadata.arguments = {{"source", TypePattern::kAudioAny, kSourceDoc}};
  metadata.result_type = Always(LogicalType::Struct(
      {{"sample_rate", LogicalType::Int32()}, {"channels", LogicalType::Int32()}, {"frames", LogicalType::Int64()},
       {"duration_ms", LogicalType::Int64()}, {"format", LogicalType::String()}, {"codec", LogicalType::String()},
       {"bit_rate", LogicalType::Int64()}, {"size", LogicalType::Int64()}}));
  metadata.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0]](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const auto found, MetadataOrNothing(arguments[0], type));
      if (!found) return Value();
      return Value(StructValue{{Value(found->sample_rate), Value(found->channels), OrNull(found->frames),
                                OrNull(found->duration_ms), Value(found->format), Value(found->codec),
                                OrNull(found->bit_rate), OrNull(found->size)}});
    });
  };
  return metadata;
}

FunctionDefinition Duration() {
  FunctionDefinition duration;
  duration.name = "audio.duration";
  duration.doc =
      "Returns the length in seconds (of a clip: of its range), from the header. Null where it is unknown or the "
      "input is broken.";
  duration.arguments = {{"source", TypePattern::kAudioAny, kSourceDoc}};
  duration.result_type = Always(LogicalType::Float64());
  duration.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0]](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const auto found, MetadataOrNothing(arguments[0], type));
      return found ? OrNull(found->duration_seconds()) : Value();
    });
  };
  return duration;
}

// A predicate on a number between two bounds of which at least one is given and the lower is not above the upper.
std::function<Result<LogicalType>(const BoundSignature&)> BoolWithBounds(std::string function, std::string low,
                                                                         std::string high) {
  return [=](const BoundSignature& signature) -> Result<LogicalType> {
    const auto& values = signature.options;
    if (!values.Has(low) && !values.Has(high)) {
      return JobError(fmt::format("{}: give {}, {} or both", function, low, high));
    }
    if (values.Has(low) && values.Has(high)) {
      const auto number = [&](const std::string& name) {
        const OptionValue& value = values.values().at(name);
        const auto* integer = std::get_if<int64_t>(&value.value);
        return integer ? static_cast<double>(*integer) : std::get<double>(value.value);
      };
      if (number(low) > number(high)) {
        return JobError(fmt::format("{}: {} is larger than {}: no row would pass", function, low, high));
      }
    }
    return LogicalType::Bool();
  };
}

FunctionDefinition DurationFilter() {
  FunctionDefinition filter;
  filter.name = "audio.duration_filter";
  filter.doc =
      "Says whether the length in seconds lies between the bounds, both inclusive. False for null, broken input and "
      "unknown length. At least one bound must be given.";
  filter.arguments = {{"source", TypePattern::kAudioAny, kSourceDoc}};
  filter.options = {
      {.name = "min_seconds", .type = OptionType::kFloat, .doc = "Shortest length that passes.", .minimum = 0},
      {.name = "max_seconds", .type = OptionType::kFloat, .doc = "Longest length that passes.", .minimum = 0}};
  filter.null_is_false = true;
  filter.result_type = BoolWithBounds(filter.name, "min_seconds", "max_seconds");
  filter.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0], low = signature.options.MaybeFloat("min_seconds"),
                          high = signature.options.MaybeFloat("max_seconds")](
                             std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const auto found, MetadataOrNothing(arguments[0], type));
      const std::optional<double> seconds = found ? found->duration_seconds() : std::nullopt;
      return Value(seconds && (!low || *seconds >= *low) && (!high || *seconds <= *high));
    });
  };
  return filter;
}

FunctionDefinition SizeFilter() {
  FunctionDefinition filter;
  filter.name = "audio.size_filter";
  filter.doc =
      "Says whether the encoded size in bytes lies between the bounds, both inclusive (of a clip: the size of its "
      "file). The sound is not opened. False for null. At least one bound must be given.";
  filter.arguments = {{"source", TypePattern::kAudioSource, "Encoded sound: bytes, a uri, a file or an audio clip."}};
  filter.options = {
      {.name = "min_bytes", .type = OptionType::kInt, .doc = "Smallest size that passes.", .minimum = 0},
      {.name = "max_bytes", .type = OptionType::kInt, .doc = "Largest size that passes.", .minimum = 0}};
  filter.null_is_false = true;
  filter.result_type = BoolWithBounds(filter.name, "min_bytes", "max_bytes");
  filter.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0], low = signature.options.MaybeInt("min_bytes"),
                          high = signature.options.MaybeInt("max_bytes")](
                             std::span<const Value> arguments) -> Result<Value> {
      const Result<int64_t> size = EncodedSize(arguments[0], type);
      if (!size.ok() && ClassOf(size.status()) != ErrorClass::kRow) return size.status();
      return Value(size.ok() && (!low || *size >= *low) && (!high || *size <= *high));
    });
  };
  return filter;
}

}  // namespace

Status RegisterAudioMetadata(Registry& registry) {
  for (const auto& make : {Metadata, Duration, DurationFilter, SizeFilter}) ARROW_RETURN_NOT_OK(registry.Add(make()));
  return Status::OK();
}

}  // namespace mainstem
