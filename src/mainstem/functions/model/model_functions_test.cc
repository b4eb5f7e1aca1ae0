#include <arrow/type.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mainstem/functions/builtin.h"
#include "mainstem/functions/model/model_payload.h"

namespace mainstem {
namespace {

using Given = std::map<std::string, OptionValue>;
using nlohmann::json;

class ModelFunctions : public ::testing::Test {
 protected:
  ModelFunctions() { EXPECT_TRUE(RegisterModelFunctions(registry_).ok()); }

  Result<LogicalType> TypeOf(const std::string& name, const LogicalType& argument, Given given, const json& resolved) {
    given["resolved"] = resolved.dump();
    ARROW_ASSIGN_OR_RAISE(const auto* definition, registry_.Find(name));
    signature_ = {.arguments = {argument}};
    ARROW_ASSIGN_OR_RAISE(signature_.options, Options::Check(name, definition->options, given));
    return definition->result_type(signature_);
  }

  static json Store(json inputs, json outputs) {
    return {{"name", "m"}, {"files", {{"model", "/m.onnx"}}}, {"inputs", inputs}, {"outputs", outputs},
            {"settings", {{"mean", {127.0}}}}};
  }
  static json Port(const char* name, const char* type, std::vector<int64_t> shape) {
    return {{"name", name}, {"type", type}, {"shape", shape}};
  }

  Registry registry_;
  BoundSignature signature_;
};

TEST_F(ModelFunctions, TheStoreTellsTheDimensionOfAnEmbedding) {
  const json store = Store(json::array(), {Port("embedding", "float32", {-1, 384})});
  EXPECT_EQ(*TypeOf("ai.embed_text", LogicalType::String(), {}, store), LogicalType::Vector(arrow::float32(), 384));
  const json image = Store(json::array(), {Port("logits", "float32", {-1, 1000}), Port("embedding", "float32", {-1, 1280})});
  EXPECT_EQ(*TypeOf("ai.embed_image", LogicalType::Image(), {}, image), LogicalType::Vector(arrow::float32(), 1280));
}

TEST_F(ModelFunctions, ClassesAreATextOrAListOfScores) {
  const json store = Store(json::array(), {Port("logits", "float32", {-1, 1000})});
  EXPECT_EQ(*TypeOf("ai.classify_image", LogicalType::Image(), {}, store), LogicalType::String());
  const auto scores = *TypeOf("ai.classify_image", LogicalType::Image(), {{"output", "scores"}, {"top_k", 5}}, store);
  EXPECT_EQ(scores.storage()->ToString(), "list<item: struct<label: string, score: float>>");
  EXPECT_FALSE(TypeOf("ai.classify_image", LogicalType::Image(), {{"top_k", 5}}, store).ok());
}

TEST_F(ModelFunctions, AnImageModelOfAnotherSizeIsRefused) {
  const json store = Store({Port("x", "float32", {-1, 3, 299, 299})}, {Port("y", "float32", {-1, 10})});
  EXPECT_NE(TypeOf("ai.embed_image", LogicalType::Image(), {}, store).status().message().find("224 × 224"),
            std::string::npos);
}

TEST_F(ModelFunctions, OnnxReturnsTheChosenOutputAsTensorOrVector) {
  const json store = Store({Port("x", "float32", {-1, 3, 8, 8})},
                           {Port("y", "float32", {-1, 4, 2}), Port("z", "int64", {-1})});
  const auto image = LogicalType::Image(ImageMode::kRGB, 8, 8);
  const Given model = {{"model", "m.onnx"}};
  EXPECT_EQ(*TypeOf("ai.onnx", image, model, store), LogicalType::Tensor(arrow::float32(), {4, 2}));
  EXPECT_EQ(*TypeOf("ai.onnx", image, {{"model", "m.onnx"}, {"output_type", "vector"}}, store),
            LogicalType::Vector(arrow::float32(), 8));
  EXPECT_EQ(*TypeOf("ai.onnx", image, {{"model", "m.onnx"}, {"output", "z"}}, store),
            LogicalType::Tensor(arrow::int64(), {1}));
  EXPECT_NE(TypeOf("ai.onnx", image, {{"model", "m.onnx"}, {"output", "zz"}}, store).status().message().find("'z'"),
            std::string::npos);
}

TEST_F(ModelFunctions, OnnxNamesShapesThatDoNotMatch) {
  const json store = Store({Port("x", "float32", {-1, 3, 8, 8})}, {Port("y", "float32", {-1, 4})});
  const Given model = {{"model", "m.onnx"}};
  const auto message = [&](const LogicalType& type) { return TypeOf("ai.onnx", type, model, store).status().message(); };
  EXPECT_NE(message(LogicalType::Image(ImageMode::kRGB, 9, 8)).find("takes [3, 8, 8] a row, the column is image"),
            std::string::npos);
  EXPECT_NE(message(LogicalType::Tensor(arrow::float32(), {8, 8, 3})).find("[3, 8, 8]"), std::string::npos);
  EXPECT_NE(message(LogicalType::String()).find("not string"), std::string::npos);
  EXPECT_TRUE(TypeOf("ai.onnx", LogicalType::Tensor(arrow::float32(), {3, 8, 8}), model, store).ok());
  EXPECT_TRUE(TypeOf("ai.onnx", LogicalType::List(LogicalType::Float64()), model, store).ok());
}

TEST_F(ModelFunctions, FreeSidesOfAnOutputHaveToBeStated) {
  const json store = Store({Port("x", "float32", {-1, -1})}, {Port("y", "float32", {-1, -1})});
  const auto list = LogicalType::List(LogicalType::Float32());
  EXPECT_NE(TypeOf("ai.onnx", list, {{"model", "m"}}, store).status().message().find("output_shape"), std::string::npos);
  const Given stated = {{"model", "m"}, {"output_shape", OptionValue::List{7}}};
  EXPECT_EQ(*TypeOf("ai.onnx", list, stated, store), LogicalType::Tensor(arrow::float32(), {7}));
}

TEST_F(ModelFunctions, ThePayloadHasFilesSettingsAndOptions) {
  const json store = Store({Port("x", "float32", {-1, 2})}, {Port("y", "float32", {-1, 4})});
  const Given given = {{"model", "m"}, {"precision", "F32"}, {"mean", OptionValue::List{1.5, 2.0}}};
  ASSERT_TRUE(TypeOf("ai.onnx", LogicalType::Tensor(arrow::float32(), {2}), given, store).ok());
  const json payload = json::parse(*ModelPayload("onnx", signature_.options, signature_.arguments[0]));
  EXPECT_EQ(payload["task"], "onnx");
  EXPECT_EQ(payload["files"]["model"], "/m.onnx");
  EXPECT_EQ(payload["settings"]["mean"], json({127.0}));
  EXPECT_EQ(payload["options"], json({{"batch_size", 64}, {"mean", {1.5, 2.0}}, {"precision", "f32"}}));
  EXPECT_EQ(payload["inputs"], json::array({{{"kind", "tensor"}, {"shape", {2}}}}));
}

TEST_F(ModelFunctions, AModelThatWasNotLookedUpIsAnError) {
  const auto* definition = *registry_.Find("ai.embed_text");
  BoundSignature signature{.arguments = {LogicalType::String()}};
  signature.options = *Options::Check("ai.embed_text", definition->options, {});
  EXPECT_FALSE(definition->result_type(signature).ok());
  EXPECT_FALSE(ModelPayload("embed_text", signature.options, LogicalType::String()).ok());
  EXPECT_FALSE(TypeOf("ai.embed_text", LogicalType::String(), {}, json("text")).ok());
}

}  // namespace
}  // namespace mainstem
