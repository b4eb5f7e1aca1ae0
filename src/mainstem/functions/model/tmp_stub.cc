#include "mainstem/functions/builtin.h"
#include "mainstem/functions/model/model_payload.h"
namespace mainstem {
__attribute__((weak)) Status RegisterModelFunctions(Registry&) { return Status::OK(); }
__attribute__((weak)) Result<std::string> ModelPayload(const std::string&, const Options&, const LogicalType&) { return std::string(); }
__attribute__((weak)) std::optional<ModelImage> ModelImageSize(const std::string&) { return {}; }
}
