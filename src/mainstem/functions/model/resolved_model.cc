#include "mainstem/functions/model/resolved_model.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <map>

namespace mainstem {

namespace {

Status Malformed(std::string_view what) {
  return JobError(fmt::format("what the model store says of the model is malformed: {}", what));
}

Result<std::vector<ModelPort>> ReadPorts(const nlohmann::json& json, const std::string& member) {
  std::vector<ModelPort> ports;
  const auto found = json.find(member);
  if (found == json.end()) {
    return ports;
  }
  if (!found->is_array()) {
    return Malformed(member);
  }
  for (const auto& entry : *found) {
    if (!entry.is_object() || !entry.contains("shape") || !entry["shape"].is_array() ||
        !entry.value("name", nlohmann::json()).is_string() || !entry.value("type", nlohmann::json()).is_string()) {
      return Malformed(member);
    }
    ModelPort port{.name = entry["name"].get<std::string>(), .type = entry["type"].get<std::string>()};
    for (const auto& side : entry["shape"]) {
      if (!side.is_number_integer()) {
        return Malformed(member);
      }
      port.shape.push_back(side.get<int64_t>());
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

Result<ResolvedModel> ResolvedModel::Read(const Options& options) {
  if (!options.Has("resolved")) {
    return JobError("the model was not looked up: the front end sets the option 'resolved' from the model store");
  }
  ResolvedModel model;
  model.json = nlohmann::json::parse(options.String("resolved"), nullptr, /*allow_exceptions=*/false);
  if (!model.json.is_object() || !model.json.value("files", nlohmann::json()).is_object()) {
    return Malformed("no files");
  }
  const auto name = model.json.value("name", nlohmann::json());
  model.name = name.is_string() ? name.get<std::string>() : "";
  ARROW_ASSIGN_OR_RAISE(model.inputs, ReadPorts(model.json, "inputs"));
  ARROW_ASSIGN_OR_RAISE(model.outputs, ReadPorts(model.json, "outputs"));
  return model;
}

Result<std::shared_ptr<arrow::DataType>> NumberType(const ModelPort& port) {
  static const std::map<std::string, std::shared_ptr<arrow::DataType>> types = {
      {"float16", arrow::float16()}, {"float32", arrow::float32()}, {"float64", arrow::float64()},
      {"int8", arrow::int8()},       {"int16", arrow::int16()},     {"int32", arrow::int32()},
      {"int64", arrow::int64()},     {"uint8", arrow::uint8()},     {"uint16", arrow::uint16()},
      {"uint32", arrow::uint32()},   {"uint64", arrow::uint64()},
  };
  const auto found = types.find(port.type);
  if (found == types.end()) {
    return JobError(fmt::format("'{}' of the model has numbers of type {}, which no column has", Escaped(port.name),
                                Escaped(port.type)));
  }
  return found->second;
}

}  // namespace mainstem
