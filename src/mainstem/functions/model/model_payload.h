// Model payload: what a native model service is told to load.
#pragma once

#include <optional>
#include <string>

#include "mainstem/data/logical_type.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// The payload of the service that answers `task` (embed_text, classify_image, …): JSON with the task, its files (from
/// the option `resolved`, which the front end sets) and its options.
Result<std::string> ModelPayload(const std::string& task, const Options& options, const LogicalType& input);

/// The picture size that the task's model looks at; nothing where any input goes.
struct ModelImage {
  int32_t height = 0;
  int32_t width = 0;
};
std::optional<ModelImage> ModelImageSize(const std::string& task);

}  // namespace mainstem
