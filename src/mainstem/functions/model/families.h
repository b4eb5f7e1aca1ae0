// The model functions by kind of input; register.cc puts them together.
#pragma once

#include "mainstem/functions/registry.h"

namespace mainstem {

Status RegisterEmbedText(Registry& registry);
Status RegisterImageModels(Registry& registry);   // ai.classify_image, ai.embed_image
Status RegisterDetectSpeech(Registry& registry);
Status RegisterOnnx(Registry& registry);

/// Options of every model function: model, batch_size, threads, precision, and `resolved`, which the front end sets.
/// An empty default model means that one must be given.
std::vector<OptionSpec> ModelOptions(const std::string& default_model, OptionValue batch_size);

}  // namespace mainstem
