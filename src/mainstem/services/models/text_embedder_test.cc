#include "mainstem/services/models/text_embedder.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mainstem/services/models/reference.h"

namespace mainstem {
namespace {

std::shared_ptr<arrow::Array> Texts(const std::vector<std::optional<std::string>>& texts) {
  arrow::StringBuilder builder;
  for (const auto& text : texts) {
    EXPECT_TRUE((text.has_value() ? builder.Append(*text) : builder.AppendNull()).ok());
  }
  return *builder.Finish();
}

std::vector<double> VectorAt(const arrow::RecordBatch& batch, int64_t row) {
  const auto& vectors = static_cast<const arrow::FixedSizeListArray&>(*batch.column(0));
  const auto values = std::static_pointer_cast<arrow::FloatArray>(vectors.value_slice(row));
  return {values->raw_values(), values->raw_values() + values->length()};
}

double Cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

TEST(TextEmbedder, VectorsAreThoseOfTheReferenceWhateverTheBatch) {
  std::string long_text;
  for (int i = 0; i < 300; ++i) {
    long_text += "Sentence number " + std::to_string(i) + ". ";
  }
  const std::vector<std::string> texts = {"The cat sits on the mat.", "", long_text, "Ein kurzer Satz auf Deutsch.",
                                          "quantum chromodynamics", "x", "A dog lies on the rug; it sleeps. " + long_text};
  const auto expected = Reference("embed", texts);
  const auto payload = StorePayload("embed_text", "all-minilm-l6-v2");
  if (!expected.has_value() || !payload.has_value()) GTEST_SKIP() << "packages are missing";
  for (const int batch : {1, 3, 64}) {
    auto chosen = *payload;
    chosen["options"]["batch_size"] = batch;
    const auto model = LoadModel(chosen.dump());
    ASSERT_TRUE(model.ok()) << model.status();
    std::vector<std::optional<std::string>> column(texts.begin(), texts.end());
    column.insert(column.begin() + 2, std::nullopt);
    std::vector<RowFailure> failures;
    const auto result = *RunOn(**model, Texts(column), &failures);
    EXPECT_TRUE(failures.empty());
    EXPECT_TRUE(result->column(0)->IsNull(2));
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto vector = VectorAt(*result, static_cast<int64_t>(i < 2 ? i : i + 1));
      ASSERT_EQ(vector.size(), 384U);
      EXPECT_GE(Cosine(vector, (*expected)[i].get<std::vector<double>>()), 0.9999) << i;
      double length = 0;
      for (const double number : vector) {
        length += number * number;
      }
      EXPECT_NEAR(length, 1, 1e-4);
    }
  }
}

TEST(TextEmbedder, NearMeaningsAreNear) {
  const auto payload = StorePayload("embed_text", "all-minilm-l6-v2");
  if (!payload.has_value()) GTEST_SKIP() << "packages are missing";
  const auto model = *LoadModel(payload->dump());
  std::vector<RowFailure> failures;
  const auto result = *RunOn(*model, Texts({"A cat sleeps on the sofa.", "A kitten naps on the couch.",
                                            "The stock market fell sharply."}), &failures);
  const auto cat = VectorAt(*result, 0);
  EXPECT_GT(Cosine(cat, VectorAt(*result, 1)), Cosine(cat, VectorAt(*result, 2)) + 0.3);
}

TEST(TextEmbedder, NoRowsAndOnlyNullsAreAnswered) {
  const auto payload = StorePayload("embed_text", "all-minilm-l6-v2");
  if (!payload.has_value()) GTEST_SKIP() << "packages are missing";
  const auto model = *LoadModel(payload->dump());
  std::vector<RowFailure> failures;
  EXPECT_EQ((*RunOn(*model, Texts({}), &failures))->num_rows(), 0);
  EXPECT_EQ((*RunOn(*model, Texts({std::nullopt}), &failures))->column(0)->null_count(), 1);
}

TEST(LoadModel, SaysWhatIsWrongWithAPayload) {
  const auto message = [](const std::string& payload) { return LoadModel(payload).status().message(); };
  EXPECT_NE(message("not json").find("not a JSON object"), std::string::npos);
  EXPECT_NE(message("{}").find("'task'"), std::string::npos);
  EXPECT_NE(message(R"({"task": "fly"})").find("no native model answers the task 'fly'"), std::string::npos);
  EXPECT_NE(message(R"({"task": "embed_text", "files": {}})").find("no file 'vocabulary'"), std::string::npos);
  EXPECT_NE(message(R"({"task": "onnx", "files": {"model": "/nowhere.onnx"}})").find("/nowhere.onnx"),
            std::string::npos);
  const TemporaryFolder folder;
  WriteFile(folder / "broken.onnx", "these bytes are no model");
  const auto status = LoadModel(nlohmann::json{{"task", "onnx"}, {"files", {{"model", folder / "broken.onnx"}}}}.dump());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(ClassOf(status.status()), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
