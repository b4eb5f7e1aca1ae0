// ResolvedModel: what the model store says of a model, read from the option `resolved` of a call.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "mainstem/data/logical_type.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// An input or output of the model; the first side of its shape is the batch, −1 stands for a free side.
struct ModelPort {
  std::string name;
  std::string type;  ///< as numpy names it: float32, int64, uint8
  std::vector<int64_t> shape;
};

/// The store's answer, checked.
struct ResolvedModel {
  std::string name;
  nlohmann::json json;  ///< files, version, licence, sha256, settings …
  std::vector<ModelPort> inputs;
  std::vector<ModelPort> outputs;

  /// Reads the option; a JobError where the front end did not set it or it is malformed.
  static Result<ResolvedModel> Read(const Options& options);
};

/// Numbers of a port as an Arrow type; a JobError for types that columns do not have.
Result<std::shared_ptr<arrow::DataType>> NumberType(const ModelPort& port);

}  // namespace mainstem
