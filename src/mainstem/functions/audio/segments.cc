#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/audio/audio_source.h"
#include "mainstem/functions/audio/families.h"
#include "mainstem/media/audio/timeline.h"

namespace mainstem {
namespace {

// Fails where `length_ms` would need more segments than allowed.
Status CheckCount(int64_t length_ms, int64_t segment_ms, int64_t max_segments) {
  const int64_t count = length_ms / segment_ms + (length_ms % segment_ms != 0);
  if (count <= max_segments) return Status::OK();
  return RowError(fmt::format("{} ms in segments of {} ms make {} segments, more than the limit of {} (max_segments)",
                              length_ms, segment_ms, count, max_segments));
}

// Cuts decoded sound; segments share its samples.
class SplitWaveform : public TableKernel {
 public:
  SplitWaveform(int64_t segment_ms, int64_t max_segments) : segment_ms_(segment_ms), max_segments_(max_segments) {}

  Status Start(std::span<const Value> arguments) override {
    waveform_ = arguments[0].As<Waveform>();
    next_ms_ = 0;
    // A part of a millisecond at the end is a part of a segment, too.
    const __int128 scaled = static_cast<__int128>(waveform_.frames) * 1000;
    length_ms_ = waveform_.sample_rate < 1
                     ? 0
                     : static_cast<int64_t>((scaled + waveform_.sample_rate - 1) / waveform_.sample_rate);
    return CheckCount(length_ms_, segment_ms_, max_segments_);
  }

  Result<std::optional<std::vector<Value>>> Next() override {
    if (next_ms_ >= length_ms_) return std::nullopt;
    const int64_t end_ms = std::min(length_ms_ - next_ms_, segment_ms_) + next_ms_;
    const int64_t offset_ms = waveform_.start_time_ms.value_or(0);
    const audio::FrameRange frames{
        std::min(waveform_.frames, audio::FrameAt(next_ms_, waveform_.sample_rate)),
        end_ms == length_ms_ ? waveform_.frames : audio::FrameAt(end_ms, waveform_.sample_rate)};
    Waveform part = audio::Part(waveform_, frames, {offset_ms + next_ms_, offset_ms + end_ms});
    next_ms_ = end_ms;
    return std::vector<Value>{Value(std::move(part))};
  }

 private:
  const int64_t segment_ms_;
  const int64_t max_segments_;
  Waveform waveform_;
  int64_t length_ms_ = 0;
  int64_t next_ms_ = 0;
};

// Cuts a sound by reference: only its header is read.
class SplitReference : public TableKernel {
 public:
  SplitReference(LogicalType type, int64_t segment_ms, int64_t max_segments)
      : type_(std::move(type)), segment_ms_(segment_ms), max_segments_(max_segments) {}

  Status Start(std::span<const Value> arguments) override {
    next_ms_ = end_ms_ = 0;
    if (arguments[0].Is<FileReference>()) {
      const auto& file = arguments[0].As<FileReference>();
      if (!NamesWholeFile(file)) {
        return RowError(fmt::format("an audio clip names a whole file; this is a part of '{}' (offset {}, length {})",
                                    Escaped(file.uri), file.offset, file.length));
      }
    }
    ARROW_ASSIGN_OR_RAISE(const AudioSource source, OpenAudioSource(arguments[0], type_));
    ARROW_ASSIGN_OR_RAISE(const audio::FrameRange frames, audio::FramesOf(source.range, source.file));
    if (source.file.frames() < 0 && !source.range.end_ms) {
      return RowError(
          fmt::format("the length of '{}' is not known without decoding it; decode it and split the samples",
                      Escaped(source.uri)));
    }
    const int32_t rate = source.file.sample_rate();
    uri_ = source.uri;
    next_ms_ = source.range.start_ms.value_or(0);
    end_ms_ = static_cast<int64_t>((static_cast<__int128>(frames.end) * 1000 + rate - 1) / rate);
    if (source.range.end_ms) end_ms_ = std::min(end_ms_, *source.range.end_ms);
    return CheckCount(std::max<int64_t>(0, end_ms_ - next_ms_), segment_ms_, max_segments_);
  }

  Result<std::optional<std::vector<Value>>> Next() override {
    if (next_ms_ >= end_ms_) return std::nullopt;
    MediaClip clip{.uri = uri_, .start_time_ms = next_ms_};
    next_ms_ += std::min(end_ms_ - next_ms_, segment_ms_);
    clip.end_time_ms = next_ms_;
    return std::vector<Value>{Value(std::move(clip))};
  }

 private:
  const LogicalType type_;
  const int64_t segment_ms_;
  const int64_t max_segments_;
  std::string uri_;
  int64_t next_ms_ = 0;
  int64_t end_ms_ = 0;
};

Result<std::vector<OutputColumn>> SegmentColumn(const BoundSignature& signature) {
  const bool decoded = signature.arguments[0].kind() == TypeKind::kAudio;
  const bool by_reference = signature.options.String("segment_type") == "ref";
  if (decoded && by_reference) {
    return JobError(
        "audio.split_by_duration: segment_type='ref' takes a uri, a file or an audio clip, not decoded audio");
  }
  if (!decoded && !by_reference) {
    return JobError("audio.split_by_duration: segment_type='audio' takes decoded audio; decode it first, or ask for "
                    "segment_type='ref'");
  }
  if (by_reference && signature.arguments[0].IsBytes()) {
    return JobError("audio.split_by_duration: bytes cannot be referred to; pass a uri, a file or an audio clip");
  }
  return std::vector<OutputColumn>{{"segment", by_reference ? LogicalType::AudioClip() : LogicalType::Audio()}};
}

}  // namespace

Status RegisterAudioSegments(Registry& registry) {
  FunctionDefinition split;
  split.name = "audio.split_by_duration";
  split.kind = FunctionKind::kTable;
  split.doc =
      "Cuts sound into segments of one length, the last one shorter; each is a row `segment`. Segments tile "
      "the sound: a border at t ms is the frame floor(t · rate / 1000). 'audio' gives parts of decoded "
      "sound, which share its samples; 'ref' gives audio clips of a uri, a file or a clip and reads only the "
      "header.";
  split.arguments = {
      {"source", TypePattern::kAudioAny, "Decoded sound, or for 'ref' a uri, a file or an audio clip."}};
  split.options = {{.name = "segment_duration_ms", .type = OptionType::kInt, .doc = "Length of a segment.",
                    .required = true, .minimum = 1},
                   {.name = "segment_type", .type = OptionType::kString, .default_value = "audio",
                    .doc = "'audio' gives samples, 'ref' gives references.", .choices = {"audio", "ref"}},
                   {.name = "max_segments", .type = OptionType::kInt, .default_value = 1024,
                    .doc = "A sound that needs more is a data error.", .minimum = 1}};
  split.has_on_error = true;
  split.output_columns = SegmentColumn;
  split.make_table_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<TableKernel>> {
    ARROW_RETURN_NOT_OK(SegmentColumn(signature));
    const int64_t segment_ms = signature.options.Int("segment_duration_ms");
    const int64_t max_segments = signature.options.Int("max_segments");
    if (signature.options.String("segment_type") == "ref") {
      return std::make_unique<SplitReference>(signature.arguments[0], segment_ms, max_segments);
    }
    return std::make_unique<SplitWaveform>(segment_ms, max_segments);
  };
  return registry.Add(std::move(split));
}

}  // namespace mainstem
