#include "mainstem/functions/audio/audio_source.h"
#include "mainstem/functions/audio/families.h"

namespace mainstem {
namespace {

FunctionDefinition Decode() {
  FunctionDefinition decode;
  decode.name = "audio.decode";
  decode.cost = CostClass::kDecode;
  decode.doc =
      "Decodes WAV, FLAC, OGG (Vorbis, Opus), AIFF or MP3 into float32 samples, frames × channels "
      "interleaved, full scale = 1. Of an audio clip only its range is decoded (start inclusive, end "
      "exclusive, cut at the sound's end). The limit is checked before memory is taken.";
  decode.arguments = {{"source", TypePattern::kAudioSource, "Encoded sound: bytes, a uri, a file or an audio clip."}};
  decode.options = {{.name = "max_decoded_bytes",
                     .type = OptionType::kInt,
                     .default_value = audio::kMaxDecodedBytes,
                     .doc = "Most bytes that the samples of one sound may take; more is a data error.",
                     .minimum = 1}};
  decode.has_on_error = true;
  decode.result_type = Always(LogicalType::Audio());
  decode.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0], limit = signature.options.Int("max_decoded_bytes")](
                             std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(AudioSource source, OpenAudioSource(arguments[0], type));
      Result<Waveform> waveform = audio::Decode(source.file, limit, source.range);
      if (!waveform.ok()) {
        return source.uri.empty() ? waveform.status()
                                  : WithContext(waveform.status(), "'" + Escaped(source.uri) + "'");
      }
      waveform->source_uri = source.uri;
      return Value(std::move(waveform).ValueUnsafe());
    });
  };
  return decode;
}

Status Check(const Value& value, const LogicalType& type, bool decode) {
  ARROW_ASSIGN_OR_RAISE(AudioSource source, OpenAudioSource(value, type));
  return decode ? audio::CheckDecodes(source.file, source.range)
                : audio::FramesOf(source.range, source.file).status();
}

FunctionDefinition IsValid() {
  FunctionDefinition is_valid;
  is_valid.name = "audio.is_valid";
  is_valid.cost = CostClass::kDecode;
  is_valid.doc =
      "Says whether the input is a sound that can be read. False for null and for broken input; a file that "
      "cannot be opened still raises.";
  is_valid.arguments = {
      {"source", TypePattern::kAudioSource, "Encoded sound: bytes, a uri, a file or an audio clip."}};
  is_valid.options = {{.name = "validation",
                       .type = OptionType::kString,
                       .default_value = "metadata",
                       .doc = "'metadata' reads the header only, 'decode' decodes all of it.",
                       .choices = {"metadata", "decode"}}};
  is_valid.null_is_false = true;
  is_valid.result_type = Always(LogicalType::Bool());
  is_valid.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([type = signature.arguments[0], decode = signature.options.String("validation") == "decode"](
                             std::span<const Value> arguments) -> Result<Value> {
      const Status status = Check(arguments[0], type, decode);
      if (!status.ok() && ClassOf(status) != ErrorClass::kRow) return status;
      return Value(status.ok());
    });
  };
  return is_valid;
}

}  // namespace

Status RegisterAudioDecoding(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Decode()));
  return registry.Add(IsValid());
}

}  // namespace mainstem
