#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "mainstem/functions/builtin.h"
#include "mainstem/media/video/plugin.h"

namespace mainstem {
namespace {

using Given = std::map<std::string, OptionValue>;
using Rows = std::vector<std::vector<Value>>;
using Numbers = std::vector<int64_t>;

std::string PathOf(const std::string& name) {
  return (std::filesystem::path(__FILE__).parent_path() / "../../media/video/testdata" / name).string();
}

std::string Contents(const std::string& name) {
  std::ifstream file(PathOf(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Registry& VideoRegistry() {
  static const Registry registry = [] {
    Registry made;
    EXPECT_TRUE(RegisterVideoFunctions(made).ok());
    return made;
  }();
  return registry;
}

struct Emitted {
  Rows rows;
  Status status;
  std::vector<OutputColumn> columns;
};

Emitted Explode(const std::string& name, std::vector<Value> arguments, const Given& given,
                std::vector<LogicalType> types = {LogicalType::String()}) {
  Emitted out;
  out.status = [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, VideoRegistry().Find(name));
    ARROW_ASSIGN_OR_RAISE(Options options, Options::Check(name, function->options, given));
    const BoundSignature signature{std::move(types), std::move(options)};
    ARROW_ASSIGN_OR_RAISE(out.columns, function->output_columns(signature));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, function->make_table_kernel(signature));
    ARROW_RETURN_NOT_OK(kernel->Start(arguments));
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(auto row, kernel->Next());
      if (!row) return Status::OK();
      out.rows.push_back(std::move(*row));
    }
  }();
  return out;
}

Emitted Frames(const Value& video, const Given& given = {}) {
  return Explode("video.explode_frames", {video}, given);
}

Result<Value> Metadata(const Value& video) {
  ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, VideoRegistry().Find("video.metadata"));
  ARROW_ASSIGN_OR_RAISE(Options options, Options::Check("video.metadata", function->options, {}));
  ARROW_ASSIGN_OR_RAISE(const auto kernel, function->make_row_kernel({{LogicalType::String()}, std::move(options)}));
  return kernel->Run(std::span(&video, 1));
}

Value Text(const std::string& text) { return Value(text); }

const std::vector<Value>& MetadataOf(const std::vector<Value>& row) { return row[1].As<StructValue>().fields; }

Numbers Times(const Emitted& emitted) {
  Numbers times;
  for (const auto& row : emitted.rows) times.push_back(MetadataOf(row)[4].As<int64_t>());
  return times;
}

// Start and end of every clip; -1 where open.
std::vector<std::pair<int64_t, int64_t>> Clips(const Emitted& emitted) {
  std::vector<std::pair<int64_t, int64_t>> clips;
  for (const auto& row : emitted.rows) {
    const MediaClip& clip = row[0].As<MediaClip>();
    clips.emplace_back(*clip.start_time_ms, clip.end_time_ms.value_or(-1));
  }
  return clips;
}
using Pairs = std::vector<std::pair<int64_t, int64_t>>;

class VideoFunctionsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto plugin = video::LoadDecoder(); !plugin.ok()) {
      GTEST_SKIP() << "the FFmpeg plug-in is not built: " << plugin.status().message();
    }
  }
};

TEST_F(VideoFunctionsTest, FramesOfALocalPath) {
  const std::string path = PathOf("h264.mp4");
  const Emitted emitted = Frames(Text(path), {{"frame_selector", "keyframe"}});
  ASSERT_TRUE(emitted.status.ok()) << emitted.status.ToString();
  EXPECT_EQ(Times(emitted), (Numbers{0, 1000, 2000}));
  const auto& metadata = MetadataOf(emitted.rows[1]);
  ASSERT_EQ(metadata.size(), 8u);
  EXPECT_EQ(metadata[0].As<Bytes>().view(), path);
  EXPECT_EQ(metadata[1].As<int64_t>(), 0);
  EXPECT_EQ(metadata[2].As<int64_t>(), 10);
  EXPECT_EQ(metadata[3].As<int64_t>(), 10240);
  EXPECT_TRUE(metadata[5].As<bool>());
  EXPECT_TRUE(metadata[6].is_null());
  EXPECT_TRUE(metadata[7].is_null());
}

TEST_F(VideoFunctionsTest, FramesOfAFileInMemoryAndOfAClip) {
  FileReference file{.uri = "https://example.org/h264.mp4"};
  file.data = Bytes::Own(Contents("h264.mp4"));
  EXPECT_EQ(Frames(Value(file), {{"every_nth", 10}}).rows.size(), 3u);
  const MediaClip clip{.uri = "file://" + PathOf("vp9.webm"), .start_time_ms = 950, .end_time_ms = 1100};
  const Emitted emitted = Frames(Value(clip));
  EXPECT_EQ(Times(emitted), (Numbers{1000, 1100}));
  EXPECT_EQ(MetadataOf(emitted.rows[0])[6].As<int64_t>(), 950);
  EXPECT_EQ(MetadataOf(emitted.rows[0])[7].As<int64_t>(), 1100);
}

TEST_F(VideoFunctionsTest, SizeIsPartOfTheType) {
  const Emitted emitted = Frames(Text(PathOf("h264.mp4")),
                                 {{"image_height", 20}, {"image_width", 30}, {"max_frames", 2},
                                  {"frame_selector", "sample"}});
  ASSERT_EQ(emitted.rows.size(), 2u);
  EXPECT_EQ(Times(emitted), (Numbers{0, 1000}));
  EXPECT_EQ(emitted.rows[0][0].As<Image>().height, 20);
  EXPECT_EQ(emitted.rows[0][0].As<Image>().width, 30);
  EXPECT_EQ(emitted.columns[0].type, LogicalType::Image(ImageMode::kRGB, 20, 30));
  EXPECT_EQ(Frames(Text(PathOf("h264.mp4")), {{"max_frames", 1}}).columns[0].type, LogicalType::Image(ImageMode::kRGB));
}

TEST_F(VideoFunctionsTest, SkipKeepsRowsBeforeTheDamage) {
  FileReference file{.uri = "cut.mp4"};
  file.data = Bytes::Own(Contents("h264.mp4").substr(0, 4000));
  const Emitted raised = Frames(Value(file));
  EXPECT_EQ(ClassOf(raised.status), ErrorClass::kRow);
  EXPECT_NE(raised.status.message().find("cut.mp4"), std::string::npos);
  EXPECT_GT(raised.rows.size(), 3u);
  const Emitted skipped = Frames(Value(file), {{"on_error", "skip"}});
  EXPECT_TRUE(skipped.status.ok());
  EXPECT_EQ(skipped.rows.size(), raised.rows.size());
  file.data = Bytes::Own("nothing of the kind");
  EXPECT_TRUE(Frames(Value(file), {{"on_error", "skip"}}).status.ok());
}

TEST_F(VideoFunctionsTest, RemoteVideosHaveToBeFetchedAndMissingOnesAlwaysRaise) {
  const Emitted remote = Frames(Text("https://example.org/a.mp4"));
  EXPECT_EQ(ClassOf(remote.status), ErrorClass::kRow);
  EXPECT_NE(remote.status.message().find("fetched"), std::string::npos);
  EXPECT_EQ(ClassOf(Frames(Text("/nowhere/a.mp4"), {{"on_error", "skip"}}).status), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Frames(Value(MediaClip{.uri = "a.mp4", .start_time_ms = 5, .end_time_ms = 4})).status),
            ErrorClass::kRow);
}

TEST_F(VideoFunctionsTest, OptionsThatContradictAreJobErrors) {
  const Value video = Text(PathOf("h264.mp4"));
  for (const Given& given : {Given{{"image_height", 20}}, Given{{"sample_interval_ms", 100}},
                             Given{{"frame_selector", "best"}}, Given{{"max_frames", 0}},
                             Given{{"image_height", 65535}, {"image_width", 65535}}}) {
    EXPECT_EQ(ClassOf(Frames(video, given).status), ErrorClass::kJob);
  }
}

TEST_F(VideoFunctionsTest, MetadataOfContainers) {
  const Value mp4 = *Metadata(Text(PathOf("h264.mp4")));
  const auto& fields = mp4.As<StructValue>().fields;
  EXPECT_EQ(fields[0].As<int64_t>(), 64);
  EXPECT_EQ(fields[1].As<int64_t>(), 48);
  EXPECT_DOUBLE_EQ(fields[2].As<double>(), 10);
  EXPECT_EQ(fields[3].As<int64_t>(), 3000);
  EXPECT_EQ(fields[4].As<int64_t>(), 30);
  EXPECT_DOUBLE_EQ(fields[5].As<double>(), 1.0 / 10240);
  EXPECT_EQ(fields[6].As<Bytes>().view(), "h264");
  EXPECT_EQ(fields[7].As<int64_t>(), 0);
  const Value webm = *Metadata(Text(PathOf("vp9.webm")));
  EXPECT_TRUE(webm.As<StructValue>().fields[4].is_null()) << "the container does not say";
  EXPECT_EQ(ClassOf(Metadata(Text(PathOf("expected.json"))).status()), ErrorClass::kRow);
}

TEST_F(VideoFunctionsTest, SplitReadsTheDurationFromTheContainer) {
  const Emitted emitted = Explode("video.split", {Text(PathOf("h264.mp4"))}, {{"segment_duration_ms", 1400}});
  EXPECT_EQ(Clips(emitted), (Pairs{{0, 1399}, {1400, 2799}, {2800, 2999}}));
  EXPECT_EQ(emitted.rows[0][0].As<MediaClip>().uri, PathOf("h264.mp4"));
}

TEST_F(VideoFunctionsTest, SegmentsTogetherHoldEveryFrameOnce) {
  Numbers times;
  for (const auto& row : Explode("video.split", {Text(PathOf("h264.mp4"))}, {{"num_segments", 7}}).rows) {
    for (const int64_t time : Times(Frames(row[0]))) times.push_back(time);
  }
  EXPECT_EQ(times, Times(Frames(Text(PathOf("h264.mp4")))));
}

const Value kSecond(MediaClip{.uri = "v", .start_time_ms = 100, .end_time_ms = 1099});

Emitted Split(const Given& given, Value video = kSecond) {
  return Explode("video.split", {std::move(video)}, given, {LogicalType::VideoClip()});
}

TEST(VideoSplitTest, ByDuration) {
  EXPECT_EQ(Clips(Split({{"segment_duration_ms", 400}})), (Pairs{{100, 499}, {500, 899}, {900, 1099}}));
  EXPECT_EQ(Clips(Split({{"segment_duration_ms", 5000}})), (Pairs{{100, 1099}}));
  EXPECT_EQ(Clips(Split({{"segment_duration_ms", 400}, {"overlap_ms", 100}})),
            (Pairs{{100, 499}, {400, 799}, {700, 1099}}));
}

TEST(VideoSplitTest, ByNumber) {
  EXPECT_EQ(Clips(Split({{"num_segments", 3}})), (Pairs{{100, 432}, {433, 765}, {766, 1099}}));
  EXPECT_EQ(Clips(Split({{"num_segments", 2}, {"overlap_ms", 50}})), (Pairs{{100, 599}, {550, 1099}}));
  EXPECT_EQ(ClassOf(Split({{"num_segments", 1001}}).status), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Split({{"num_segments", 2}, {"overlap_ms", 500}}).status), ErrorClass::kRow);
}

TEST(VideoSplitTest, AtTimes) {
  const OptionValue::List cuts{50, 300, 800, 2000};
  EXPECT_EQ(Clips(Split({{"at_ms", cuts}})), (Pairs{{100, 299}, {300, 799}, {800, 1099}}));
  EXPECT_EQ(Clips(Split({{"at_ms", cuts}, {"overlap_ms", 10}})), (Pairs{{100, 299}, {290, 799}, {790, 1099}}));
  const Value open = Value(MediaClip{.uri = "v", .start_time_ms = {}, .end_time_ms = {}});
  EXPECT_EQ(Clips(Split({{"at_ms", OptionValue::List{300}}}, open)), (Pairs{{0, 299}, {300, -1}}));
}

TEST(VideoSplitTest, LimitEndsOrRefuses) {
  EXPECT_EQ(Clips(Split({{"segment_duration_ms", 100}, {"max_segments", 2}})), (Pairs{{100, 199}, {200, 299}}));
  EXPECT_EQ(Clips(Split({{"num_segments", 10}, {"max_segments", 2}})), (Pairs{{100, 199}, {200, 299}}));
  EXPECT_EQ(ClassOf(Split({{"segment_duration_ms", 100}, {"overlap_ms", 10}, {"max_segments", 2}}).status),
            ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Split({{"at_ms", OptionValue::List{200, 300}}, {"max_segments", 2}}).status), ErrorClass::kJob);
}

TEST(VideoSplitTest, OneModeAndSoundNumbers) {
  for (const Given& given :
       {Given{}, Given{{"num_segments", 2}, {"segment_duration_ms", 5}}, Given{{"at_ms", OptionValue::List{5, 5}}},
        Given{{"segment_duration_ms", 10}, {"overlap_ms", 10}}, Given{{"at_ms", OptionValue::List{-1}}}}) {
    EXPECT_EQ(ClassOf(Split(given).status), ErrorClass::kJob);
  }
}

TEST(VideoSplitTest, DurationFromTheSecondArgument) {
  const std::vector<LogicalType> types{LogicalType::String(), LogicalType::Int64()};
  const Emitted number = Explode("video.split", {Text("v"), Value(int64_t{1000})}, {{"num_segments", 2}}, types);
  EXPECT_EQ(Clips(number), (Pairs{{0, 499}, {500, 999}}));
  const LogicalType metadata =
      LogicalType::Struct({{"width", LogicalType::Int32()}, {"duration_ms", LogicalType::Int64()}});
  const Value row(StructValue{{Value(64), Value(int64_t{600})}});
  EXPECT_EQ(Clips(Explode("video.split", {Text("v"), row}, {{"num_segments", 2}}, {LogicalType::String(), metadata})),
            (Pairs{{0, 299}, {300, 599}}));
  const Given given{{"num_segments", 2}, {"video_duration_ms", 200}};
  EXPECT_EQ(Clips(Explode("video.split", {Text("v"), Value()}, given, types)), (Pairs{{0, 99}, {100, 199}}));
  EXPECT_EQ(ClassOf(Explode("video.split", {Text("v"), Text("x")}, {{"num_segments", 2}},
                            {LogicalType::String(), LogicalType::String()}).status),
            ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
