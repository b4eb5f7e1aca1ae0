#include "mainstem/media/video/frame_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "mainstem/media/video/byte_source.h"
#include "mainstem/media/video/container_size.h"
#include "mainstem/media/video/plugin.h"

namespace mainstem::video {
namespace {

// What ffprobe and ffmpeg say of the fixtures; see testdata/make_fixtures.py.
const nlohmann::json& Expected() {
  static const nlohmann::json expected = [] {
    std::ifstream file(std::string(MAINSTEM_TESTDATA) + "/expected.json");
    return nlohmann::json::parse(file);
  }();
  return expected;
}

std::string PathOf(const std::string& name) { return std::string(MAINSTEM_TESTDATA) + "/" + name; }

std::string Contents(const std::string& name) {
  std::ifstream file(PathOf(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcomes {
  std::vector<VideoFrame> frames;
  Status status;
};

Outcomes ReadAll(std::unique_ptr<ByteSource> source, const FrameOptions& options = {}) {
  Outcomes out;
  auto reader = FrameReader::Open(std::move(source), options);
  if (!reader.ok()) return {{}, reader.status()};
  for (;;) {
    auto frame = (*reader)->Next();
    if (!frame.ok()) {
      out.status = frame.status();
      return out;
    }
    if (!*frame) return out;
    out.frames.push_back(std::move(**frame));
  }
}

Outcomes ReadAll(const std::string& name, const FrameOptions& options = {}) {
  auto source = OpenFile(PathOf(name));
  if (!source.ok()) return {{}, source.status()};
  return ReadAll(std::move(*source), options);
}

std::vector<int64_t> Times(const Outcomes& outcomes) {
  std::vector<int64_t> times;
  for (const VideoFrame& frame : outcomes.frames) times.push_back(frame.time_ms);
  return times;
}

std::vector<int64_t> Indexes(const Outcomes& outcomes) {
  std::vector<int64_t> indexes;
  for (const VideoFrame& frame : outcomes.frames) indexes.push_back(frame.frame_index);
  return indexes;
}

using Numbers = std::vector<int64_t>;

double Mean(const Image& image, int channel) {
  double sum = 0;
  const int64_t pixels = int64_t{image.height} * image.width;
  for (int64_t i = 0; i < pixels; ++i) sum += image.data()[i * 3 + channel];
  return sum / static_cast<double>(pixels);
}

class FrameReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto plugin = LoadDecoder(); !plugin.ok()) {
      GTEST_SKIP() << "the FFmpeg plug-in is not built: " << plugin.status().message();
    }
  }
};

class EveryContainer : public FrameReaderTest, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Containers, EveryContainer,
                         testing::Values("h264.mp4", "h264_end.mp4", "vp9.webm", "h264.mkv", "mpeg4.avi", "h264.ts"),
                         [](const auto& info) {
                           std::string name = info.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

TEST_P(EveryContainer, PicturesTimesAndKeyFramesAreFfprobes) {
  const nlohmann::json& expected = Expected()[GetParam()];
  const Outcomes outcomes = ReadAll(GetParam());
  ASSERT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  ASSERT_EQ(outcomes.frames.size(), expected["pts"].size());
  for (size_t i = 0; i < outcomes.frames.size(); ++i) {
    const VideoFrame& frame = outcomes.frames[i];
    EXPECT_EQ(frame.pts, expected["pts"][i].get<int64_t>());
    EXPECT_EQ(frame.time_ms, static_cast<int64_t>(i) * 100);
    EXPECT_EQ(frame.frame_index, static_cast<int64_t>(i));
    EXPECT_EQ(frame.key_frame, expected["key"][i].get<int>() == 1) << i;
    EXPECT_EQ(frame.image.width, 64);
    EXPECT_EQ(frame.image.height, 48);
  }
}

TEST_P(EveryContainer, ColoursAreFfmpegs) {
  const nlohmann::json& expected = Expected()[GetParam()];
  const Outcomes whole = ReadAll(GetParam(), {.max_frames = 1});
  const Outcomes small = ReadAll(GetParam(), {.max_frames = 1, .width = 30, .height = 20});
  ASSERT_EQ(whole.frames.size(), 1u);
  ASSERT_EQ(small.frames.size(), 1u);
  EXPECT_EQ(small.frames[0].image.width, 30);
  EXPECT_EQ(small.frames[0].image.height, 20);
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(Mean(whole.frames[0].image, channel), expected["mean"][channel].get<double>(), 0.5);
    EXPECT_NEAR(Mean(small.frames[0].image, channel), expected["mean_small"][channel].get<double>(), 0.5);
  }
}

TEST_P(EveryContainer, KeyframesKeepTheirPlace) {
  const Outcomes outcomes = ReadAll(GetParam(), {.selector = FrameSelector::kKeyframe});
  ASSERT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  EXPECT_EQ(Times(outcomes), (Numbers{0, 1000, 2000}));
  EXPECT_EQ(Indexes(outcomes), (Numbers{0, 10, 20}));
}

TEST_P(EveryContainer, KeyframeIsTheSamePictureAsInTheWholeStream) {
  const Outcomes keys = ReadAll(GetParam(), {.selector = FrameSelector::kKeyframe});
  const Outcomes all = ReadAll(GetParam());
  ASSERT_EQ(keys.frames.size(), 3u);
  ASSERT_EQ(all.frames.size(), 30u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(keys.frames[i].image.pixels->Equals(*all.frames[i * 10].image.pixels)) << i;
  }
}

TEST_P(EveryContainer, RangeIncludesItsEnd) {
  const Outcomes outcomes = ReadAll(GetParam(), {.start_time_ms = 1250, .end_time_ms = 1600});
  ASSERT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  EXPECT_EQ(Times(outcomes), (Numbers{1300, 1400, 1500, 1600}));
  EXPECT_EQ(Indexes(outcomes), (Numbers{0, 1, 2, 3}));
  const Outcomes all = ReadAll(GetParam());
  EXPECT_TRUE(outcomes.frames[0].image.pixels->Equals(*all.frames[13].image.pixels));
}

TEST_P(EveryContainer, RangeOfKeyframesCountsThePicturesBetween) {
  const Outcomes outcomes = ReadAll(GetParam(), {.selector = FrameSelector::kKeyframe, .start_time_ms = 700});
  ASSERT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  EXPECT_EQ(Times(outcomes), (Numbers{1000, 2000}));
  EXPECT_EQ(Indexes(outcomes), (Numbers{3, 13}));
}

TEST_P(EveryContainer, SampleTakesTheFirstPictureAtOrAfterEachMultiple) {
  const Outcomes outcomes = ReadAll(GetParam(), {.selector = FrameSelector::kSample, .sample_interval_ms = 750});
  EXPECT_EQ(Times(outcomes), (Numbers{0, 800, 1500, 2300}));
  EXPECT_EQ(Indexes(outcomes), (Numbers{0, 8, 15, 23}));
}

TEST_P(EveryContainer, TheSameFromMemory) {
  const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(Contents(GetParam()))));
  const Outcomes from_file = ReadAll(GetParam());
  ASSERT_EQ(outcomes.frames.size(), from_file.frames.size());
  EXPECT_TRUE(outcomes.frames.back().image.pixels->Equals(*from_file.frames.back().image.pixels));
}

TEST_P(EveryContainer, MetadataIsFfprobes) {
  const nlohmann::json& expected = Expected()[GetParam()];
  const auto source = *OpenFile(PathOf(GetParam()));
  const auto info = ReadStreamInfo(source.get());
  ASSERT_TRUE(info.ok()) << info.status().ToString();
  EXPECT_EQ(info->width, expected["width"].get<int>());
  EXPECT_EQ(info->height, expected["height"].get<int>());
  EXPECT_EQ(info->codec_name, expected["codec"].get<std::string>());
  EXPECT_DOUBLE_EQ(info->frames_per_second, 10.0);
  EXPECT_EQ(info->duration_ms, std::llround(std::stod(expected["duration"].get<std::string>()) * 1000));
  const nlohmann::json& count = expected["nb_frames"];
  EXPECT_EQ(info->frame_count, count.is_null() ? kUnknown : std::stoll(count.get<std::string>()));
  EXPECT_EQ(std::to_string(info->time_base_numerator) + "/" + std::to_string(info->time_base_denominator),
            expected["time_base"].get<std::string>());
}

TEST_P(EveryContainer, ThreadsOfTheDecoderChangeNothing) {
  for (const FrameSelector selector : {FrameSelector::kAll, FrameSelector::kKeyframe}) {
    const Outcomes one = ReadAll(GetParam(), {.selector = selector});
    const Outcomes four = ReadAll(GetParam(), {.selector = selector, .threads = 4});
    EXPECT_EQ(Times(four), Times(one));
    EXPECT_TRUE(four.frames.back().image.pixels->Equals(*one.frames.back().image.pixels));
  }
}

TEST_F(FrameReaderTest, SamplesThatTheIndexInventsAreARowError) {
  std::string bytes = Contents("h264.mp4");
  // One table each: sizes (all 1 byte), durations and chunks, claiming 100,000 samples (ISO/IEC 14496-12, 8.6 and 8.7).
  const std::string many("\x00\x01\x86\xa0", 4);
  bytes.replace(bytes.find("stsz") + 8, 8, std::string("\0\0\0\x01", 4) + many);
  bytes.replace(bytes.find("stts") + 12, 4, many);
  bytes.replace(bytes.find("stsc") + 16, 4, many);
  const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(std::move(bytes))));
  EXPECT_EQ(ClassOf(outcomes.status), ErrorClass::kRow) << outcomes.status.ToString();
}

TEST_F(FrameReaderTest, EveryNthAndMaxFrames) {
  EXPECT_EQ(Times(ReadAll("h264.mp4", {.every_nth = 7})), (Numbers{0, 700, 1400, 2100, 2800}));
  EXPECT_EQ(Times(ReadAll("h264.mp4", {.every_nth = 7, .max_frames = 2})), (Numbers{0, 700}));
}

TEST_F(FrameReaderTest, RangesBeyondTheVideoAreEmpty) {
  const Outcomes outcomes = ReadAll("h264.mp4", {.start_time_ms = 60000});
  EXPECT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  EXPECT_TRUE(outcomes.frames.empty());
  EXPECT_TRUE(ReadAll("h264.mp4", {.start_time_ms = int64_t{1} << 60}).status.ok());
  EXPECT_EQ(ReadAll("h264.mp4", {.end_time_ms = 0}).frames.size(), 1u);
}

TEST_F(FrameReaderTest, TruncatedFileGivesItsGoodPicturesAndThenTheError) {
  for (const char* name : {"h264.mp4", "vp9.webm", "h264.mkv", "mpeg4.avi"}) {
    std::string bytes = Contents(name);
    bytes.resize(bytes.size() * 2 / 3);
    const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(std::move(bytes))));
    EXPECT_EQ(ClassOf(outcomes.status), ErrorClass::kRow) << name << ": " << outcomes.status.ToString();
    EXPECT_GE(outcomes.frames.size(), 10u) << name;
    EXPECT_LT(outcomes.frames.size(), 30u) << name;
  }
}

TEST_F(FrameReaderTest, DurationThatLiesChangesNothingButTheMetadata) {
  std::string bytes = Contents("h264.mp4");
  // The movie header: size, "mvhd", version and flags, two dates, time scale, duration.
  const size_t place = bytes.find("mvhd") + 4 + 4 + 8 + 4;
  bytes.replace(place, 4, "\x7f\xff\xff\xff", 4);
  for (const char* box : {"mdhd", "tkhd"}) {
    const size_t at = bytes.find(box) + 4 + 4 + 8 + (std::string(box) == "tkhd" ? 8 : 4);
    bytes.replace(at, 4, "\x7f\xff\xff\xff", 4);
  }
  const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(std::move(bytes))));
  EXPECT_TRUE(outcomes.status.ok()) << outcomes.status.ToString();
  EXPECT_EQ(outcomes.frames.size(), 30u);
}

TEST_F(FrameReaderTest, RefusesWhatIsNoVideo) {
  for (std::string bytes : {std::string(), std::string("no video at all"), std::string(5000, '\0'),
                            Contents("sound_only.mp4"), Contents("expected.json")}) {
    const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(bytes)));
    EXPECT_EQ(ClassOf(outcomes.status), ErrorClass::kRow) << outcomes.status.ToString();
    EXPECT_TRUE(outcomes.frames.empty());
  }
}

TEST_F(FrameReaderTest, RefusesPlaylistsThatNameOtherFiles) {
  const std::string target = PathOf("h264.mp4");
  const std::vector<std::string> playlists = {
      "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.0,\n" + target + "\n#EXT-X-ENDLIST\n",
      "ffconcat version 1.0\nfile '" + target + "'\n",
      "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet>"
      "<Representation id=\"0\"><BaseURL>" + target + "</BaseURL></Representation></AdaptationSet></Period></MPD>",
      "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n",
  };
  for (const std::string& playlist : playlists) {
    const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(playlist)));
    EXPECT_EQ(ClassOf(outcomes.status), ErrorClass::kRow) << outcomes.status.ToString();
    EXPECT_TRUE(outcomes.frames.empty()) << playlist;
  }
}

TEST_F(FrameReaderTest, PixelLimitHoldsForDecodedAndScaledPictures) {
  const Outcomes decoded = ReadAll("h264.mp4", {.pixel_limit = 1000});
  EXPECT_EQ(ClassOf(decoded.status), ErrorClass::kRow) << decoded.status.ToString();
  EXPECT_TRUE(decoded.frames.empty());
  const Outcomes scaled = ReadAll("h264.mp4", {.width = 1000, .height = 1000, .pixel_limit = 500000});
  EXPECT_EQ(ClassOf(scaled.status), ErrorClass::kRow) << scaled.status.ToString();
}

TEST_P(EveryContainer, CorruptedBytesNeverCrashOrHang) {
  const std::string sound = Contents(GetParam());
  std::mt19937 random(20240607);
  for (int round = 0; round < 120; ++round) {
    std::string bytes = sound;
    const int changes = 1 + static_cast<int>(random() % 20);
    for (int i = 0; i < changes; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (round % 4 == 0) bytes.resize(random() % bytes.size());
    const FrameOptions options{.selector = static_cast<FrameSelector>(round % 3),
                               .max_frames = 200,
                               .start_time_ms = round % 5 == 0 ? std::optional<int64_t>(1500) : std::nullopt,
                               .width = round % 2 == 0 ? 16 : 0,
                               .height = round % 2 == 0 ? 16 : 0,
                               .pixel_limit = 1 << 20};
    const Outcomes outcomes = ReadAll(OpenBytes(Bytes::Own(std::move(bytes))), options);
    EXPECT_TRUE(outcomes.status.ok() || ClassOf(outcomes.status) == ErrorClass::kRow) << outcomes.status.ToString();
    EXPECT_LE(outcomes.frames.size(), 200u);
  }
}

TEST(OpenFileTest, NamesWhatCannotBeOpened) {
  const auto missing = OpenFile("/nowhere/at/all.mp4");
  EXPECT_EQ(ClassOf(missing.status()), ErrorClass::kJob);
  EXPECT_NE(missing.status().message().find("/nowhere/at/all.mp4"), std::string::npos);
  EXPECT_EQ(ClassOf(OpenFile(MAINSTEM_TESTDATA).status()), ErrorClass::kJob);
}

TEST(OpenFileTest, ReadsAPartOfAFile) {
  const std::string whole = Contents("h264.mp4");
  const auto source = *OpenFile(PathOf("h264.mp4"), 100, 50);
  EXPECT_EQ(source->size(), 50);
  char out[80];
  EXPECT_EQ(source->ReadAt(10, 80, out), 40);
  EXPECT_EQ(std::string(out, 40), whole.substr(110, 40));
  EXPECT_EQ(source->ReadAt(50, 1, out), 0);
}

TEST(ClaimedSizeTest, IsTheFilesSizeWhereTheContainerSaysIt) {
  for (const char* name : {"h264.mp4", "h264_end.mp4", "vp9.webm", "h264.mkv", "mpeg4.avi"}) {
    const std::string bytes = Contents(name);
    const auto source = OpenBytes(Bytes::Own(bytes));
    EXPECT_EQ(ClaimedSize(source.get()), static_cast<int64_t>(bytes.size())) << name;
    const auto half = OpenBytes(Bytes::Own(bytes.substr(0, bytes.size() / 2)));
    EXPECT_GT(ClaimedSize(half.get()), static_cast<int64_t>(bytes.size() / 2)) << name;
  }
  const auto stream = OpenBytes(Bytes::Own(Contents("h264.ts")));
  EXPECT_EQ(ClaimedSize(stream.get()), std::nullopt);
}

TEST(LoadDecoderTest, AMissingPluginSaysWhatToInstall) {
  const auto plugin = LoadDecoderFrom(std::vector<std::string>{"/nowhere/libmainstem_ffmpeg.so"});
  EXPECT_EQ(ClassOf(plugin.status()), ErrorClass::kJob);
  EXPECT_NE(plugin.status().message().find("libavformat"), std::string::npos);
  EXPECT_NE(plugin.status().message().find("MAINSTEM_PLUGIN_PATH"), std::string::npos);
}

TEST(LoadDecoderTest, RefusesAFileThatIsNoPlugin) {
  const auto plugin = LoadDecoderFrom(std::vector<std::string>{PathOf("h264.mp4")});
  EXPECT_EQ(ClassOf(plugin.status()), ErrorClass::kJob);
  EXPECT_NE(plugin.status().message().find("cannot be loaded"), std::string::npos);
}

}  // namespace
}  // namespace mainstem::video
