#include "mainstem/functions/option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "mainstem/base/suggestion.h"

namespace mainstem {
namespace {

bool SameLetters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

// Converts to the declared type (an integer is a number too), or nothing where it does not fit.
std::optional<OptionValue> Converted(const OptionValue& value, OptionType type) {
  const auto list_of = [&](OptionType item) -> std::optional<OptionValue> {
    const auto* list = std::get_if<OptionValue::List>(&value.value);
    if (!list) return {};
    OptionValue::List out;
    for (const OptionValue& entry : *list) {
      auto converted = Converted(entry, item);
      if (!converted) return {};
      out.push_back(std::move(*converted));
    }
    return OptionValue(std::move(out));
  };
  switch (type) {
    case OptionType::kBool:
      if (std::holds_alternative<bool>(value.value)) return value;
      return {};
    case OptionType::kInt:
      if (std::holds_alternative<int64_t>(value.value)) return value;
      return {};
    case OptionType::kFloat:
      if (const auto* integer = std::get_if<int64_t>(&value.value)) return OptionValue(static_cast<double>(*integer));
      if (const auto* number = std::get_if<double>(&value.value); number && std::isfinite(*number)) return value;
      return {};
    case OptionType::kString:
      if (std::holds_alternative<std::string>(value.value)) return value;
      return {};
    case OptionType::kIntList: return list_of(OptionType::kInt);
    case OptionType::kFloatList: return list_of(OptionType::kFloat);
    case OptionType::kStringList: return list_of(OptionType::kString);
  }
  return {};
}

Result<OptionValue> CheckOne(const std::string& function, const OptionSpec& spec, const OptionValue& given) {
  if (given.is_unset()) {
    if (spec.required) return JobError(fmt::format("{}: option '{}' must be given", function, spec.name));
    // None stands for the default where the default is None; elsewhere it is a mistake.
    if (!spec.default_value.is_unset()) {
      return JobError(fmt::format("{}: option '{}' cannot be None", function, spec.name));
    }
    return given;
  }
  auto converted = Converted(given, spec.type);
  if (!converted) {
    return JobError(fmt::format("{}: option '{}' takes {}, not {}", function, spec.name, ToString(spec.type),
                                given.ToString()));
  }
  if (const auto* text = std::get_if<std::string>(&converted->value); text && !spec.choices.empty()) {
    for (const std::string& choice : spec.choices) {
      if (SameLetters(choice, *text)) return OptionValue(choice);
    }
    return JobError(fmt::format("{}: option {}='{}' is not one of {}.{}", function, spec.name, Escaped(*text),
                                fmt::join(spec.choices, ", "),
                                spec.choices.size() > 3 ? Suggestion(*text, spec.choices) : ""));
  }
  const auto in_limits = [&](const OptionValue& entry) {
    double number = 0;
    if (const auto* integer = std::get_if<int64_t>(&entry.value)) {
      number = static_cast<double>(*integer);
    } else if (const auto* real = std::get_if<double>(&entry.value)) {
      number = *real;
    } else {
      return true;
    }
    return (!spec.minimum || number >= *spec.minimum) && (!spec.maximum || number <= *spec.maximum);
  };
  const auto* list = std::get_if<OptionValue::List>(&converted->value);
  const bool fits = list ? std::all_of(list->begin(), list->end(), in_limits) : in_limits(*converted);
  if (!fits) {
    const std::string limits = !spec.maximum   ? fmt::format("at least {}", *spec.minimum)
                               : !spec.minimum ? fmt::format("at most {}", *spec.maximum)
                                               : fmt::format("between {} and {}", *spec.minimum, *spec.maximum);
    return JobError(fmt::format("{}: option {}={} must be {}", function, spec.name, given.ToString(), limits));
  }
  return *converted;
}

}  // namespace

std::string OptionValue::ToString() const {
  struct Printer {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool v) const { return v ? "True" : "False"; }
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
      std::string text = fmt::format("{}", v);
      return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
    }
    std::string operator()(const std::string& v) const { return "'" + Escaped(v) + "'"; }
    std::string operator()(const List& list) const {
      std::vector<std::string> parts;
      for (const OptionValue& entry : list) parts.push_back(entry.ToString());
      return fmt::format("[{}]", fmt::join(parts, ", "));
    }
  };
  return std::visit(Printer{}, value);
}

std::string OptionValue::Identity() const {
  if (const auto* text = std::get_if<std::string>(&value)) return fmt::format("s{}:{}", text->size(), *text);
  if (const auto* list = std::get_if<List>(&value)) {
    std::string identity = fmt::format("l{}:", list->size());
    for (const OptionValue& entry : *list) identity += entry.Identity();
    return identity;
  }
  return fmt::format("{}{};", value.index(), ToString());
}

std::string_view ToString(OptionType type) {
  switch (type) {
    case OptionType::kBool: return "True or False";
    case OptionType::kInt: return "an integer";
    case OptionType::kFloat: return "a number";
    case OptionType::kString: return "a string";
    case OptionType::kIntList: return "a list of integers";
    case OptionType::kFloatList: return "a list of numbers";
    case OptionType::kStringList: return "a list of strings";
  }
  return "?";
}

Result<Options> Options::Check(const std::string& function, const std::vector<OptionSpec>& specs,
                               const std::map<std::string, OptionValue>& given) {
  std::vector<std::string> names;
  for (const OptionSpec& spec : specs) names.push_back(spec.name);
  for (const auto& [name, value] : given) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return JobError(fmt::format("{}: there is no option '{}'.{}", function, Escaped(name), Suggestion(name, names)));
    }
  }
  Options options;
  for (const OptionSpec& spec : specs) {
    const auto found = given.find(spec.name);
    if (found == given.end()) {
      if (spec.required) return JobError(fmt::format("{}: option '{}' must be given", function, spec.name));
      options.values_[spec.name] = spec.default_value;
    } else {
      ARROW_ASSIGN_OR_RAISE(options.values_[spec.name], CheckOne(function, spec, found->second));
    }
  }
  return options;
}

bool Options::Has(const std::string& name) const {
  const auto found = values_.find(name);
  return found != values_.end() && !found->second.is_unset();
}
bool Options::Bool(const std::string& name) const { return std::get<bool>(values_.at(name).value); }
int64_t Options::Int(const std::string& name) const { return std::get<int64_t>(values_.at(name).value); }
double Options::Float(const std::string& name) const { return std::get<double>(values_.at(name).value); }
const std::string& Options::String(const std::string& name) const {
  return std::get<std::string>(values_.at(name).value);
}
namespace {
template <typename T>
std::vector<T> ListOf(const OptionValue& value) {
  std::vector<T> out;
  for (const OptionValue& entry : std::get<OptionValue::List>(value.value)) out.push_back(std::get<T>(entry.value));
  return out;
}
}  // namespace
std::vector<int64_t> Options::IntList(const std::string& name) const { return ListOf<int64_t>(values_.at(name)); }
std::vector<double> Options::FloatList(const std::string& name) const { return ListOf<double>(values_.at(name)); }
std::vector<std::string> Options::StringList(const std::string& name) const {
  return ListOf<std::string>(values_.at(name));
}
std::optional<int64_t> Options::MaybeInt(const std::string& name) const {
  if (!Has(name)) return {};
  return Int(name);
}
std::optional<double> Options::MaybeFloat(const std::string& name) const {
  if (!Has(name)) return {};
  return Float(name);
}
std::optional<std::string> Options::MaybeString(const std::string& name) const {
  if (!Has(name)) return {};
  return String(name);
}

}  // namespace mainstem
