#include <fmt/format.h>

#include "mainstem/functions/video/video_functions.h"
#include "mainstem/functions/video/video_source.h"
#include "mainstem/media/video/frame_reader.h"

namespace mainstem {
namespace {

constexpr int64_t kSampleIntervalMsDefault = 1000;
constexpr int64_t kSideMax = 65535;
constexpr double kThreadsMax = 64;
constexpr int64_t kPixelLimitDefault = 178956970;  // Pillow's limit for a decoded picture

class ExplodeFrames : public TableKernel {
 public:
  ExplodeFrames(video::FrameOptions options, std::string on_error)
      : options_(options), on_error_(std::move(on_error)) {}

  Status Start(std::span<const Value> arguments) override {
    reader_.reset();
    const Status status = Open(arguments[0]);
    return IsSkipped(status, on_error_) ? Status::OK() : status;
  }

  Result<std::optional<std::vector<Value>>> Next() override {
    std::optional<std::vector<Value>> row;
    if (!reader_) return row;
    auto frame = reader_->Next();
    if (!frame.ok() || !*frame) reader_.reset();
    if (!frame.ok()) {
      if (IsSkipped(frame.status(), on_error_)) return row;
      return WithContext(frame.status(), Escaped(source_.uri));
    }
    if (*frame) row = Row(std::move(**frame));
    return row;
  }

 private:
  Status Open(const Value& argument) {
    ARROW_ASSIGN_OR_RAISE(source_, ReadVideoSource(argument));
    ARROW_ASSIGN_OR_RAISE(auto bytes, source_.Open());
    video::FrameOptions options = options_;
    options.start_time_ms = source_.start_time_ms;
    options.end_time_ms = source_.end_time_ms;
    auto reader = video::FrameReader::Open(std::move(bytes), options);
    if (!reader.ok()) return WithContext(reader.status(), Escaped(source_.uri));
    reader_ = std::move(*reader);
    return Status::OK();
  }

  std::vector<Value> Row(video::VideoFrame frame) const {
    const auto or_null = [](std::optional<int64_t> time) { return time ? Value(*time) : Value(); };
    StructValue metadata{{Value(source_.uri), Value(reader_->info().stream_index), Value(frame.frame_index),
                          Value(frame.pts), Value(frame.time_ms), Value(frame.key_frame),
                          or_null(source_.start_time_ms), or_null(source_.end_time_ms)}};
    std::vector<Value> row;
    row.emplace_back(std::move(frame.image));
    row.emplace_back(std::move(metadata));
    return row;
  }

  video::FrameOptions options_;
  std::string on_error_;
  VideoSource source_;
  std::unique_ptr<video::FrameReader> reader_;
};

Result<video::FrameOptions> FrameOptionsOf(const Options& options) {
  video::FrameOptions frames;
  const std::string& selector = options.String("frame_selector");
  if (selector == "keyframe") frames.selector = video::FrameSelector::kKeyframe;
  if (selector == "sample") frames.selector = video::FrameSelector::kSample;
  if (options.Has("sample_interval_ms") && selector != "sample") {
    return JobError("video.explode_frames: sample_interval_ms needs frame_selector='sample'");
  }
  if (options.Has("image_height") != options.Has("image_width")) {
    return JobError("video.explode_frames: image_height and image_width go together; give both or neither");
  }
  frames.sample_interval_ms = options.MaybeInt("sample_interval_ms").value_or(kSampleIntervalMsDefault);
  frames.every_nth = options.Int("every_nth");
  frames.max_frames = options.MaybeInt("max_frames");
  frames.height = static_cast<int32_t>(options.MaybeInt("image_height").value_or(0));
  frames.width = static_cast<int32_t>(options.MaybeInt("image_width").value_or(0));
  frames.pixel_limit = options.Int("pixel_limit");
  frames.threads = static_cast<int32_t>(options.Int("threads"));
  if (int64_t{frames.height} * frames.width > frames.pixel_limit) {
    return JobError(fmt::format("video.explode_frames: pictures of {} × {} pass pixel_limit={}", frames.height,
                                frames.width, frames.pixel_limit));
  }
  return frames;
}

Result<std::vector<OutputColumn>> OutputColumns(const BoundSignature& signature) {
  ARROW_ASSIGN_OR_RAISE(const video::FrameOptions options, FrameOptionsOf(signature.options));
  const auto side = [](int32_t value) { return value > 0 ? std::optional<int32_t>(value) : std::nullopt; };
  return std::vector<OutputColumn>{
      {"frame", LogicalType::Image(ImageMode::kRGB, side(options.height), side(options.width))},
      {"metadata", LogicalType::Struct({{"uri", LogicalType::String()},
                                        {"video_stream_index", LogicalType::Int32()},
                                        {"frame_index", LogicalType::Int64()},
                                        {"pts", LogicalType::Int64()},
                                        {"time_ms", LogicalType::Int64()},
                                        {"key_frame", LogicalType::Bool()},
                                        {"start_time_ms", LogicalType::Int64()},
                                        {"end_time_ms", LogicalType::Int64()}})}};
}

std::vector<OptionSpec> OptionSpecs() {
  const auto side_max = static_cast<double>(kSideMax);
  return {
      {.name = "frame_selector",
       .default_value = "all_frames",
       .doc = "'all_frames', 'keyframe' (nothing else is decoded), or 'sample': the first picture at or after each "
              "multiple of sample_interval_ms from the range's start.",
       .choices = {"all_frames", "keyframe", "sample"}},
      {.name = "sample_interval_ms",
       .type = OptionType::kInt,
       .doc = "Distance of sampled pictures in milliseconds; 1000 where not given. Only with 'sample'.",
       .minimum = 1},
      {.name = "max_frames", .type = OptionType::kInt, .doc = "At most so many pictures a video.", .minimum = 1},
      {.name = "image_height",
       .type = OptionType::kInt,
       .doc = "Scales every picture to this height (bilinear, without keeping the aspect); with image_width.",
       .minimum = 1,
       .maximum = side_max},
      {.name = "image_width",
       .type = OptionType::kInt,
       .doc = "Scales every picture to this width; with image_height.",
       .minimum = 1,
       .maximum = side_max},
      {.name = "every_nth",
       .type = OptionType::kInt,
       .default_value = 1,
       .doc = "Keeps the first and every n-th of the selected pictures; the others are not converted to RGB.",
       .minimum = 1},
      {.name = "pixel_limit",
       .type = OptionType::kInt,
       .default_value = kPixelLimitDefault,
       .doc = "A picture of more pixels fails the row.",
       .minimum = 1},
      {.name = "threads",
       .type = OptionType::kInt,
       .default_value = 1,
       .doc = "Threads of one video's decoder. Rows are read in parallel anyway; more help where videos are few and "
              "long.",
       .minimum = 1,
       .maximum = kThreadsMax},
      {.name = "on_error",
       .default_value = "raise",
       .doc = "What a broken video does: 'raise' fails the row, 'skip' ends it; pictures emitted before stay.",
       .choices = {"raise", "skip"}},
  };
}

}  // namespace

FunctionDefinition VideoExplodeFramesFunction() {
  FunctionDefinition function;
  function.name = "video.explode_frames";
  function.kind = FunctionKind::kTable;
  function.cost = CostClass::kHeavy;
  function.doc =
      "Returns one row for each picture of the first video stream: `frame`, an RGB image, and `metadata` (uri, "
      "video_stream_index, frame_index, pts, time_ms, key_frame, start_time_ms, end_time_ms). pts (in units of the "
      "stream's time base) and time_ms are relative to the video's first picture; frame_index counts the pictures "
      "of the range. A clip's end is inclusive. Rotation stored in the container is not applied. Remote videos "
      "have to be fetched first.";
  function.arguments = {{"video", TypePattern::kVideoSource, "a local uri, a file or a video clip"}};
  function.options = OptionSpecs();
  function.output_columns = &OutputColumns;
  function.make_table_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<TableKernel>> {
    ARROW_ASSIGN_OR_RAISE(const video::FrameOptions options, FrameOptionsOf(signature.options));
    return std::make_unique<ExplodeFrames>(options, signature.options.String("on_error"));
  };
  return function;
}

}  // namespace mainstem
