#include "mainstem/functions/model/model_payload.h"

#include <nlohmann/json.hpp>

#include <set>

#include "mainstem/functions/model/resolved_model.h"

namespace mainstem {

namespace {

constexpr int32_t kPictureSide = 224;

nlohmann::json ToJson(const OptionValue& value) {
  return std::visit(
      [](const auto& held) -> nlohmann::json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Held, OptionValue::List>) {
          nlohmann::json list = nlohmann::json::array();
          for (const OptionValue& item : held) {
            list.push_back(ToJson(item));
          }
          return list;
        } else {
          return held;
        }
      },
      value.value);
}

/// What the host has to know of the column: how to read it, and the shape that its type states.
nlohmann::json InputColumn(const LogicalType& type) {
  nlohmann::json input = nlohmann::json::object();
  switch (type.kind()) {
    case TypeKind::kImage:
      input["kind"] = "image";
      break;
    case TypeKind::kTensor:
      input["kind"] = "tensor";
      input["shape"] = type.shape();
      break;
    case TypeKind::kVector:
      input["kind"] = "vector";
      break;
    case TypeKind::kAudio:
      input["kind"] = "audio";
      break;
    default:
      input["kind"] = type.IsText() ? "text" : "list";
  }
  return input;
}

}  // namespace

Result<std::string> ModelPayload(const std::string& task, const Options& options, const LogicalType& input) {
  ARROW_ASSIGN_OR_RAISE(const ResolvedModel model, ResolvedModel::Read(options));
  nlohmann::json payload = {{"task", task}, {"inputs", {InputColumn(input)}}};
  for (const char* member : {"name", "files", "settings", "version", "sha256"}) {
    if (model.json.contains(member)) {
      payload[member] = model.json[member];
    }
  }
  // Options that steer the plan and not the model stay here, so that calls which differ only in them share a service.
  static const std::set<std::string> plan_options = {"model", "resolved", "on_error", "output_type"};
  nlohmann::json given = nlohmann::json::object();
  for (const auto& [name, value] : options.values()) {
    if (!value.is_unset() && !plan_options.contains(name)) {
      given[name] = ToJson(value);
    }
  }
  payload["options"] = std::move(given);
  return payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<ModelImage> ModelImageSize(const std::string& task) {
  if (task == "classify_image" || task == "embed_image") {
    return ModelImage{.height = kPictureSide, .width = kPictureSide};
  }
  return {};
}

}  // namespace mainstem
