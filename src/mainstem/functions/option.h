// Options: the named settings of a function call, declared in the registry and checked before use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// The value of one option: unset, a boolean, an integer, a number, a text, or a list of these.
struct OptionValue {
  using List = std::vector<OptionValue>;
  std::variant<std::monostate, bool, int64_t, double, std::string, List> value;

  OptionValue() = default;
  OptionValue(bool v) : value(v) {}                    // NOLINT: values convert freely
  OptionValue(int v) : value(int64_t{v}) {}            // NOLINT
  OptionValue(int64_t v) : value(v) {}                 // NOLINT
  OptionValue(double v) : value(v) {}                  // NOLINT
  OptionValue(const char* v) : value(std::string(v)) {}  // NOLINT
  OptionValue(std::string v) : value(std::move(v)) {}  // NOLINT
  OptionValue(List v) : value(std::move(v)) {}         // NOLINT

  bool is_unset() const { return std::holds_alternative<std::monostate>(value); }
  bool operator==(const OptionValue& other) const = default;
  /// As Python writes it: None, True, 85, 0.5, 'JPEG', [1, 2].
  std::string ToString() const;
  /// Text that is equal exactly where the values are: complete, typed, and with lengths, unlike ToString.
  std::string Identity() const;
};

enum class OptionType { kBool, kInt, kFloat, kString, kIntList, kFloatList, kStringList };
std::string_view ToString(OptionType type);

/// Declares one option. Its default stands where a call does not set it; an unset default of an option that
/// is not required means None.
struct OptionSpec {
  std::string name;
  OptionType type = OptionType::kString;
  OptionValue default_value;
  std::string doc;                     ///< one sentence: meaning, unit
  bool required = false;
  std::optional<double> minimum;       ///< inclusive
  std::optional<double> maximum;       ///< inclusive
  std::vector<std::string> choices;    ///< of a text; letter case is ignored, the canonical form is passed on
};

/// The options of one call, complete and checked against their specifications.
class Options {
 public:
  /// Checks names, types, limits and choices, and fills in defaults. Errors name the function.
  static Result<Options> Check(const std::string& function, const std::vector<OptionSpec>& specs,
                               const std::map<std::string, OptionValue>& given);

  bool Has(const std::string& name) const;  ///< declared and not None
  bool Bool(const std::string& name) const;
  int64_t Int(const std::string& name) const;
  double Float(const std::string& name) const;
  const std::string& String(const std::string& name) const;
  std::vector<int64_t> IntList(const std::string& name) const;
  std::vector<double> FloatList(const std::string& name) const;
  std::vector<std::string> StringList(const std::string& name) const;
  std::optional<int64_t> MaybeInt(const std::string& name) const;
  std::optional<double> MaybeFloat(const std::string& name) const;
  std::optional<std::string> MaybeString(const std::string& name) const;

  const std::map<std::string, OptionValue>& values() const { return values_; }
  /// For planner rules that set an internal option.
  void Set(const std::string& name, OptionValue value) { values_[name] = std::move(value); }

 private:
  std::map<std::string, OptionValue> values_;
};

}  // namespace mainstem
