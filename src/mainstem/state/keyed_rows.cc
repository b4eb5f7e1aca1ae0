#include "mainstem/state/keyed_rows.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace mainstem {
namespace {

// Appends the value of a row that is not null.
using Append = std::function<void(int64_t row, std::string* key)>;

template <typename T>
void AppendBytes(T value, std::string* key) {
  key->append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T, typename ArrayType>
Append OfFloats(const arrow::Array& column) {
  return [&values = static_cast<const ArrayType&>(column)](int64_t row, std::string* key) {
    T value = values.Value(row);
    if (value == 0) value = 0;  // -0.0 as well
    if (std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
    AppendBytes(value, key);
  };
}

template <typename ArrayType>
Append OfText(const arrow::Array& column) {
  return [&values = static_cast<const ArrayType&>(column)](int64_t row, std::string* key) {
    const std::string_view value = values.GetView(row);
    AppendBytes(static_cast<uint32_t>(value.size()), key);
    key->append(value);
  };
}

template <typename ArrayType>
Status CheckLengths(const arrow::Array& column) {
  const auto& values = static_cast<const ArrayType&>(column);
  for (int64_t row = 0; row < values.length(); ++row) {
    if (values.IsValid(row) && values.GetView(row).size() > std::numeric_limits<uint32_t>::max()) {
      return JobError("a key of 4 GiB or more");
    }
  }
  return Status::OK();
}

Result<Append> AppendOf(const arrow::Array& column) {
  const arrow::DataType& type = *column.type();
  switch (type.id()) {
    case arrow::Type::NA: return Append([](int64_t, std::string*) {});
    case arrow::Type::BOOL:
      return Append([&values = static_cast<const arrow::BooleanArray&>(column)](int64_t row, std::string* key) {
        key->push_back(values.Value(row) ? 1 : 0);
      });
    case arrow::Type::FLOAT: return OfFloats<float, arrow::FloatArray>(column);
    case arrow::Type::DOUBLE: return OfFloats<double, arrow::DoubleArray>(column);
    case arrow::Type::STRING: return OfText<arrow::StringArray>(column);
    case arrow::Type::BINARY: return OfText<arrow::BinaryArray>(column);
    case arrow::Type::LARGE_STRING:
      ARROW_RETURN_NOT_OK(CheckLengths<arrow::LargeStringArray>(column));
      return OfText<arrow::LargeStringArray>(column);
    case arrow::Type::LARGE_BINARY:
      ARROW_RETURN_NOT_OK(CheckLengths<arrow::LargeBinaryArray>(column));
      return OfText<arrow::LargeBinaryArray>(column);
    default: break;
  }
  const int width = type.num_fields() == 0 && type.id() != arrow::Type::HALF_FLOAT ? type.byte_width() : -1;
  if (width <= 0) return JobError(fmt::format("a column of type {} cannot be a key", type.ToString()));
  const uint8_t* values = column.data()->buffers[1]->data() + column.offset() * width;
  return Append([values, width](int64_t row, std::string* key) {
    key->append(reinterpret_cast<const char*>(values + row * width), static_cast<size_t>(width));
  });
}

}  // namespace

Result<KeyedRows> KeyedRows::Make(const arrow::RecordBatch& rows, const std::vector<int>& columns) {
  std::vector<Append> appends;
  for (const int column : columns) {
    ARROW_ASSIGN_OR_RAISE(auto append, AppendOf(*rows.column(column)));
    appends.push_back(std::move(append));
  }
  KeyedRows keys;
  keys.ends_.reserve(static_cast<size_t>(rows.num_rows()));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      const bool valid = rows.column(columns[i])->IsValid(row);
      keys.bytes_.push_back(valid ? 1 : 0);
      if (valid) appends[i](row, &keys.bytes_);
    }
    keys.ends_.push_back(keys.bytes_.size());
  }
  return keys;
}

}  // namespace mainstem
