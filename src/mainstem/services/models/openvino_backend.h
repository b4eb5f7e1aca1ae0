// The backend on OpenVINO's CPU plugin.
#pragma once

#include <memory>

#include "mainstem/services/models/backend.h"

namespace mainstem {

/// Reads ONNX, OpenVINO IR and TFLite files. Inference is synchronous, on the caller's thread and the plugin's
/// own workers, one stream.
Result<std::unique_ptr<Backend>> MakeOpenVinoBackend();

}  // namespace mainstem
