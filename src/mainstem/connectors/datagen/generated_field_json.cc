// Reads the fields of datagen from JSON.
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/datagen/generated_field.h"
#include "mainstem/connectors/position.h"
#include "mainstem/data/type_json.h"

namespace mainstem {
namespace {

constexpr size_t kFieldsMax = 1000;
constexpr int64_t kLengthMax = 1 << 20;
constexpr int64_t kLengthDefault = 100;

struct Limits {
  int64_t min;
  int64_t max;
};

std::optional<Limits> LimitsOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT8: return Limits{INT8_MIN, INT8_MAX};
    case arrow::Type::INT16: return Limits{INT16_MIN, INT16_MAX};
    case arrow::Type::INT32: return Limits{INT32_MIN, INT32_MAX};
    case arrow::Type::INT64: return Limits{INT64_MIN, INT64_MAX};
    case arrow::Type::UINT8: return Limits{0, UINT8_MAX};
    case arrow::Type::UINT16: return Limits{0, UINT16_MAX};
    case arrow::Type::UINT32: return Limits{0, UINT32_MAX};
    default: return std::nullopt;
  }
}

// One field; `stated` has it checked member by member.
class FieldReader {
 public:
  explicit FieldReader(const StatedPosition& stated) : stated_(stated) {}

  Result<GeneratedField> Read() {
    ARROW_ASSIGN_OR_RAISE(field_.name, stated_.Text("name"));
    if (!stated_.Has("type")) return stated_.Bad("it has no 'type'");
    const std::string type = PositionText(stated_.json()["type"]);
    auto parsed = ParseType(type);
    if (!parsed.ok()) return WithContext(parsed.status(), fmt::format("datagen: field '{}'", Escaped(field_.name)));
    field_.type = parsed->ToField("")->type();
    if (stated_.Has("kind")) {
      ARROW_ASSIGN_OR_RAISE(const std::string kind, stated_.Text("kind"));
      if (kind != "random" && kind != "sequence") return stated_.Bad("its kind is neither random nor sequence");
      if (kind == "sequence") field_.kind = GeneratedField::Kind::kSequence;
    }
    ARROW_ASSIGN_OR_RAISE(field_.null_rate, Real("null_rate", 0, 0, 1));
    ARROW_RETURN_NOT_OK(field_.kind == GeneratedField::Kind::kSequence ? ReadSequence() : ReadRandom());
    for (const auto& [name, value] : stated_.json().items()) {
      if (known_.contains(name)) continue;
      return stated_.Bad(fmt::format("there is no setting '{}' for it.{}", Escaped(name),
                                     Suggestion(name, std::vector<std::string>(known_.begin(), known_.end()))));
    }
    return field_;
  }

 private:
  Status ReadSequence() {
    const auto limits = LimitsOf(*field_.type);
    if (!limits) return stated_.Bad("a sequence is of whole numbers: int8 to int64, uint8 to uint32");
    ARROW_ASSIGN_OR_RAISE(field_.whole_min, Whole("start", 0, *limits));
    ARROW_ASSIGN_OR_RAISE(field_.whole_max, Whole("end", limits->max, {field_.whole_min, limits->max}));
    return Status::OK();
  }

  Status ReadRandom() {
    if (const auto limits = LimitsOf(*field_.type)) {
      ARROW_ASSIGN_OR_RAISE(field_.whole_min, Whole("min", limits->min, *limits));
      ARROW_ASSIGN_OR_RAISE(field_.whole_max, Whole("max", limits->max, {field_.whole_min, limits->max}));
      return Status::OK();
    }
    switch (field_.type->id()) {
      case arrow::Type::BOOL: return Status::OK();
      case arrow::Type::FLOAT:
      case arrow::Type::DOUBLE: {
        const double most = field_.type->id() == arrow::Type::FLOAT ? std::numeric_limits<float>::max() : 1e308 / 2;
        ARROW_ASSIGN_OR_RAISE(field_.min, Real("min", 0, -most, most));
        ARROW_ASSIGN_OR_RAISE(field_.max, Real("max", std::max(1.0, field_.min), field_.min, most));
        return Status::OK();
      }
      case arrow::Type::STRING:
      case arrow::Type::LARGE_BINARY: {
        ARROW_ASSIGN_OR_RAISE(field_.length, Whole("length", kLengthDefault, {0, kLengthMax}));
        return Status::OK();
      }
      default:
        return stated_.Bad("values of its type cannot be generated; bool, int8, int16, int32, int64, uint8, uint16, "
                           "uint32, float32, float64, string and binary can");
    }
  }

  Result<int64_t> Whole(const char* name, int64_t otherwise, Limits limits) {
    known_.insert(name);
    if (!stated_.Has(name)) return otherwise;
    return stated_.Number(name, limits.min, limits.max);
  }

  Result<double> Real(const char* name, double otherwise, double least, double most) {
    known_.insert(name);
    const auto found = stated_.json().find(name);
    if (found == stated_.json().end()) return otherwise;
    if (!found->is_number()) return stated_.Bad(fmt::format("'{}' is not a number", name));
    const double number = found->get<double>();
    if (!(number >= least && number <= most)) {
      return stated_.Bad(fmt::format("'{}' is not from {} to {}", name, least, most));
    }
    return number;
  }

  const StatedPosition& stated_;
  GeneratedField field_;
  std::set<std::string> known_ = {"name", "type", "kind"};
};

}  // namespace

Result<std::vector<GeneratedField>> ParseGeneratedFields(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty() || json.size() > kFieldsMax) {
    return JobError(fmt::format("datagen: option 'fields' is {}; it must be JSON: [{{\"name\": …, \"type\": …}}, …]",
                                Escaped(text)));
  }
  std::vector<GeneratedField> fields;
  std::set<std::string> names;
  for (const auto& entry : json) {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Of("datagen", "field", entry));
    ARROW_ASSIGN_OR_RAISE(GeneratedField field, FieldReader(stated).Read());
    if (!names.insert(field.name).second) return stated.Bad("another has its name");
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace mainstem
