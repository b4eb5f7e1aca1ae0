// Generated field: a column whose values follow from the row's number alone.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// So many rows are as good as no end.
constexpr int64_t kEndlessRows = int64_t{1} << 62;

/// What a column of datagen is.
struct GeneratedField {
  enum class Kind {
    kSequence,  ///< start + row; the rows end with `end`
    kRandom,    ///< uniform from min to max, or random text and bytes of `length`
  };

  std::string name;
  std::shared_ptr<arrow::DataType> type;  ///< bool, int8 … int64, uint8 … uint32, float32, float64, utf8, large_binary
  Kind kind = Kind::kRandom;
  int64_t whole_min = 0, whole_max = 0;   ///< of whole numbers, inclusive; start and end of a sequence
  double min = 0, max = 0;                ///< of other numbers
  int64_t length = 0;                     ///< characters or bytes
  double null_rate = 0;

  /// Rows that there are at most; nothing where there is no end.
  std::optional<int64_t> rows_max() const;
  /// Bytes of a value, about.
  int64_t width() const;
};

/// Reads [{"name": …, "type": …, "kind": …, "start", "end", "min", "max", "length", "null_rate"}, …].
Result<std::vector<GeneratedField>> ParseGeneratedFields(const std::string& text);

/// The values of the rows from `first` on. `position` is the field's among all of them.
///
/// Value = f(seed, position, row), in whole numbers of 64 bits that wrap around:
///   mix(z): z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; z = (z ^ z >> 27) * 0x94d049bb133111eb; z ^ z >> 31   (splitmix64)
///   g = 0x9e3779b97f4a7c15;  key = mix(mix(seed + g) + (position + 1) * g)
///   word(k) = mix(mix(key + (row + 1) * g) + (k + 1) * g);  fraction(k) = (word(k) >> 11) / 2^53
/// null where fraction(0) < null_rate; bool: word(1) >> 63; whole numbers: min + (word(1) * (max - min + 1) >> 64);
/// others: min + fraction(1) * (max - min); digit j of a text: hex digit of word(1 + j / 16) >> 4 * (j % 16);
/// byte j: word(1 + j / 8) >> 8 * (j % 8).
Result<std::shared_ptr<arrow::Array>> Generate(const GeneratedField& field, int64_t seed, int64_t position,
                                               int64_t first, int64_t rows);

}  // namespace mainstem
