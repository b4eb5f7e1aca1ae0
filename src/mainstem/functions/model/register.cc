#include "mainstem/functions/builtin.h"
#include "mainstem/functions/model/families.h"

namespace mainstem {

std::vector<OptionSpec> ModelOptions(const std::string& default_model, OptionValue batch_size) {
  return {
      {.name = "model",
       .type = OptionType::kString,
       .default_value = default_model.empty() ? OptionValue() : OptionValue(default_model),
       .doc = "Name of a model of the model store, or the path of a file or folder of yours.",
       .required = default_model.empty()},
      {.name = "batch_size",
       .type = OptionType::kInt,
       .default_value = std::move(batch_size),
       .doc = "Most rows in one inference; None leaves it to the engine.",
       .minimum = 1,
       .maximum = 1 << 20},
      {.name = "threads",
       .type = OptionType::kInt,
       .doc = "Threads of one inference; None takes all processors.",
       .minimum = 1,
       .maximum = 1024},
      {.name = "precision",
       .type = OptionType::kString,
       .default_value = "auto",
       .doc = "'auto' computes in what the machine does fastest (bfloat16 where it has matrix units), 'f32' in float32.",
       .choices = {"auto", "f32"}},
      {.name = "resolved",
       .type = OptionType::kString,
       .doc = "Files and facts of the model, as JSON. Set by the front end."},
  };
}

Status RegisterModelFunctions(Registry& registry) {
  ARROW_RETURN_NOT_OK(RegisterEmbedText(registry));
  ARROW_RETURN_NOT_OK(RegisterImageModels(registry));
  ARROW_RETURN_NOT_OK(RegisterDetectSpeech(registry));
  return RegisterOnnx(registry);
}

}  // namespace mainstem
