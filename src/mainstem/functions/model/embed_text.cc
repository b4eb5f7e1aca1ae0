#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/functions/model/families.h"
#include "mainstem/functions/model/resolved_model.h"

namespace mainstem {

Status RegisterEmbedText(Registry& registry) {
  FunctionDefinition embed;
  embed.name = "ai.embed_text";
  embed.kind = FunctionKind::kCall;
  embed.cost = CostClass::kHeavy;
  embed.call_service = "embed_text";
  embed.has_on_error = true;
  embed.doc =
      "The embedding of a text: a float32 vector (384 numbers and length one with the default model, all-MiniLM-L6-v2, "
      "made for English), so that near meanings have a large dot product. Only the first 256 word pieces of a text "
      "count; cut longer ones with text.chunk().";
  embed.arguments = {{"text", TypePattern::kText, "Text in UTF-8."}};
  embed.options = ModelOptions("all-minilm-l6-v2", {});
  embed.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_ASSIGN_OR_RAISE(const ResolvedModel model, ResolvedModel::Read(signature.options));
    if (model.outputs.empty() || model.outputs[0].shape.size() != 2 || model.outputs[0].shape[1] <= 0 ||
        model.outputs[0].shape[1] > INT32_MAX || model.outputs[0].type != "float32") {
      return JobError(fmt::format("the first output of the model '{}' is not one float32 vector a text",
                                  Escaped(model.name)));
    }
    return LogicalType::Vector(arrow::float32(), static_cast<int32_t>(model.outputs[0].shape[1]));
  };
  return registry.Add(std::move(embed));
}

}  // namespace mainstem
