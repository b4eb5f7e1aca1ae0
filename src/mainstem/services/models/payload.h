// Payload: what a native service is told about its model.
#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/services/models/backend.h"

namespace mainstem {

/// The payload of a native ServiceSpec, as JSON:
///   {"task": "embed_text", "name": "…", "files": {"model": "/…/model.xml", "vocabulary": "/…/vocab.txt"},
///    "settings": {…},   what belongs to the model: mean, scale, max_tokens
///    "options": {…},    what the call states: top_k, threshold, batch_size, threads, precision
///    "inputs": [{"kind": "image", "shape": [224, 224, 3]}]}  the types of the call's columns, where they matter
/// Unknown members are ignored, so that an older host runs with a newer front end.
struct Payload {
  std::string task;
  std::string name;
  std::map<std::string, std::string> files;
  nlohmann::json settings = nlohmann::json::object();
  nlohmann::json options = nlohmann::json::object();
  nlohmann::json inputs = nlohmann::json::array();

  static Result<Payload> Parse(const std::string& text);

  /// The path of a part, or a JobError that names it.
  Result<std::string> File(const std::string& part) const;
  /// An option; the default where it is missing or null. A value of another type or outside the limits is a
  /// JobError.
  Result<int64_t> Int(const std::string& option, int64_t otherwise, int64_t minimum, int64_t maximum) const;
  Result<double> Number(const std::string& option, double otherwise, double minimum, double maximum) const;
  Result<std::string> Text(const std::string& option, const std::string& otherwise) const;
  /// A list of numbers from the options or else from the settings; empty where there is none.
  Result<std::vector<float>> Numbers(const std::string& name) const;

  /// Threads and precision for the backend.
  Result<CompileOptions> Compile() const;
};

/// Reads a text file line by line, at most `bytes_max` long; for vocabularies and label lists.
Result<std::vector<std::string>> ReadLines(const std::string& path, int64_t bytes_max);

}  // namespace mainstem
