#include "mainstem/data/type_json.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

using Json = nlohmann::ordered_json;

const std::map<std::string, std::shared_ptr<arrow::DataType>>& PlainTypes() {
  static const std::map<std::string, std::shared_ptr<arrow::DataType>> kTypes = {
      {"null", arrow::null()},       {"bool", arrow::boolean()},    {"int8", arrow::int8()},
      {"int16", arrow::int16()},     {"int32", arrow::int32()},     {"int64", arrow::int64()},
      {"uint8", arrow::uint8()},     {"uint16", arrow::uint16()},   {"uint32", arrow::uint32()},
      {"uint64", arrow::uint64()},   {"float16", arrow::float16()}, {"float32", arrow::float32()},
      {"float64", arrow::float64()}, {"string", arrow::utf8()},     {"large_string", arrow::large_utf8()},
      {"binary", arrow::large_binary()}, {"small_binary", arrow::binary()}, {"date", arrow::date32()}};
  return kTypes;
}

const std::map<std::string, arrow::TimeUnit::type>& Units() {
  static const std::map<std::string, arrow::TimeUnit::type> kUnits = {{"s", arrow::TimeUnit::SECOND},
                                                                      {"ms", arrow::TimeUnit::MILLI},
                                                                      {"us", arrow::TimeUnit::MICRO},
                                                                      {"ns", arrow::TimeUnit::NANO}};
  return kUnits;
}

constexpr int kMaxDepth = 64;
constexpr int kMostBrackets = 20'000;  // of a type's text: many fields, and yet no deeper than the stack

Result<LogicalType> Parse(const Json& json, int depth);

Result<LogicalType> Member(const Json& json, const char* key, int depth) {
  if (!json.contains(key)) return JobError(fmt::format("type {} lacks '{}'", json.dump(), key));
  return Parse(json[key], depth + 1);
}

template <typename T>
Result<std::optional<T>> Maybe(const Json& json, const char* key) {
  if (!json.contains(key) || json[key].is_null()) return std::optional<T>();
  try {
    return std::optional<T>(json[key].get<T>());
  } catch (const Json::exception&) {
    return JobError(fmt::format("type {}: '{}' has the wrong form", json.dump(), key));
  }
}

template <typename T>
Result<T> Need(const Json& json, const char* key) {
  ARROW_ASSIGN_OR_RAISE(std::optional<T> value, Maybe<T>(json, key));
  if (!value) return JobError(fmt::format("type {} lacks '{}'", json.dump(), key));
  return *value;
}

Result<std::shared_ptr<arrow::DataType>> PlainType(const std::string& name) {
  const auto found = PlainTypes().find(name);
  if (found == PlainTypes().end()) return JobError(fmt::format("there is no type '{}'", Escaped(name)));
  return found->second;
}

Result<arrow::TimeUnit::type> Unit(const Json& json) {
  ARROW_ASSIGN_OR_RAISE(std::string name, Need<std::string>(json, "unit"));
  const auto found = Units().find(name);
  if (found == Units().end()) return JobError(fmt::format("there is no time unit '{}'", Escaped(name)));
  return found->second;
}

Result<LogicalType> Parse(const Json& json, int depth) {
  if (depth > kMaxDepth) return JobError("a type is nested too deeply");
  if (json.is_string()) {
    const std::string name = json.get<std::string>();
    if (name == "image") return LogicalType::Image();
    if (name == "file") return LogicalType::File();
    if (name == "audio") return LogicalType::Audio();
    if (name == "audio_clip") return LogicalType::AudioClip();
    if (name == "video_clip") return LogicalType::VideoClip();
    ARROW_ASSIGN_OR_RAISE(auto plain, PlainType(name));
    return LogicalType::Plain(std::move(plain));
  }
  if (!json.is_object()) return JobError(fmt::format("'{}' is not a type", json.dump()));
  ARROW_ASSIGN_OR_RAISE(const std::string name, Need<std::string>(json, "type"));
  if (name == "list") {
    ARROW_ASSIGN_OR_RAISE(LogicalType item, Member(json, "item", depth));
    return LogicalType::List(item);
  }
  if (name == "map") {
    ARROW_ASSIGN_OR_RAISE(LogicalType key, Member(json, "key", depth));
    ARROW_ASSIGN_OR_RAISE(LogicalType value, Member(json, "value", depth));
    return LogicalType::Plain(std::make_shared<arrow::MapType>(key.ToField("key")->WithNullable(false),
                                                               value.ToField("value")));
  }
  if (name == "struct") {
    if (!json.contains("fields") || !json["fields"].is_array()) return JobError("a struct type lacks 'fields'");
    std::vector<LogicalType::Member> members;
    for (const Json& field : json["fields"]) {
      ARROW_ASSIGN_OR_RAISE(std::string field_name, Need<std::string>(field, "name"));
      ARROW_ASSIGN_OR_RAISE(LogicalType type, Member(field, "type", depth));
      members.push_back({std::move(field_name), std::move(type)});
    }
    return LogicalType::Struct(members);
  }
  if (name == "timestamp") {
    ARROW_ASSIGN_OR_RAISE(arrow::TimeUnit::type unit, Unit(json));
    ARROW_ASSIGN_OR_RAISE(std::optional<std::string> zone, Maybe<std::string>(json, "timezone"));
    return LogicalType::Plain(arrow::timestamp(unit, zone.value_or("")));
  }
  if (name == "duration") {
    ARROW_ASSIGN_OR_RAISE(arrow::TimeUnit::type unit, Unit(json));
    return LogicalType::Plain(arrow::duration(unit));
  }
  if (name == "time") {
    ARROW_ASSIGN_OR_RAISE(arrow::TimeUnit::type unit, Unit(json));
    const bool small = unit == arrow::TimeUnit::SECOND || unit == arrow::TimeUnit::MILLI;
    return LogicalType::Plain(small ? arrow::time32(unit) : arrow::time64(unit));
  }
  if (name == "decimal") {
    ARROW_ASSIGN_OR_RAISE(int32_t precision, Need<int32_t>(json, "precision"));
    ARROW_ASSIGN_OR_RAISE(int32_t scale, Need<int32_t>(json, "scale"));
    ARROW_ASSIGN_OR_RAISE(auto type, arrow::Decimal128Type::Make(precision, scale));
    return LogicalType::Plain(std::move(type));
  }
  if (name == "fixed_size_binary") {
    ARROW_ASSIGN_OR_RAISE(int32_t size, Need<int32_t>(json, "size"));
    ARROW_ASSIGN_OR_RAISE(auto type, arrow::FixedSizeBinaryType::Make(size));
    return LogicalType::Plain(std::move(type));
  }
  if (name == "image") {
    ARROW_ASSIGN_OR_RAISE(std::optional<std::string> mode_name, Maybe<std::string>(json, "mode"));
    ARROW_ASSIGN_OR_RAISE(std::optional<int32_t> height, Maybe<int32_t>(json, "height"));
    ARROW_ASSIGN_OR_RAISE(std::optional<int32_t> width, Maybe<int32_t>(json, "width"));
    std::optional<ImageMode> mode;
    if (mode_name) {
      ARROW_ASSIGN_OR_RAISE(mode, ParseImageMode(*mode_name));
    }
    return LogicalType::Image(mode, height, width);
  }
  if (name == "tensor" || name == "vector") {
    ARROW_ASSIGN_OR_RAISE(std::string dtype_name, Need<std::string>(json, "dtype"));
    ARROW_ASSIGN_OR_RAISE(auto dtype, PlainType(dtype_name));
    if (name == "vector") {
      ARROW_ASSIGN_OR_RAISE(int32_t dimension, Need<int32_t>(json, "dimension"));
      if (dimension <= 0) return JobError("a vector's dimension is at least 1");
      return LogicalType::Vector(std::move(dtype), dimension);
    }
    ARROW_ASSIGN_OR_RAISE(std::optional<std::vector<int64_t>> shape, Maybe<std::vector<int64_t>>(json, "shape"));
    int64_t count = 1;
    for (const int64_t side : shape.value_or(std::vector<int64_t>{})) {
      if (side <= 0 || side > (int64_t{1} << 31) / count) return JobError("a tensor's shape is out of range");
      count *= side;
    }
    return LogicalType::Tensor(std::move(dtype), shape.value_or(std::vector<int64_t>{}));
  }
  return Parse(Json(name), depth + 1);
}

Result<std::string> PlainName(const arrow::DataType& type) {
  for (const auto& [name, plain] : PlainTypes()) {
    if (plain->Equals(type)) return name;
  }
  return JobError(fmt::format("the plan format has no name for type {}", type.ToString()));
}

std::string UnitName(arrow::TimeUnit::type unit) {
  for (const auto& [name, value] : Units()) {
    if (value == unit) return name;
  }
  return "us";
}

Result<Json> Render(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kImage: {
      Json json = {{"type", "image"}};
      if (type.image_mode()) json["mode"] = ToString(*type.image_mode());
      if (type.image_height()) json["height"] = *type.image_height();
      if (type.image_width()) json["width"] = *type.image_width();
      return json;
    }
    case TypeKind::kTensor: {
      ARROW_ASSIGN_OR_RAISE(std::string dtype, PlainName(*type.dtype()));
      return Json{{"type", "tensor"}, {"dtype", dtype}, {"shape", type.shape()}};
    }
    case TypeKind::kVector: {
      ARROW_ASSIGN_OR_RAISE(std::string dtype, PlainName(*type.dtype()));
      return Json{{"type", "vector"}, {"dtype", dtype}, {"dimension", type.shape()[0]}};
    }
    case TypeKind::kFile: return Json("file");
    case TypeKind::kAudio: return Json("audio");
    case TypeKind::kAudioClip: return Json("audio_clip");
    case TypeKind::kVideoClip: return Json("video_clip");
    case TypeKind::kPlain: break;
  }
  const arrow::DataType& storage = *type.storage();
  switch (storage.id()) {
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST: {
      ARROW_ASSIGN_OR_RAISE(Json item, Render(type.item()));
      return Json{{"type", "list"}, {"item", item}};
    }
    case arrow::Type::STRUCT: {
      Json fields = Json::array();
      for (const auto& member : type.members()) {
        ARROW_ASSIGN_OR_RAISE(Json field, Render(member.type));
        fields.push_back({{"name", member.name}, {"type", field}});
      }
      return Json{{"type", "struct"}, {"fields", fields}};
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(storage);
      ARROW_ASSIGN_OR_RAISE(LogicalType key, LogicalType::FromField(*map.key_field()));
      ARROW_ASSIGN_OR_RAISE(LogicalType value, LogicalType::FromField(*map.item_field()));
      ARROW_ASSIGN_OR_RAISE(Json key_json, Render(key));
      ARROW_ASSIGN_OR_RAISE(Json value_json, Render(value));
      return Json{{"type", "map"}, {"key", key_json}, {"value", value_json}};
    }
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(storage);
      Json json = {{"type", "timestamp"}, {"unit", UnitName(timestamp.unit())}};
      if (!timestamp.timezone().empty()) json["timezone"] = timestamp.timezone();
      return json;
    }
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return Json{{"type", "time"}, {"unit", UnitName(static_cast<const arrow::TimeType&>(storage).unit())}};
    case arrow::Type::DURATION:
      return Json{{"type", "duration"}, {"unit", UnitName(static_cast<const arrow::DurationType&>(storage).unit())}};
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(storage);
      return Json{{"type", "decimal"}, {"precision", decimal.precision()}, {"scale", decimal.scale()}};
    }
    case arrow::Type::FIXED_SIZE_BINARY:
      return Json{{"type", "fixed_size_binary"},
                  {"size", static_cast<const arrow::FixedSizeBinaryType&>(storage).byte_width()}};
    default: {
      ARROW_ASSIGN_OR_RAISE(std::string name, PlainName(storage));
      return Json(name);
    }
  }
}

}  // namespace

Result<LogicalType> ParseType(const std::string& json_text) {
  // Printing and copying a value recurse as deep as it is nested: deep text is refused before it is parsed.
  if (std::count(json_text.begin(), json_text.end(), '[') + std::count(json_text.begin(), json_text.end(), '{') >
      kMostBrackets) {
    return JobError("a type is nested too deeply");
  }
  const Json json = Json::parse(json_text, nullptr, false);
  // A bare word ("int64") is accepted where somebody forgot the quotes.
  if (json.is_discarded() || json.is_null()) return Parse(Json(json_text), 0);
  return Parse(json, 0);
}

Result<std::string> TypeToJson(const LogicalType& type) {
  ARROW_ASSIGN_OR_RAISE(Json json, Render(type));
  return json.dump();
}

}  // namespace mainstem
