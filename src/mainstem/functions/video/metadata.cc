#include <fmt/format.h>

#include "mainstem/functions/video/video_functions.h"
#include "mainstem/functions/video/video_source.h"
#include "mainstem/media/video/frame_reader.h"

namespace mainstem {
namespace {

Value OrNull(bool known, Value value) { return known ? std::move(value) : Value(); }

Result<Value> Run(std::span<const Value> arguments) {
  ARROW_ASSIGN_OR_RAISE(const VideoSource source, ReadVideoSource(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(const auto bytes, source.Open());
  const auto found = video::ReadStreamInfo(bytes.get());
  if (!found.ok()) return WithContext(found.status(), Escaped(source.uri));
  const video::StreamInfo& info = *found;
  const double time_base = static_cast<double>(info.time_base_numerator) / info.time_base_denominator;
  return Value(StructValue{{Value(info.width), Value(info.height),
                            OrNull(info.frames_per_second > 0, Value(info.frames_per_second)),
                            OrNull(info.duration_ms != video::kUnknown, Value(info.duration_ms)),
                            OrNull(info.frame_count != video::kUnknown, Value(info.frame_count)), Value(time_base),
                            Value(info.codec_name), Value(info.stream_index)}});
}

}  // namespace

FunctionDefinition VideoMetadataFunction() {
  FunctionDefinition function;
  function.name = "video.metadata";
  function.kind = FunctionKind::kRow;
  function.cost = CostClass::kDecode;
  function.doc =
      "Returns what the container says of its first video stream: width and height (pixels), fps, duration_ms, "
      "frame_count, time_base (seconds), codec_name and video_stream_index. What it does not say is null; no "
      "picture is counted, so a container that lies is quoted.";
  function.arguments = {{"video", TypePattern::kVideoSource, "a local uri, a file or a video clip"}};
  function.has_on_error = true;
  function.result_type = Always(LogicalType::Struct({{"width", LogicalType::Int32()},
                                                     {"height", LogicalType::Int32()},
                                                     {"fps", LogicalType::Float64()},
                                                     {"duration_ms", LogicalType::Int64()},
                                                     {"frame_count", LogicalType::Int64()},
                                                     {"time_base", LogicalType::Float64()},
                                                     {"codec_name", LogicalType::String()},
                                                     {"video_stream_index", LogicalType::Int32()}}));
  function.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel(&Run);
  };
  return function;
}

}  // namespace mainstem
