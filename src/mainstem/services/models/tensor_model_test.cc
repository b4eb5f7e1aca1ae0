#include "mainstem/services/models/tensor_model.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "mainstem/services/models/openvino_backend.h"
#include "mainstem/services/models/reference.h"

namespace mainstem {
namespace {

class TensorModels : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    made_ = Reference("models '" + folder_->string() + "'").has_value();
  }
  static void TearDownTestSuite() { delete folder_; }
  void SetUp() override {
    if (!made_) GTEST_SKIP() << "onnx is not installed";
  }

  static Result<std::unique_ptr<Model>> Load(const std::string& name, nlohmann::json options = nlohmann::json::object(),
                                             nlohmann::json inputs = nlohmann::json::array()) {
    options["precision"] = "f32";
    return LoadModel(nlohmann::json{{"task", "onnx"}, {"files", {{"model", *folder_ / (name + ".onnx")}}},
                                    {"options", options}, {"inputs", inputs}}.dump());
  }

  static std::shared_ptr<arrow::Array> Column(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
    auto array = arrow::json::ArrayFromJSONString(type, json);
    EXPECT_TRUE(array.ok()) << array.status();
    return *array;
  }

  std::string Run(Model& model, const std::shared_ptr<arrow::Array>& column) {
    failures_.clear();
    const auto result = RunOn(model, column, &failures_);
    if (!result.ok()) {
      return result.status().message();
    }
    EXPECT_TRUE((*result)->ValidateFull().ok());
    return arrow::PrettyPrint(*(*result)->column(0), arrow::PrettyPrintOptions{0, 100, 100, "null", true}, &text_).ok()
               ? std::exchange(text_, "") : "";
  }

  static TemporaryFolder* folder_;
  static bool made_;
  std::vector<RowFailure> failures_;
  std::string text_;
};
TemporaryFolder* TensorModels::folder_ = nullptr;
bool TensorModels::made_ = false;

const auto kVector = arrow::fixed_size_list(arrow::float32(), 3);

TEST_F(TensorModels, MultipliesVectorsWhateverTheBatchAndTheType) {
  for (const int batch : {1, 2, 64}) {
    const auto model = *Load("linear", {{"batch_size", batch}});
    // (a, b, c) · [[1, 0], [0, 1], [1, 1]] = (a + c, b + c)
    const std::string rows = "[[1, 2, 3], null, [10, 20, 30], [0, 0, 0.5]]";
    const std::string expected = "[[4,5],null,[40,50],[0.5,0.5]]";
    EXPECT_EQ(Run(*model, Column(kVector, rows)), expected);
    EXPECT_EQ(Run(*model, Column(arrow::list(arrow::float64()), rows)), expected);
    EXPECT_EQ(Run(*model, Column(arrow::large_list(arrow::float32()), rows)), expected);
    EXPECT_EQ(Run(*model, Column(kVector, "[[9, 9, 9], [1, 2, 3], null, [10, 20, 30], [0, 0, 0.5]]")->Slice(1)), expected);
    EXPECT_TRUE(failures_.empty());
  }
}

TEST_F(TensorModels, RowsThatDoNotFitFailAloneAndNameBothShapes) {
  const auto model = *Load("linear");
  EXPECT_EQ(Run(*model, Column(arrow::list(arrow::float32()), "[[1, 2], [1, 2, 3], [], [1, null, 3], null]")),
            "[null,[4,5],null,null,null]");
  ASSERT_EQ(failures_.size(), 3U);
  EXPECT_EQ(failures_[0].row, 0);
  EXPECT_EQ(failures_[0].reason, "the model's input 'x' takes [3] a row, got 2 numbers");
  EXPECT_EQ(failures_[2].reason, "there are nulls among the numbers");
}

TEST_F(TensorModels, ABatchThatTheModelPrescribesIsFilledUp) {
  const auto model = *Load("pairs");
  EXPECT_EQ(Run(*model, Column(kVector, "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]")), "[[4,5],[10,11],[16,17]]");
}

TEST_F(TensorModels, TensorsKeepTheirShapeAndTheChosenOutputIsReturned) {
  const auto type = arrow::struct_({arrow::field("data", arrow::large_list(arrow::int64())),
                                    arrow::field("shape", arrow::list(arrow::int32()))});
  const std::string rows = R"([{"data": [1, 2, 3, 4], "shape": [2, 2]}, {"data": [1, 2, 3, 4], "shape": [4, 1]},
                               {"data": [1, 2, 3], "shape": [2, 2]}, {"data": [1, 2, 3, 4], "shape": [-2, -2]}])";
  EXPECT_EQ(Run(**Load("integers"), Column(type, rows)), "[[2,4,6,8],null,null,null]");
  EXPECT_EQ(failures_[0].reason, "the model's input 'x' takes [2, 2] a row, got [4, 1]");
  EXPECT_EQ(Run(**Load("integers", {{"output", "square"}}), Column(type, rows)), "[[1,4,9,16],null,null,null]");
  const auto wrong = Load("integers", {{"output", "squares"}});
  EXPECT_NE(wrong.status().message().find("no output 'squares'. Did you mean 'square'?"), std::string::npos)
      << wrong.status();
}

TEST_F(TensorModels, IntegersAreNotRoundedAndTextIsRefused) {
  const auto model = *Load("integers");
  EXPECT_NE(Run(*model, Column(arrow::list(arrow::float32()), "[[0.5, 1, 1, 1]]")).find("cannot take numbers of type"),
            std::string::npos);
  EXPECT_NE(Run(*model, Column(arrow::utf8(), R"(["text"])")).find("the column is string"), std::string::npos);
}

TEST_F(TensorModels, ImagesOfAnySizeAreNormalised) {
  const auto image = arrow::struct_({arrow::field("data", arrow::large_binary()), arrow::field("height", arrow::int32()),
                                     arrow::field("width", arrow::int32()), arrow::field("mode", arrow::uint8())});
  const auto model = Load("means", {{"mean", {10, 0, 0}}, {"scale", {2, 1, 1}}},
                          nlohmann::json::array({{{"kind", "image"}}}));
  ASSERT_TRUE(model.ok()) << model.status();
  // Red, green, blue are 0x20, 0x30, 0x40 = 32, 48, 64 in each pixel: (32 − 10) / 2 = 11.
  EXPECT_EQ(Run(**model, Column(image, R"([{"data": " 0@", "height": 1, "width": 1, "mode": 2},
                                           {"data": " 0@ 0@", "height": 1, "width": 2, "mode": 2},
                                           {"data": " 0@ 0@", "height": 2, "width": 1, "mode": 2},
                                           {"data": "@", "height": 1, "width": 1, "mode": 0}])")),
            "[[11,48,64],[11,48,64],[11,48,64],null]");
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_NE(failures_[0].reason.find("got [1, 1, 1] (L)"), std::string::npos) << failures_[0].reason;
}

TEST_F(TensorModels, WhatCannotBeFedIsRefusedAtTheStart) {
  EXPECT_NE(Load("two_inputs").status().message().find("has 2 inputs (a: float [-1, 2]; b: float [-1, 2])"),
            std::string::npos) << Load("two_inputs").status();
  EXPECT_NE(Load("free").status().message().find("state output_shape"), std::string::npos);
  EXPECT_NE(Load("linear", {}, nlohmann::json::array({{{"kind", "image"}}})).status().message().find("with images"),
            std::string::npos);
  EXPECT_NE(Load("linear", {{"input", "z"}}).status().message().find("no input 'z'"), std::string::npos);
}

TEST_F(TensorModels, AFreeOutputTakesTheShapeThatIsStated) {
  const auto model = *Load("free", {{"output_shape", {2}}});
  EXPECT_EQ(Run(*model, Column(arrow::list(arrow::float32()), "[[1, 2], [3, 4]]")), "[[2,4],[6,8]]");
  EXPECT_NE(Run(*model, Column(arrow::list(arrow::float32()), "[[1, 2, 3]]")).find("2 numbers a row were expected"),
            std::string::npos);
}

TEST_F(TensorModels, NoInferenceWritesIntoInputsThatWereGivenBefore) {
  // OpenVINO's CPU plugin may hand the memory that a request was given to another request's tensors. Requests of
  // free shapes, taken in turn, each with memory of its own: nothing of it may change.
  const auto backend = *MakeOpenVinoBackend();
  CompileOptions options = {.threads = 2, .full_precision = true};
  std::vector<std::unique_ptr<CompiledModel>> models;
  for (int i = 0; i < 4; ++i) {
    models.push_back(*backend->Compile(*folder_ / "free.onnx", options));
  }
  std::vector<std::vector<float>> memory;
  for (int round = 0; round < 40; ++round) {
    auto& model = *models[static_cast<size_t>(round) % models.size()];
    const int64_t length = 1 + (round * 37) % 300;
    memory.emplace_back(static_cast<size_t>(2 * length), static_cast<float>(round + 1));
    const TensorView input = {arrow::float32(), {2, length}, memory.back().data()};
    const auto outputs = model.Infer({&input, 1});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (int64_t i = 0; i < 2 * length; ++i) {
      ASSERT_EQ((*outputs)[0].floats()[i], 2.0F * static_cast<float>(round + 1));
    }
    for (size_t earlier = 0; earlier < memory.size(); ++earlier) {
      for (const float number : memory[earlier]) {
        ASSERT_EQ(number, static_cast<float>(earlier + 1));
      }
    }
  }
  EXPECT_FALSE(models[0]->Infer({}).ok());  // an input that is not given is never taken from an earlier run
}

TEST_F(TensorModels, ABackendNamesTheShapesThatDoNotMatch) {
  const auto backend = *MakeOpenVinoBackend();
  const auto model = *backend->Compile(*folder_ / "linear.onnx", {});
  const std::vector<float> numbers(8);
  const TensorView input = {arrow::float32(), {2, 4}, numbers.data()};
  EXPECT_EQ(model->Infer({&input, 1}).status().message(), "the model expects x: float [-1, 3], got float [2, 4]");
}

}  // namespace
}  // namespace mainstem
