#include "mainstem/services/models/speech_detector.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "mainstem/data/logical_type.h"
#include "mainstem/services/models/openvino_backend.h"
#include "mainstem/services/models/reference.h"

namespace mainstem {
namespace {

constexpr int64_t kWindow = 512;

std::vector<SampleRange> Segments(const std::vector<float>& probabilities, const SegmentOptions& options = {}) {
  return SpeechSegments(probabilities, kWindow, static_cast<int64_t>(probabilities.size()) * kWindow, 16000, options);
}

std::vector<float> Windows(std::initializer_list<std::pair<int, float>> runs) {
  std::vector<float> probabilities;
  for (const auto& [count, probability] : runs) {
    probabilities.insert(probabilities.end(), static_cast<size_t>(count), probability);
  }
  return probabilities;
}

TEST(SpeechSegments, PadsARangeByThirtyMilliseconds) {
  // Windows 10 … 29 speak: samples 5120 … 15360, and 480 samples (30 ms) more at both ends.
  EXPECT_EQ(Segments(Windows({{10, 0.0F}, {20, 0.9F}, {20, 0.0F}})), (std::vector<SampleRange>{{4640, 15840}}));
}

TEST(SpeechSegments, DropsShortSpeechAndBridgesShortSilence) {
  EXPECT_TRUE(Segments(Windows({{10, 0.0F}, {7, 0.9F}, {20, 0.0F}})).empty());  // 224 ms
  // Two windows (64 ms) of silence do not end speech.
  EXPECT_EQ(Segments(Windows({{10, 0.9F}, {2, 0.0F}, {10, 0.9F}, {20, 0.0F}})), (std::vector<SampleRange>{{0, 11744}}));
}

TEST(SpeechSegments, StaysInSpeechBetweenTheTwoThresholds) {
  EXPECT_EQ(Segments(Windows({{10, 0.9F}, {50, 0.4F}})), (std::vector<SampleRange>{{0, 60 * kWindow}}));
  EXPECT_TRUE(Segments(Windows({{60, 0.4F}})).empty());
}

TEST(SpeechSegments, NothingInNothingOut) {
  EXPECT_TRUE(Segments({}).empty());
  EXPECT_TRUE(Segments(std::vector<float>(100, std::nanf(""))).empty());
}

TEST(SpeechSegments, AgreesWithSilerosOwnStateMachine) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> unit(0, 1);
  nlohmann::json cases = nlohmann::json::array();
  std::vector<std::vector<SampleRange>> ours;
  for (int i = 0; i < 500; ++i) {
    std::vector<float> probabilities;
    const auto count = random() % 200;
    float level = unit(random);
    while (probabilities.size() < count) {
      level = unit(random) < 0.15F ? unit(random) : level;
      probabilities.push_back(std::min(1.0F, level * (0.8F + 0.4F * unit(random))));
    }
    const SegmentOptions options = {.threshold = 0.05 * static_cast<double>(1 + random() % 19),
                                    .min_speech_ms = static_cast<int64_t>(random() % 600),
                                    .min_silence_ms = static_cast<int64_t>(random() % 300),
                                    .speech_pad_ms = static_cast<int64_t>(random() % 100)};
    const int64_t samples = static_cast<int64_t>(count) * kWindow - (count > 0 ? random() % kWindow : 0);
    cases.push_back({{"probabilities", probabilities}, {"samples", samples}, {"threshold", options.threshold},
                     {"min_speech_ms", options.min_speech_ms}, {"min_silence_ms", options.min_silence_ms},
                     {"speech_pad_ms", options.speech_pad_ms}});
    ours.push_back(SpeechSegments(probabilities, kWindow, samples, 16000, options));
  }
  const auto expected = Reference("segments", cases);
  if (!expected.has_value()) GTEST_SKIP() << "silero-vad is not installed";
  for (size_t i = 0; i < ours.size(); ++i) {
    std::vector<SampleRange> theirs;
    for (const auto& range : (*expected)[i]) {
      theirs.push_back({range[0], range[1]});
    }
    ASSERT_EQ(ours[i].size(), theirs.size()) << cases[i];
    for (size_t k = 0; k < theirs.size(); ++k) {
      ASSERT_EQ(ours[i][k].start, theirs[k].start) << cases[i];
      ASSERT_EQ(ours[i][k].end, theirs[k].end) << cases[i];
    }
  }
}

struct Clip {
  std::vector<float> samples;
  int32_t rate = 16000;
  int32_t channels = 1;
  std::optional<int64_t> start_ms;
  bool null = false;
};

std::shared_ptr<arrow::Array> Clips(const std::vector<Clip>& clips) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  EXPECT_TRUE(arrow::MakeBuilder(arrow::default_memory_pool(), LogicalType::Audio().storage(), &builder).ok());
  auto& rows = static_cast<arrow::StructBuilder&>(*builder);
  const auto rows_type = rows.type();
  const auto& type = static_cast<const arrow::StructType&>(*rows_type);
  const auto field = [&](const char* name) { return rows.field_builder(type.GetFieldIndex(name)); };
  for (const Clip& clip : clips) {
    if (clip.null) {
      EXPECT_TRUE(rows.AppendNull().ok());
      continue;
    }
    EXPECT_TRUE(rows.Append().ok());
    auto& data = static_cast<arrow::LargeListBuilder&>(*field("data"));
    EXPECT_TRUE(data.Append().ok());
    auto& values = static_cast<arrow::FloatBuilder&>(*data.value_builder());
    EXPECT_TRUE(values.AppendValues(clip.samples).ok());
    EXPECT_TRUE(static_cast<arrow::Int32Builder&>(*field("sample_rate")).Append(clip.rate).ok());
    EXPECT_TRUE(static_cast<arrow::Int32Builder&>(*field("channels")).Append(clip.channels).ok());
    for (int i = 0; i < type.num_fields(); ++i) {
      auto* other = rows.field_builder(i);
      if (type.field(i)->name() == "start_time_ms" && clip.start_ms.has_value()) {
        EXPECT_TRUE(static_cast<arrow::Int64Builder&>(*other).Append(*clip.start_ms).ok());
      } else if (other->length() < rows.length()) {
        EXPECT_TRUE(other->AppendNull().ok());
      }
    }
  }
  return *rows.Finish();
}

class Silero : public ::testing::Test {
 protected:
  void SetUp() override {
    payload_ = StorePayload("detect_speech", "silero-vad");
    expected_ = Reference("speech '" + folder_.string() + "'");
    if (!payload_.has_value() || !expected_.has_value()) GTEST_SKIP() << "packages are missing";
    const std::string bytes = ReadFile(folder_ / "speech.f32");
    samples_.resize(bytes.size() / sizeof(float));
    std::memcpy(samples_.data(), bytes.data(), bytes.size());
  }

  TemporaryFolder folder_;
  std::optional<nlohmann::json> payload_;
  std::optional<nlohmann::json> expected_;
  std::vector<float> samples_;
  std::vector<RowFailure> failures_;
};

TEST_F(Silero, ProbabilitiesAreThoseOfTheStreamingModel) {
  const auto backend = *MakeOpenVinoBackend();
  auto model = *SpeechDetector::Load(*Payload::Parse(payload_->dump()), *backend);
  const auto probabilities = *static_cast<SpeechDetector&>(*model).Probabilities(samples_);
  ASSERT_EQ(probabilities.size(), expected_->size());
  ASSERT_GT(probabilities.size(), 512U);  // more than one inference
  for (size_t i = 0; i < probabilities.size(); ++i) {
    ASSERT_NEAR(probabilities[i], (*expected_)[i].get<float>(), 2e-3) << i;
  }
}

TEST_F(Silero, SegmentsOfASpokenSoundAreInTheTimelineOfItsSource) {
  const auto expected = Reference("segments", nlohmann::json::array({{{"probabilities", *expected_},
      {"samples", samples_.size()}, {"threshold", 0.5}, {"min_speech_ms", 250}, {"min_silence_ms", 100},
      {"speech_pad_ms", 30}}}));
  ASSERT_TRUE(expected.has_value());
  ASSERT_FALSE((*expected)[0].empty());
  const auto model = *LoadModel(payload_->dump());
  const auto result =
      *RunOn(*model, Clips({{samples_}, {.null = true}, {.samples = samples_, .start_ms = 5000}, {}}), &failures_);
  EXPECT_TRUE(failures_.empty());
  const auto& lists = static_cast<const arrow::ListArray&>(*result->column(0));
  EXPECT_TRUE(lists.IsNull(1));
  EXPECT_EQ(lists.value_length(3), 0);
  for (const auto& [row, offset] : {std::pair{0, 0}, std::pair{2, 5000}}) {
    const auto items = std::static_pointer_cast<arrow::StructArray>(lists.value_slice(row));
    const auto& start = static_cast<const arrow::Int64Array&>(*items->GetFieldByName("start_ms"));
    const auto& end = static_cast<const arrow::Int64Array&>(*items->GetFieldByName("end_ms"));
    const auto& duration = static_cast<const arrow::Int64Array&>(*items->GetFieldByName("duration_ms"));
    ASSERT_EQ(items->length(), static_cast<int64_t>((*expected)[0].size()));
    for (int64_t i = 0; i < items->length(); ++i) {
      const auto& range = (*expected)[0][static_cast<size_t>(i)];
      EXPECT_EQ(start.Value(i), offset + range[0].get<int64_t>() / 16);
      EXPECT_EQ(end.Value(i), offset + range[1].get<int64_t>() / 16);
      EXPECT_EQ(duration.Value(i), end.Value(i) - start.Value(i));
    }
  }
}

TEST_F(Silero, OtherSoundAndTooManySegmentsFailTheirRows) {
  (*payload_)["options"]["max_segments"] = 1;
  const auto model = *LoadModel(payload_->dump());
  const std::vector<float> silence(16000, 0.0F);
  const auto result = *RunOn(*model, Clips({{.samples = silence, .rate = 44100}, {silence}, {.samples = silence, .channels = 2},
                                            {samples_}, {.samples = silence, .start_ms = -9}}), &failures_);
  EXPECT_EQ(result->column(0)->null_count(), 4);
  EXPECT_TRUE(result->column(0)->IsValid(1));
  ASSERT_EQ(failures_.size(), 4U);
  EXPECT_NE(failures_[0].reason.find("44100 Hz: use audio.standardize()"), std::string::npos) << failures_[0].reason;
  EXPECT_NE(failures_[2].reason.find("more than max_segments=1"), std::string::npos);
}

TEST_F(Silero, SoundThatIsNotFiniteIsNotSpeech) {
  const auto model = *LoadModel(payload_->dump());
  const auto result = *RunOn(*model, Clips({{std::vector<float>(16000, std::nanf(""))},
                                            {std::vector<float>(16000, INFINITY)}, {samples_}}), &failures_);
  const auto& lists = static_cast<const arrow::ListArray&>(*result->column(0));
  EXPECT_EQ(lists.value_length(0), 0);
  EXPECT_GT(lists.value_length(2), 0);  // nothing of the rows before is left in the model's state
}

}  // namespace
}  // namespace mainstem
