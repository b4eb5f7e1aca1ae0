#include "mainstem/services/models/models.h"

#include <fmt/format.h>

#include <map>

#include "mainstem/services/models/image_model.h"
#include "mainstem/services/models/openvino_backend.h"
#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/speech_detector.h"
#include "mainstem/services/models/tensor_model.h"
#include "mainstem/services/models/text_embedder.h"

namespace mainstem {

namespace {

using Loader = Result<std::unique_ptr<Model>> (*)(const Payload&, Backend&);

const std::map<std::string, Loader>& Loaders() {
  static const std::map<std::string, Loader> loaders = {
      {"embed_text", &TextEmbedder::Load},     {"classify_image", &ImageModel::Load},
      {"embed_image", &ImageModel::Load},      {"detect_speech", &SpeechDetector::Load},
      {"onnx", &TensorModel::Load},
  };
  return loaders;
}

}  // namespace

Result<std::unique_ptr<Model>> LoadModel(const std::string& payload_json) {
  ARROW_ASSIGN_OR_RAISE(const Payload payload, Payload::Parse(payload_json));
  const auto loader = Loaders().find(payload.task);
  if (loader == Loaders().end()) {
    return JobError(fmt::format("no native model answers the task '{}'", Escaped(payload.task)));
  }
  // What a backend compiles keeps the backend's parts alive; the backend itself is needed only here.
  ARROW_ASSIGN_OR_RAISE(const std::unique_ptr<Backend> backend, MakeOpenVinoBackend());
  auto model = loader->second(payload, *backend);
  if (!model.ok()) {
    return WithContext(model.status(), fmt::format("model '{}'", Escaped(payload.name)));
  }
  return model;
}

}  // namespace mainstem
