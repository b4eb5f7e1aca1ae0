// The native models: one payload names one of them.
#pragma once

#include <memory>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/services/host/model.h"

namespace mainstem {

/// Loads the model that a payload (JSON, see payload.h) names. Fails with a JobError where the payload, a file
/// or an option is at fault. The result has one column, `result`.
Result<std::unique_ptr<Model>> LoadModel(const std::string& payload_json);

}  // namespace mainstem
