#include "mainstem/services/models/image_model.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "mainstem/data/logical_type.h"
#include "mainstem/services/models/reference.h"

namespace mainstem {
namespace {

struct TestPicture {
  bool null = false;
  int32_t height = 224;
  int32_t width = 224;
  uint8_t mode = 2;  // RGB
  std::string pixels;
};

std::shared_ptr<arrow::Array> Pictures(const std::vector<TestPicture>& pictures) {
  const auto type = LogicalType::Image().storage();
  std::unique_ptr<arrow::ArrayBuilder> builder;
  EXPECT_TRUE(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder).ok());
  auto& rows = static_cast<arrow::StructBuilder&>(*builder);
  for (const auto& picture : pictures) {
    if (picture.null) {
      EXPECT_TRUE(rows.AppendNull().ok());
      continue;
    }
    EXPECT_TRUE(rows.Append().ok());
    EXPECT_TRUE(static_cast<arrow::LargeBinaryBuilder&>(*rows.field_builder(0)).Append(picture.pixels).ok());
    EXPECT_TRUE(static_cast<arrow::Int32Builder&>(*rows.field_builder(1)).Append(picture.height).ok());
    EXPECT_TRUE(static_cast<arrow::Int32Builder&>(*rows.field_builder(2)).Append(picture.width).ok());
    EXPECT_TRUE(static_cast<arrow::UInt8Builder&>(*rows.field_builder(3)).Append(picture.mode).ok());
  }
  return *rows.Finish();
}

class EfficientNet : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    expected_ = Reference("photos '" + folder_->string() + "'");
  }
  static void TearDownTestSuite() { delete folder_; }

  std::unique_ptr<Model> Load(const std::string& task, nlohmann::json options = nlohmann::json::object()) {
    const auto payload = StorePayload(task, "efficientnet-lite0", std::move(options));
    if (!payload.has_value() || !expected_.has_value()) {
      return nullptr;
    }
    auto model = LoadModel(payload->dump());
    EXPECT_TRUE(model.ok()) << model.status();
    return std::move(model).ValueOr(nullptr);
  }

  static TestPicture Photo(const std::string& name) { return {.pixels = ReadFile(*folder_ / (name + ".rgb"))}; }

  static TemporaryFolder* folder_;
  static std::optional<nlohmann::json> expected_;
  std::vector<RowFailure> failures_;
};
TemporaryFolder* EfficientNet::folder_ = nullptr;
std::optional<nlohmann::json> EfficientNet::expected_;

TEST_F(EfficientNet, NamesWhatIsOnThePhotos) {
  const auto model = Load("classify_image");
  if (model == nullptr) GTEST_SKIP() << "packages are missing";
  const auto result = *RunOn(*model, Pictures({Photo("chelsea"), {.null = true}, Photo("coffee")}), &failures_);
  const auto& labels = static_cast<const arrow::StringArray&>(*result->column(0));
  EXPECT_EQ(labels.GetString(0), "Egyptian cat");  // ImageNet's class 285
  EXPECT_TRUE(labels.IsNull(1));
  EXPECT_EQ(labels.GetString(2), "espresso");  // 967
  EXPECT_TRUE(failures_.empty());
}

TEST_F(EfficientNet, ScoresAreTheSoftmaxOfTheReferenceLogits) {
  const auto model = Load("classify_image", {{"output", "scores"}, {"top_k", 3}});
  if (model == nullptr) GTEST_SKIP() << "packages are missing";
  const std::vector<std::string> names = {"chelsea", "coffee", "astronaut", "rocket"};
  std::vector<TestPicture> pictures;
  for (const auto& name : names) {
    pictures.push_back(Photo(name));
  }
  const auto result = *RunOn(*model, Pictures(pictures), &failures_);
  const auto& lists = static_cast<const arrow::ListArray&>(*result->column(0));
  for (size_t i = 0; i < names.size(); ++i) {
    auto logits = (*expected_)[names[i]]["logits"].get<std::vector<double>>();
    double total = 0;
    for (const double logit : logits) {
      total += std::exp(logit);
    }
    std::sort(logits.rbegin(), logits.rend());
    ASSERT_EQ(lists.value_length(static_cast<int64_t>(i)), 3);
    const auto items = std::static_pointer_cast<arrow::StructArray>(lists.value_slice(static_cast<int64_t>(i)));
    const auto scores = std::static_pointer_cast<arrow::FloatArray>(items->GetFieldByName("score"));
    for (int k = 0; k < 3; ++k) {
      EXPECT_NEAR(scores->Value(k), std::exp(logits[static_cast<size_t>(k)]) / total, 1e-4) << names[i];
    }
  }
}

TEST_F(EfficientNet, EmbeddingsAreThoseOfTheReferenceInAnyBatch) {
  for (const int batch : {1, 2, 32}) {
    const auto model = Load("embed_image", {{"batch_size", batch}});
    if (model == nullptr) GTEST_SKIP() << "packages are missing";
    const auto result = *RunOn(*model, Pictures({Photo("chelsea"), {.null = true}, Photo("coffee"), Photo("rocket")}),
                               &failures_);
    const auto& vectors = static_cast<const arrow::FixedSizeListArray&>(*result->column(0));
    ASSERT_EQ(vectors.value_length(0), 1280);
    EXPECT_TRUE(vectors.IsNull(1));
    for (const auto& [row, name] : {std::pair{0, "chelsea"}, std::pair{2, "coffee"}, std::pair{3, "rocket"}}) {
      const auto values = std::static_pointer_cast<arrow::FloatArray>(vectors.value_slice(row));
      const auto expected = (*expected_)[name]["embedding"].get<std::vector<double>>();
      for (size_t d = 0; d < expected.size(); ++d) {
        ASSERT_NEAR(values->Value(static_cast<int64_t>(d)), expected[d], 2e-3) << name << ' ' << d;
      }
    }
  }
}

TEST_F(EfficientNet, APictureOfAnotherSizeOrModeFailsItsRowAlone) {
  const auto model = Load("classify_image");
  if (model == nullptr) GTEST_SKIP() << "packages are missing";
  const TestPicture small = {.height = 2, .width = 2, .pixels = std::string(12, 'x')};
  const TestPicture grey = {.mode = 0, .pixels = std::string(224 * 224, 'x')};
  const TestPicture lying = {.height = 30000, .width = 30000, .pixels = "short"};
  const TestPicture unknown = {.mode = 77, .pixels = "?"};
  const auto result =
      *RunOn(*model, Pictures({small, Photo("coffee"), grey, lying, unknown, {.height = -1, .pixels = ""}}), &failures_);
  EXPECT_EQ(result->column(0)->null_count(), 5);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*result->column(0)).GetString(1), "espresso");
  ASSERT_EQ(failures_.size(), 5U);
  EXPECT_EQ(failures_[0].row, 0);
  EXPECT_NE(failures_[0].reason.find("reads 224 × 224 RGB images, got 2 × 2 RGB: use image.resize(224, 224)"),
            std::string::npos) << failures_[0].reason;
  EXPECT_NE(failures_[1].reason.find("got 224 × 224 L"), std::string::npos);
  EXPECT_NE(failures_[2].reason.find("has 5 bytes"), std::string::npos);
  EXPECT_NE(failures_[3].reason.find("unknown mode 77"), std::string::npos);
}

TEST_F(EfficientNet, RefusesOptionsOfTheWrongKindAndColumnsOfTheWrongType) {
  auto payload = StorePayload("classify_image", "efficientnet-lite0", {{"top_k", 1001}});
  if (!payload.has_value()) GTEST_SKIP() << "packages are missing";
  EXPECT_NE(LoadModel(payload->dump()).status().message().find("top_k is 1001, the model has 1000 classes"),
            std::string::npos);
  (*payload)["options"] = {{"output", "everything"}};
  EXPECT_FALSE(LoadModel(payload->dump()).ok());
  (*payload)["options"] = nlohmann::json::object();
  (*payload)["files"]["labels"] = (*payload)["files"]["model"];
  EXPECT_NE(LoadModel(payload->dump()).status().message().find("labels, the model has 1000 classes"), std::string::npos);
  const auto model = Load("embed_image");
  arrow::StringBuilder texts;
  ASSERT_TRUE(texts.Append("not a picture").ok());
  const auto result = RunOn(*model, *texts.Finish(), &failures_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
