#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/model/families.h"
#include "mainstem/functions/model/model_payload.h"
#include "mainstem/functions/model/resolved_model.h"

namespace mainstem {

namespace {

/// Reads the model and refuses one that looks at pictures of another size than the planner makes.
Result<ResolvedModel> ReadImageModel(const BoundSignature& signature, const std::string& task) {
  ARROW_ASSIGN_OR_RAISE(ResolvedModel model, ResolvedModel::Read(signature.options));
  const ModelImage size = *ModelImageSize(task);
  for (const ModelPort& input : model.inputs) {
    const auto& s = input.shape;
    const bool channels_first = s == std::vector<int64_t>{-1, 3, size.height, size.width};
    const bool channels_last = s == std::vector<int64_t>{-1, size.height, size.width, 3};
    if (!channels_first && !channels_last) {
      return JobError(fmt::format("the model '{}' does not read batches of {} × {} RGB images; ai.onnx() runs other "
                                  "models", Escaped(model.name), size.height, size.width));
    }
  }
  return model;
}

Result<LogicalType> VectorOfImage(const BoundSignature& signature) {
  ARROW_ASSIGN_OR_RAISE(const ResolvedModel model, ReadImageModel(signature, "embed_image"));
  const auto named = std::find_if(model.outputs.begin(), model.outputs.end(),
                                  [](const ModelPort& port) { return port.name == "embedding"; });
  if (model.outputs.empty()) {
    return JobError(fmt::format("nothing is known of the outputs of the model '{}'", Escaped(model.name)));
  }
  const ModelPort& port = named == model.outputs.end() ? model.outputs.back() : *named;
  if (port.shape.size() != 2 || port.shape[1] <= 0 || port.shape[1] > INT32_MAX || port.type != "float32") {
    return JobError(fmt::format("the output '{}' of the model '{}' is not one float32 vector an image",
                                Escaped(port.name), Escaped(model.name)));
  }
  return LogicalType::Vector(arrow::float32(), static_cast<int32_t>(port.shape[1]));
}

Result<LogicalType> ClassOfImage(const BoundSignature& signature) {
  ARROW_RETURN_NOT_OK(ReadImageModel(signature, "classify_image"));
  if (signature.options.String("output") == "label") {
    if (signature.options.Int("top_k") != 1) {
      return JobError("ai.classify_image: top_k is for output='scores'; output='label' is the best label alone");
    }
    return LogicalType::String();
  }
  return LogicalType::List(LogicalType::Struct({{"label", LogicalType::String()}, {"score", LogicalType::Float32()}}));
}

constexpr char kImageDoc[] =
    " The model looks at 224 × 224 RGB pixels: an image of another size or mode is resized (image.resize, "
    "bilinear, antialiased, without regard to its aspect ratio) and converted first by a step that the planner adds.";

}  // namespace

Status RegisterImageModels(Registry& registry) {
  FunctionDefinition classify;
  classify.name = "ai.classify_image";
  classify.kind = FunctionKind::kCall;
  classify.cost = CostClass::kHeavy;
  classify.call_service = "classify_image";
  classify.has_on_error = true;
  classify.doc = std::string("What is on an image: the name of the best of the model's classes (ImageNet's 1,000 with "
                             "the default model, EfficientNet-Lite0), or with output='scores' a list of the top_k best, "
                             "each a label and a score; scores are the softmax over all classes.") + kImageDoc;
  classify.arguments = {{"image", TypePattern::kImage, "Decoded image."}};
  classify.options = ModelOptions("efficientnet-lite0", {});
  classify.options.push_back({.name = "top_k",
                              .type = OptionType::kInt,
                              .default_value = 1,
                              .doc = "How many classes with output='scores'.",
                              .minimum = 1,
                              .maximum = 1 << 20});
  classify.options.push_back({.name = "output",
                              .type = OptionType::kString,
                              .default_value = "label",
                              .doc = "'label' for a text, 'scores' for a list of labels and scores.",
                              .choices = {"label", "scores"}});
  classify.result_type = ClassOfImage;
  ARROW_RETURN_NOT_OK(registry.Add(std::move(classify)));

  FunctionDefinition embed;
  embed.name = "ai.embed_image";
  embed.kind = FunctionKind::kCall;
  embed.cost = CostClass::kHeavy;
  embed.call_service = "embed_image";
  embed.has_on_error = true;
  embed.doc = std::string("The embedding of an image: a float32 vector (1,280 numbers, not normalised, with the default "
                          "model, EfficientNet-Lite0); images that look alike have near vectors.") + kImageDoc;
  embed.arguments = {{"image", TypePattern::kImage, "Decoded image."}};
  embed.options = ModelOptions("efficientnet-lite0", {});
  embed.result_type = VectorOfImage;
  return registry.Add(std::move(embed));
}

}  // namespace mainstem
