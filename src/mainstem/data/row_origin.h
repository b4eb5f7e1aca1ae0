// Row origin: where a row comes from, as a hidden column, so that equal rows of two places can be told apart.
#pragma once

#include <arrow/type_fwd.h>

#include <array>
#include <cstdint>
#include <memory>

#include "mainstem/base/error.h"

namespace mainstem {

/// The column's name and, as the planner adds it, its place: behind the others. Its type is LogicalType::Binary().
inline constexpr char kOriginColumn[] = "__origin";

/// A place that rows are read from (a file, a row group), hashed, so that an origin is short.
using OriginPlace = std::array<uint8_t, 16>;

/// Origins of `rows` rows of a place: the place, then the row's number, counted from `first` (8 bytes, little end first).
Result<std::shared_ptr<arrow::Array>> MakeOrigins(const OriginPlace& place, int64_t first, int64_t rows);

/// Origins of rows that were made of others: `parents` has the origin of each one's parent, `ordinals` (int64, no nulls)
/// its number among the rows of that parent, which is appended.
Result<std::shared_ptr<arrow::Array>> ExtendedOrigins(const arrow::Array& parents, const arrow::Array& ordinals);

}  // namespace mainstem
