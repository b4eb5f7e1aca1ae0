#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/video/video_functions.h"
#include "mainstem/functions/video/video_source.h"
#include "mainstem/media/video/frame_reader.h"

namespace mainstem {
namespace {

constexpr int64_t kMaxSegmentsDefault = 1024;
constexpr double kMaxSegmentsHighest = 1000000;
constexpr double kMillisecondsMax = 1e15;  // sums and products by the count stay within 64 and 128 bits

struct SplitOptions {
  std::optional<int64_t> segment_duration_ms;
  std::optional<int64_t> num_segments;
  std::optional<std::vector<int64_t>> at_ms;
  std::optional<int64_t> video_duration_ms;
  int64_t overlap_ms = 0;
  int64_t max_segments = kMaxSegmentsDefault;
  std::string on_error;
};

/// A range of time, end exclusive; without an end it is open.
struct Range {
  int64_t start = 0;
  std::optional<int64_t> end;
};

Result<std::vector<Range>> CutByDuration(const Range& range, const SplitOptions& options) {
  const int64_t duration = *options.segment_duration_ms;
  const int64_t stride = duration - options.overlap_ms;
  std::vector<Range> segments;
  for (int64_t start = range.start;; start += stride) {
    if (static_cast<int64_t>(segments.size()) == options.max_segments) {
      if (options.overlap_ms == 0) return segments;
      return RowError(fmt::format("the video needs more than {} overlapping segments (max_segments)",
                                  options.max_segments));
    }
    segments.push_back({start, std::min(start + duration, *range.end)});
    if (segments.back().end == range.end) return segments;
  }
}

Result<std::vector<Range>> CutAt(const std::vector<int64_t>& borders, const Range& range,
                                 const SplitOptions& options) {
  std::vector<Range> segments{range};
  for (const int64_t border : borders) {
    if (border <= range.start || (range.end && border >= *range.end)) continue;
    if (border - segments.back().start <= (segments.size() > 1 ? 2 : 1) * options.overlap_ms) {
      return RowError(fmt::format("overlap_ms={} is not shorter than the segment that ends at {} ms",
                                  options.overlap_ms, border));
    }
    segments.back().end = border;
    segments.push_back({border - options.overlap_ms, range.end});
    if (static_cast<int64_t>(segments.size()) > options.max_segments) break;
  }
  if (segments.size() > 1 && range.end && *range.end - segments.back().start <= 2 * options.overlap_ms) {
    return RowError(fmt::format("overlap_ms={} is not shorter than the last segment", options.overlap_ms));
  }
  segments.resize(std::min<size_t>(segments.size(), static_cast<size_t>(options.max_segments)));
  return segments;
}

Result<std::vector<Range>> CutByCount(const Range& range, const SplitOptions& options) {
  const int64_t count = *options.num_segments;
  const int64_t length = *range.end - range.start;
  if (length < count) {
    return RowError(fmt::format("{} ms of video cannot be cut into {} segments", length, count));
  }
  std::vector<int64_t> borders;
  for (int64_t i = 1; i < count && i <= options.max_segments; ++i) {
    borders.push_back(range.start + static_cast<int64_t>(__int128{length} * i / count));
  }
  return CutAt(borders, range, options);
}

class Split : public TableKernel {
 public:
  /// `duration_field` is that of the second argument, where it is a struct.
  Split(SplitOptions options, size_t duration_field) : options_(std::move(options)), duration_field_(duration_field) {}

  Status Start(std::span<const Value> arguments) override {
    segments_.clear();
    next_ = 0;
    Status status = Plan(arguments);
    if (!status.ok()) segments_.clear();
    return IsSkipped(status, options_.on_error) ? Status::OK() : status;
  }

  Result<std::optional<std::vector<Value>>> Next() override {
    if (next_ == segments_.size()) return std::optional<std::vector<Value>>();
    const Range& segment = segments_[next_++];
    MediaClip clip{.uri = source_.uri, .start_time_ms = segment.start, .end_time_ms = {}};
    if (segment.end) clip.end_time_ms = *segment.end - 1;  // a video clip includes its end
    std::vector<Value> row;
    row.emplace_back(std::move(clip));
    return std::optional<std::vector<Value>>(std::move(row));
  }

 private:
  Status Plan(std::span<const Value> arguments) {
    ARROW_ASSIGN_OR_RAISE(source_, ReadVideoSource(arguments[0]));
    if (source_.is_part_of_file) {
      return RowError(fmt::format("'{}' names a part of a file by bytes, and a clip cannot: split the whole file",
                                  Escaped(source_.uri)));
    }
    Range range{source_.start_time_ms.value_or(0), {}};
    ARROW_ASSIGN_OR_RAISE(range.end, EndOf(arguments));
    if (range.end && *range.end <= range.start) return Status::OK();  // nothing is left to cut
    auto segments = options_.at_ms ? CutAt(*options_.at_ms, range, options_)
                    : options_.num_segments ? CutByCount(range, options_) : CutByDuration(range, options_);
    if (!segments.ok()) return WithContext(segments.status(), Escaped(source_.uri));
    segments_ = std::move(*segments);
    return Status::OK();
  }

  // Where the range ends, by the cheapest way to know it.
  Result<std::optional<int64_t>> EndOf(std::span<const Value> arguments) const {
    std::optional<int64_t> duration = arguments.size() > 1 ? DurationOf(arguments[1]) : std::nullopt;
    if (!duration) duration = options_.video_duration_ms;
    if (duration && (*duration < 0 || static_cast<double>(*duration) > kMillisecondsMax)) {
      return RowError(fmt::format("{} ms is no duration of the video '{}'", *duration, Escaped(source_.uri)));
    }
    if (source_.end_time_ms) {
      if (static_cast<double>(*source_.end_time_ms) > kMillisecondsMax) {
        return RowError(fmt::format("the clip of '{}' ends at {} ms", Escaped(source_.uri), *source_.end_time_ms));
      }
      return std::optional<int64_t>(std::min(*source_.end_time_ms + 1, duration.value_or(*source_.end_time_ms + 1)));
    }
    if (duration || options_.at_ms) return duration;
    ARROW_ASSIGN_OR_RAISE(const auto bytes, source_.Open());
    const auto info = video::ReadStreamInfo(bytes.get());
    if (!info.ok()) return WithContext(info.status(), Escaped(source_.uri));
    if (info->duration_ms == video::kUnknown || static_cast<double>(info->duration_ms) > kMillisecondsMax) {
      return RowError(fmt::format("the container of '{}' does not say how long it is: give video_duration_ms or cut "
                                  "by at_ms", Escaped(source_.uri)));
    }
    return std::optional<int64_t>(info->duration_ms);
  }

  // From a number of milliseconds or a row of video.metadata.
  std::optional<int64_t> DurationOf(const Value& value) const {
    if (value.Is<int64_t>()) return value.As<int64_t>();
    if (!value.Is<StructValue>()) return std::nullopt;
    const Value& field = value.As<StructValue>().fields[duration_field_];
    return field.Is<int64_t>() ? std::optional<int64_t>(field.As<int64_t>()) : std::nullopt;
  }

  SplitOptions options_;
  size_t duration_field_;
  VideoSource source_;
  std::vector<Range> segments_;
  size_t next_ = 0;
};

Status CheckLimits(const SplitOptions& split) {
  if (split.segment_duration_ms && split.overlap_ms >= *split.segment_duration_ms) {
    return JobError(fmt::format("video.split: overlap_ms={} has to be less than segment_duration_ms={}",
                                split.overlap_ms, *split.segment_duration_ms));
  }
  if (split.num_segments && split.overlap_ms > 0 && *split.num_segments > split.max_segments) {
    return JobError(fmt::format("video.split: num_segments={} passes max_segments={}", *split.num_segments,
                                split.max_segments));
  }
  if (!split.at_ms) return Status::OK();
  if (static_cast<int64_t>(split.at_ms->size()) >= split.max_segments) {
    return JobError(fmt::format("video.split: {} cuts in at_ms pass max_segments={}", split.at_ms->size(),
                                split.max_segments));
  }
  int64_t last = 0;
  for (const int64_t cut : *split.at_ms) {
    if (cut <= last || static_cast<double>(cut) > kMillisecondsMax) {
      return JobError("video.split: at_ms has to be positive and ascending");
    }
    last = cut;
  }
  return Status::OK();
}

Result<SplitOptions> SplitOptionsOf(const Options& options) {
  SplitOptions split{.segment_duration_ms = options.MaybeInt("segment_duration_ms"),
                     .num_segments = options.MaybeInt("num_segments"),
                     .at_ms = {},
                     .video_duration_ms = options.MaybeInt("video_duration_ms"),
                     .overlap_ms = options.Int("overlap_ms"),
                     .max_segments = options.Int("max_segments"),
                     .on_error = options.String("on_error")};
  if (options.Has("at_ms")) split.at_ms = options.IntList("at_ms");
  const int modes = (split.segment_duration_ms ? 1 : 0) + (split.num_segments ? 1 : 0) + (split.at_ms ? 1 : 0);
  if (modes != 1) {
    return JobError("video.split: give one of segment_duration_ms, num_segments and at_ms");
  }
  ARROW_RETURN_NOT_OK(CheckLimits(split));
  return split;
}

// Which field of the second argument is the duration.
Result<size_t> DurationField(const BoundSignature& signature) {
  if (signature.arguments.size() < 2) return 0;
  const LogicalType& type = signature.arguments[1];
  if (type.IsInteger()) return 0;
  if (type.IsStruct()) {
    const auto members = type.members();
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].name == "duration_ms" && members[i].type.IsInteger()) return i;
    }
  }
  return JobError(fmt::format("video.split: the second argument is the video's duration in milliseconds or its "
                              "video.metadata(), not {}", type.ToString()));
}

Result<std::unique_ptr<TableKernel>> MakeSplit(const BoundSignature& signature) {
  ARROW_ASSIGN_OR_RAISE(SplitOptions options, SplitOptionsOf(signature.options));
  ARROW_ASSIGN_OR_RAISE(const size_t duration_field, DurationField(signature));
  return std::make_unique<Split>(std::move(options), duration_field);
}

std::vector<OptionSpec> OptionSpecs() {
  const auto milliseconds = [](const char* name, double minimum, const char* doc) {
    return OptionSpec{.name = name, .type = OptionType::kInt, .doc = doc, .minimum = minimum,
                      .maximum = kMillisecondsMax};
  };
  OptionSpec overlap = milliseconds("overlap_ms", 0, "Segments begin so much earlier than the one before them ends.");
  overlap.default_value = 0;
  return {
      milliseconds("segment_duration_ms", 1, "Cuts into segments of this length; the last may be shorter."),
      {.name = "num_segments",
       .type = OptionType::kInt,
       .doc = "Cuts into so many segments of equal length.",
       .minimum = 1,
       .maximum = kMaxSegmentsHighest},
      {.name = "at_ms",
       .type = OptionType::kIntList,
       .doc = "Cuts at these times, ascending; those outside the clip are passed over."},
      milliseconds("video_duration_ms", 1, "The video's duration where it is known; else its container is read."),
      overlap,
      {.name = "max_segments",
       .type = OptionType::kInt,
       .default_value = kMaxSegmentsDefault,
       .doc = "No more segments a video: cutting by length or number ends there; with an overlap or at_ms it is an "
              "error.",
       .minimum = 1,
       .maximum = kMaxSegmentsHighest},
      {.name = "on_error",
       .default_value = "raise",
       .doc = "What a broken video does: 'raise' fails the row, 'skip' gives no segments.",
       .choices = {"raise", "skip"}},
  };
}

}  // namespace

FunctionDefinition VideoSplitFunction() {
  FunctionDefinition function;
  function.name = "video.split";
  function.kind = FunctionKind::kTable;
  function.cost = CostClass::kDecode;
  function.doc =
      "Returns one row for each segment: `clip`, a reference to a range of the same video with an inclusive end in "
      "milliseconds. No picture is decoded; the container is read only where the duration is needed and neither "
      "the clip, the second argument nor video_duration_ms says it.";
  function.arguments = {{"video", TypePattern::kVideoSource, "a local uri, a file or a video clip"},
                        {"duration", TypePattern::kAny, "its duration in milliseconds, or its video.metadata()", true}};
  function.options = OptionSpecs();
  function.output_columns = [](const BoundSignature&) -> Result<std::vector<OutputColumn>> {
    return std::vector<OutputColumn>{{"clip", LogicalType::VideoClip()}};
  };
  function.make_table_kernel = &MakeSplit;
  return function;
}

}  // namespace mainstem
