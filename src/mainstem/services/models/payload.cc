#include "mainstem/services/models/payload.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

namespace mainstem {

namespace {

const nlohmann::json* Member(const nlohmann::json& object, const std::string& name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

Status WrongOption(const std::string& option, std::string_view wanted, const nlohmann::json& got) {
  const std::string text = got.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return JobError(fmt::format("option '{}' must be {}, not {}", Escaped(option), wanted, Escaped(text)));
}

}  // namespace

Result<Payload> Payload::Parse(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return JobError("the payload of a native service is not a JSON object");
  }
  Payload payload;
  const auto* task = Member(json, "task");
  if (task == nullptr || !task->is_string()) {
    return JobError("the payload of a native service has no text 'task'");
  }
  payload.task = task->get<std::string>();
  const auto* name = Member(json, "name");
  payload.name = name != nullptr && name->is_string() ? name->get<std::string>() : payload.task;
  if (const auto* files = Member(json, "files"); files != nullptr && files->is_object()) {
    for (const auto& [part, path] : files->items()) {
      if (!path.is_string()) {
        return JobError(fmt::format("file '{}' of the payload is not a path", Escaped(part)));
      }
      payload.files[part] = path.get<std::string>();
    }
  }
  if (const auto* inputs = Member(json, "inputs"); inputs != nullptr) {
    payload.inputs = *inputs;
  }
  for (const auto& [member, target] :
       {std::pair{"settings", &payload.settings}, std::pair{"options", &payload.options}}) {
    if (const auto* found = Member(json, member); found != nullptr) {
      if (!found->is_object()) {
        return JobError(fmt::format("'{}' of the payload is not an object", member));
      }
      *target = *found;
    }
  }
  return payload;
}

Result<std::string> Payload::File(const std::string& part) const {
  const auto it = files.find(part);
  if (it == files.end()) {
    return JobError(fmt::format("the payload names no file '{}', which {} needs", part, Escaped(task)));
  }
  return it->second;
}

Result<int64_t> Payload::Int(const std::string& option, int64_t otherwise, int64_t minimum, int64_t maximum) const {
  const auto* value = Member(options, option);
  if (value == nullptr) {
    value = Member(settings, option);
  }
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number_integer() || value->get<int64_t>() < minimum || value->get<int64_t>() > maximum) {
    return WrongOption(option, fmt::format("an integer from {} to {}", minimum, maximum), *value);
  }
  return value->get<int64_t>();
}

Result<double> Payload::Number(const std::string& option, double otherwise, double minimum, double maximum) const {
  const auto* value = Member(options, option);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number() || !(value->get<double>() >= minimum && value->get<double>() <= maximum)) {
    return WrongOption(option, fmt::format("a number from {} to {}", minimum, maximum), *value);
  }
  return value->get<double>();
}

Result<std::string> Payload::Text(const std::string& option, const std::string& otherwise) const {
  const auto* value = Member(options, option);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_string()) {
    return WrongOption(option, "a text", *value);
  }
  return value->get<std::string>();
}

Result<std::vector<float>> Payload::Numbers(const std::string& name) const {
  const auto* value = Member(options, name);
  if (value == nullptr) {
    value = Member(settings, name);
  }
  std::vector<float> numbers;
  if (value == nullptr) {
    return numbers;
  }
  if (!value->is_array()) {
    return WrongOption(name, "a list of numbers", *value);
  }
  for (const auto& item : *value) {
    if (!item.is_number() || !std::isfinite(item.get<float>())) {
      return WrongOption(name, "a list of finite numbers", *value);
    }
    numbers.push_back(item.get<float>());
  }
  return numbers;
}

Result<CompileOptions> Payload::Compile() const {
  CompileOptions compile;
  ARROW_ASSIGN_OR_RAISE(const int64_t threads, Int("threads", 0, 0, 1024));
  compile.threads = static_cast<int>(threads);
  ARROW_ASSIGN_OR_RAISE(const std::string precision, Text("precision", "auto"));
  if (precision != "auto" && precision != "f32") {
    return WrongOption("precision", "'auto' or 'f32'", precision);
  }
  compile.full_precision = precision == "f32";
  return compile;
}

Result<std::vector<std::string>> ReadLines(const std::string& path, int64_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return JobError(fmt::format("cannot open {}", Escaped(path)));
  }
  std::vector<std::string> lines;
  std::string line;
  int64_t bytes = 0;
  while (std::getline(file, line)) {
    bytes += static_cast<int64_t>(line.size()) + 1;
    if (bytes > bytes_max) {
      return JobError(fmt::format("{} is larger than {} bytes", Escaped(path), bytes_max));
    }
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace mainstem
