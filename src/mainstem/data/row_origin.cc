#include "mainstem/data/row_origin.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <arrow/util/endian.h>

#include <cstring>

namespace mainstem {
namespace {

constexpr size_t kNumberBytes = 8;

void PutNumber(uint8_t* to, int64_t number) {
  const int64_t little = arrow::bit_util::ToLittleEndian(number);
  std::memcpy(to, &little, kNumberBytes);
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> MakeOrigins(const OriginPlace& place, int64_t first, int64_t rows) {
  std::array<uint8_t, std::tuple_size_v<OriginPlace> + kNumberBytes> origin;
  std::memcpy(origin.data(), place.data(), place.size());
  arrow::LargeBinaryBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(rows));
  ARROW_RETURN_NOT_OK(builder.ReserveData(rows * static_cast<int64_t>(origin.size())));
  for (int64_t row = 0; row < rows; ++row) {
    PutNumber(origin.data() + place.size(), first + row);
    builder.UnsafeAppend(origin.data(), static_cast<int64_t>(origin.size()));
  }
  return builder.Finish();
}

Result<std::shared_ptr<arrow::Array>> ExtendedOrigins(const arrow::Array& parents, const arrow::Array& ordinals) {
  if (parents.type_id() != arrow::Type::LARGE_BINARY || ordinals.type_id() != arrow::Type::INT64 ||
      parents.length() != ordinals.length()) {
    return JobError("the origins of rows do not belong to the rows");
  }
  const auto& origins = static_cast<const arrow::LargeBinaryArray&>(parents);
  const auto& numbers = static_cast<const arrow::Int64Array&>(ordinals);
  arrow::LargeBinaryBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(origins.length()));
  ARROW_RETURN_NOT_OK(builder.ReserveData(origins.total_values_length() +
                                          origins.length() * static_cast<int64_t>(kNumberBytes)));
  uint8_t number[kNumberBytes];
  for (int64_t row = 0; row < origins.length(); ++row) {
    if (origins.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    PutNumber(number, numbers.Value(row));
    const auto parent = origins.GetView(row);
    builder.UnsafeAppend(parent);
    ARROW_RETURN_NOT_OK(builder.ExtendCurrent(number, kNumberBytes));
  }
  return builder.Finish();
}

}  // namespace mainstem
