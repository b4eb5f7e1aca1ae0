#include "mainstem/connectors/datagen/generated_field.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <string_view>

namespace mainstem {
namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// The random words of one row of one field.
class Words {
 public:
  Words(uint64_t key, int64_t row) : row_(Mix(key + (static_cast<uint64_t>(row) + 1) * kStep)) {}
  uint64_t At(uint64_t k) const { return Mix(row_ + (k + 1) * kStep); }
  double Fraction(uint64_t k) const { return static_cast<double>(At(k) >> 11) * 0x1p-53; }

 private:
  const uint64_t row_;
};

uint64_t KeyOf(int64_t seed, int64_t position) {
  return Mix(Mix(static_cast<uint64_t>(seed) + kStep) + (static_cast<uint64_t>(position) + 1) * kStep);
}

int64_t WholeBetween(int64_t min, int64_t max, uint64_t word) {
  const auto values = static_cast<unsigned __int128>(static_cast<uint64_t>(max) - static_cast<uint64_t>(min)) + 1;
  return static_cast<int64_t>(static_cast<uint64_t>(min) + static_cast<uint64_t>((word * values) >> 64));
}

void FillText(const Words& words, std::string* text) {
  for (size_t j = 0; j < text->size(); ++j) {
    (*text)[j] = "0123456789abcdef"[words.At(1 + j / 16) >> (4 * (j % 16)) & 15];
  }
}

void FillBytes(const Words& words, std::string* bytes) {
  for (size_t j = 0; j < bytes->size(); ++j) {
    (*bytes)[j] = static_cast<char>(words.At(1 + j / 8) >> (8 * (j % 8)) & 255);
  }
}

// Appends `value(words, row)` for each row that is not null.
template <typename Builder, typename Value>
Result<std::shared_ptr<arrow::Array>> Column(const GeneratedField& field, uint64_t key, int64_t first, int64_t rows,
                                             Value value) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(rows));
  for (int64_t row = first; row < first + rows; ++row) {
    const Words words(key, row);
    if (field.null_rate > 0 && words.Fraction(0) < field.null_rate) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
    } else {
      ARROW_RETURN_NOT_OK(builder.Append(value(words, row)));
    }
  }
  return builder.Finish();
}

template <typename Type>
Result<std::shared_ptr<arrow::Array>> WholeNumbers(const GeneratedField& field, uint64_t key, int64_t first,
                                                   int64_t rows) {
  return Column<arrow::NumericBuilder<Type>>(field, key, first, rows, [&](const Words& words, int64_t row) {
    const int64_t number = field.kind == GeneratedField::Kind::kSequence
                               ? field.whole_min + row
                               : WholeBetween(field.whole_min, field.whole_max, words.At(1));
    return static_cast<typename Type::c_type>(number);
  });
}

template <typename Type>
Result<std::shared_ptr<arrow::Array>> OtherNumbers(const GeneratedField& field, uint64_t key, int64_t first,
                                                   int64_t rows) {
  return Column<arrow::NumericBuilder<Type>>(field, key, first, rows, [&](const Words& words, int64_t) {
    return static_cast<typename Type::c_type>(field.min + words.Fraction(1) * (field.max - field.min));
  });
}

template <typename Builder>
Result<std::shared_ptr<arrow::Array>> Texts(const GeneratedField& field, uint64_t key, int64_t first, int64_t rows,
                                            void (*fill)(const Words&, std::string*)) {
  std::string text(static_cast<size_t>(field.length), '\0');
  return Column<Builder>(field, key, first, rows, [&](const Words& words, int64_t) {
    fill(words, &text);
    return std::string_view(text);
  });
}

}  // namespace

std::optional<int64_t> GeneratedField::rows_max() const {
  if (kind != Kind::kSequence) return std::nullopt;
  const __int128 rows = static_cast<__int128>(whole_max) - whole_min + 1;
  if (rows > kEndlessRows) return std::nullopt;
  return static_cast<int64_t>(rows);
}

int64_t GeneratedField::width() const {
  return arrow::is_fixed_width(type->id()) ? 8 : 8 + length;
}

Result<std::shared_ptr<arrow::Array>> Generate(const GeneratedField& field, int64_t seed, int64_t position,
                                               int64_t first, int64_t rows) {
  const uint64_t key = KeyOf(seed, position);
  switch (field.type->id()) {
    case arrow::Type::BOOL:
      return Column<arrow::BooleanBuilder>(field, key, first, rows,
                                           [](const Words& words, int64_t) { return words.At(1) >> 63 != 0; });
    case arrow::Type::INT8: return WholeNumbers<arrow::Int8Type>(field, key, first, rows);
    case arrow::Type::INT16: return WholeNumbers<arrow::Int16Type>(field, key, first, rows);
    case arrow::Type::INT32: return WholeNumbers<arrow::Int32Type>(field, key, first, rows);
    case arrow::Type::INT64: return WholeNumbers<arrow::Int64Type>(field, key, first, rows);
    case arrow::Type::UINT8: return WholeNumbers<arrow::UInt8Type>(field, key, first, rows);
    case arrow::Type::UINT16: return WholeNumbers<arrow::UInt16Type>(field, key, first, rows);
    case arrow::Type::UINT32: return WholeNumbers<arrow::UInt32Type>(field, key, first, rows);
    case arrow::Type::FLOAT: return OtherNumbers<arrow::FloatType>(field, key, first, rows);
    case arrow::Type::DOUBLE: return OtherNumbers<arrow::DoubleType>(field, key, first, rows);
    case arrow::Type::STRING: return Texts<arrow::StringBuilder>(field, key, first, rows, FillText);
    case arrow::Type::LARGE_BINARY: return Texts<arrow::LargeBinaryBuilder>(field, key, first, rows, FillBytes);
    default: return JobError(fmt::format("datagen: no values of type {}", field.type->ToString()));
  }
}

}  // namespace mainstem
