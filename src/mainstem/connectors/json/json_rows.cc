#include "mainstem/connectors/json/json_rows.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/util/base64.h>
#include <arrow/util/float16.h>
#include <arrow/util/utf8.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <iterator>

#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

using arrow::Type;

template <typename Number>
void AppendNumber(Number value, std::string* out) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) {
      out->append("null");
      return;
    }
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out->append(buffer, end);
  // 1e22 and 5 are whole numbers to many readers; a column of them must not change its type.
  if constexpr (std::is_floating_point_v<Number>) {
    if (std::none_of(buffer, end, [](char c) { return c == '.' || c == 'e'; })) out->append(".0");
  }
}

int64_t UnitsPerSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 1;
    case arrow::TimeUnit::MILLI: return 1'000;
    case arrow::TimeUnit::MICRO: return 1'000'000;
    case arrow::TimeUnit::NANO: return 1'000'000'000;
  }
  return 1;
}

int FractionDigits(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 0;
    case arrow::TimeUnit::MILLI: return 3;
    case arrow::TimeUnit::MICRO: return 6;
    case arrow::TimeUnit::NANO: return 9;
  }
  return 0;
}

int64_t FloorDivide(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

void AppendDate(int64_t days, std::string* out) {
  // Beyond what the calendar's days can count there is only the number.
  if (days < -12'000'000 || days > 12'000'000) {
    fmt::format_to(std::back_inserter(*out), "{} days", days);
    return;
  }
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  fmt::format_to(std::back_inserter(*out), "{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

void AppendTimeOfDay(int64_t units, arrow::TimeUnit::type unit, std::string* out) {
  const int64_t per_second = UnitsPerSecond(unit);
  const int64_t seconds = units / per_second;
  fmt::format_to(std::back_inserter(*out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (per_second > 1) {
    fmt::format_to(std::back_inserter(*out), ".{:0{}}", units % per_second, FractionDigits(unit));
  }
}

void AppendTimestamp(int64_t units, const arrow::TimestampType& type, std::string* out) {
  const int64_t per_day = 86'400 * UnitsPerSecond(type.unit());
  const int64_t days = FloorDivide(units, per_day);
  out->push_back('"');
  AppendDate(days, out);
  out->push_back('T');
  AppendTimeOfDay(units - days * per_day, type.unit(), out);
  out->append(type.timezone().empty() ? "\"" : "Z\"");
}

template <typename List>
void AppendList(const arrow::Array& array, int64_t row, std::string* out) {
  const auto& list = static_cast<const List&>(array);
  const int64_t begin = list.value_offset(row);
  const int64_t end = begin + list.value_length(row);
  out->push_back('[');
  for (int64_t i = begin; i < end; ++i) {
    if (i > begin) out->push_back(',');
    AppendJson(*list.values(), i, out);
  }
  out->push_back(']');
}

void AppendMap(const arrow::MapArray& map, int64_t row, std::string* out) {
  const bool is_object = map.map_type()->key_type()->id() == Type::STRING;
  out->push_back(is_object ? '{' : '[');
  for (int64_t i = map.value_offset(row); i < map.value_offset(row) + map.value_length(row); ++i) {
    if (i > map.value_offset(row)) out->push_back(',');
    if (!is_object) out->append("{\"key\":");
    AppendJson(*map.keys(), i, out);
    out->append(is_object ? ":" : ",\"value\":");
    AppendJson(*map.items(), i, out);
    if (!is_object) out->push_back('}');
  }
  out->push_back(is_object ? '}' : ']');
}

void AppendStruct(const arrow::StructArray& array, int64_t row, std::string* out) {
  out->push_back('{');
  for (int i = 0; i < array.num_fields(); ++i) {
    if (i > 0) out->push_back(',');
    AppendJsonString(array.struct_type()->field(i)->name(), out);
    out->push_back(':');
    AppendJson(*array.field(i), row, out);
  }
  out->push_back('}');
}

template <typename Binary>
void AppendBytes(const arrow::Array& array, int64_t row, std::string* out) {
  out->push_back('"');
  out->append(arrow::util::base64_encode(static_cast<const Binary&>(array).GetView(row)));
  out->push_back('"');
}

template <typename Numbers>
void AppendValue(const arrow::Array& array, int64_t row, std::string* out) {
  AppendNumber(static_cast<const Numbers&>(array).Value(row), out);
}

}  // namespace

bool HasJsonForm(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::NA: case Type::BOOL: case Type::UINT8: case Type::INT8: case Type::UINT16: case Type::INT16:
    case Type::UINT32: case Type::INT32: case Type::UINT64: case Type::INT64: case Type::HALF_FLOAT: case Type::FLOAT:
    case Type::DOUBLE: case Type::STRING: case Type::LARGE_STRING: case Type::BINARY: case Type::LARGE_BINARY:
    case Type::FIXED_SIZE_BINARY: case Type::DATE32: case Type::DATE64: case Type::TIME32: case Type::TIME64:
    case Type::TIMESTAMP: case Type::DURATION: case Type::DECIMAL128: case Type::DECIMAL256:
      return true;
    case Type::LIST: case Type::LARGE_LIST: case Type::FIXED_SIZE_LIST: case Type::STRUCT: case Type::MAP:
      return std::all_of(type.fields().begin(), type.fields().end(),
                         [](const auto& field) { return HasJsonForm(*field->type()); });
    default: return false;
  }
}

void AppendJsonString(std::string_view text, std::string* out) {
  static const bool initialized = (arrow::util::InitializeUTF8(), true);
  (void)initialized;
  if (!arrow::util::ValidateUTF8(text)) {
    out->append(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\r': out->append("\\r"); break;
      case '\t': out->append("\\t"); break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(*out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

void AppendJson(const arrow::Array& array, int64_t row, std::string* out) {
  if (array.IsNull(row)) {
    out->append("null");
    return;
  }
  switch (array.type_id()) {
    case Type::BOOL: out->append(static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false"); return;
    case Type::UINT8: return AppendValue<arrow::UInt8Array>(array, row, out);
    case Type::INT8: return AppendValue<arrow::Int8Array>(array, row, out);
    case Type::UINT16: return AppendValue<arrow::UInt16Array>(array, row, out);
    case Type::INT16: return AppendValue<arrow::Int16Array>(array, row, out);
    case Type::UINT32: return AppendValue<arrow::UInt32Array>(array, row, out);
    case Type::INT32: return AppendValue<arrow::Int32Array>(array, row, out);
    case Type::UINT64: return AppendValue<arrow::UInt64Array>(array, row, out);
    case Type::INT64: return AppendValue<arrow::Int64Array>(array, row, out);
    case Type::DURATION: return AppendValue<arrow::DurationArray>(array, row, out);
    case Type::FLOAT: return AppendValue<arrow::FloatArray>(array, row, out);
    case Type::DOUBLE: return AppendValue<arrow::DoubleArray>(array, row, out);
    case Type::HALF_FLOAT: {
      const uint16_t bits = static_cast<const arrow::HalfFloatArray&>(array).Value(row);
      return AppendNumber(arrow::util::Float16::FromBits(bits).ToFloat(), out);
    }
    case Type::STRING: return AppendJsonString(static_cast<const arrow::StringArray&>(array).GetView(row), out);
    case Type::LARGE_STRING:
      return AppendJsonString(static_cast<const arrow::LargeStringArray&>(array).GetView(row), out);
    case Type::BINARY: return AppendBytes<arrow::BinaryArray>(array, row, out);
    case Type::LARGE_BINARY: return AppendBytes<arrow::LargeBinaryArray>(array, row, out);
    case Type::FIXED_SIZE_BINARY: return AppendBytes<arrow::FixedSizeBinaryArray>(array, row, out);
    case Type::DECIMAL128:
      return AppendJsonString(static_cast<const arrow::Decimal128Array&>(array).FormatValue(row), out);
    case Type::DECIMAL256:
      return AppendJsonString(static_cast<const arrow::Decimal256Array&>(array).FormatValue(row), out);
    case Type::DATE32:
    case Type::DATE64: {
      const int64_t days = array.type_id() == Type::DATE32
                               ? static_cast<const arrow::Date32Array&>(array).Value(row)
                               : FloorDivide(static_cast<const arrow::Date64Array&>(array).Value(row), 86'400'000);
      out->push_back('"');
      AppendDate(days, out);
      out->push_back('"');
      return;
    }
    case Type::TIME32:
    case Type::TIME64: {
      const int64_t units = array.type_id() == Type::TIME32 ? static_cast<const arrow::Time32Array&>(array).Value(row)
                                                            : static_cast<const arrow::Time64Array&>(array).Value(row);
      out->push_back('"');
      AppendTimeOfDay(units, static_cast<const arrow::TimeType&>(*array.type()).unit(), out);
      out->push_back('"');
      return;
    }
    case Type::TIMESTAMP:
      return AppendTimestamp(static_cast<const arrow::TimestampArray&>(array).Value(row),
                             static_cast<const arrow::TimestampType&>(*array.type()), out);
    case Type::LIST: return AppendList<arrow::ListArray>(array, row, out);
    case Type::LARGE_LIST: return AppendList<arrow::LargeListArray>(array, row, out);
    case Type::FIXED_SIZE_LIST: return AppendList<arrow::FixedSizeListArray>(array, row, out);
    case Type::MAP: return AppendMap(static_cast<const arrow::MapArray&>(array), row, out);
    case Type::STRUCT: return AppendStruct(static_cast<const arrow::StructArray&>(array), row, out);
    default: out->append("null");
  }
}

}  // namespace mainstem
