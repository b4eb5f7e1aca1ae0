#include "mainstem/functions/registry.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"

namespace mainstem {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const OptionValue& value) {
  return std::visit(
      [](const auto& content) -> Json {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, OptionValue::List>) {
          Json out = Json::array();
          for (const OptionValue& entry : content) out.push_back(ToJson(entry));
          return out;
        } else {
          return content;
        }
      },
      value.value);
}

const char* Name(OptionType type) {
  switch (type) {
    case OptionType::kBool: return "bool";
    case OptionType::kInt: return "int";
    case OptionType::kFloat: return "float";
    case OptionType::kString: return "string";
    case OptionType::kIntList: return "int_list";
    case OptionType::kFloatList: return "float_list";
    case OptionType::kStringList: return "string_list";
  }
  return "string";
}

const char* Name(CostClass cost) {
  switch (cost) {
    case CostClass::kCheap: return "cheap";
    case CostClass::kDecode: return "decode";
    case CostClass::kHeavy: return "heavy";
    case CostClass::kRemote: return "remote";
  }
  return "cheap";
}

Json ToJson(const FunctionDefinition& definition) {
  Json json = {{"name", definition.name},
               {"kind", ToString(definition.kind)},
               {"cost", Name(definition.cost)},
               {"doc", definition.doc},
               {"variadic", definition.variadic},
               {"arguments", Json::array()},
               {"options", Json::array()}};
  for (const ArgumentSpec& argument : definition.arguments) {
    json["arguments"].push_back({{"name", argument.name},
                                 {"accepts", ToString(argument.accepts)},
                                 {"doc", argument.doc},
                                 {"optional", argument.optional}});
  }
  for (const OptionSpec& option : definition.options) {
    Json entry = {{"name", option.name},       {"type", Name(option.type)},   {"default", ToJson(option.default_value)},
                  {"required", option.required}, {"doc", option.doc}};
    if (option.minimum) entry["minimum"] = *option.minimum;
    if (option.maximum) entry["maximum"] = *option.maximum;
    if (!option.choices.empty()) entry["choices"] = option.choices;
    json["options"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace

Status Registry::Add(FunctionDefinition definition) {
  if (definition.has_on_error) {
    definition.options.push_back({.name = "on_error",
                                  .type = OptionType::kString,
                                  .default_value = "raise",
                                  .doc = "What broken input does: 'raise' fails the job, 'null' gives null, "
                                         "'dead_letter' sets the row aside with the reason.",
                                  .choices = {"raise", "null", "dead_letter"}});
  }
  std::string name = definition.name;
  if (!functions_.emplace(name, std::move(definition)).second) {
    return JobError(fmt::format("function '{}' is registered twice", name));
  }
  return Status::OK();
}

const FunctionDefinition* Registry::FindOrNull(const std::string& name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

Result<const FunctionDefinition*> Registry::Find(const std::string& name) const {
  if (const FunctionDefinition* found = FindOrNull(name)) return found;
  std::vector<std::string> names;
  for (const auto& [known, definition] : functions_) names.push_back(known);
  return JobError(fmt::format("there is no function '{}'.{}", Escaped(name), Suggestion(name, names)));
}

std::vector<const FunctionDefinition*> Registry::All() const {
  std::vector<const FunctionDefinition*> all;
  for (const auto& [name, definition] : functions_) all.push_back(&definition);
  return all;
}

std::string Registry::ToJson() const {
  Json json = Json::array();
  for (const auto& [name, definition] : functions_) json.push_back(mainstem::ToJson(definition));
  return json.dump();
}

}  // namespace mainstem
