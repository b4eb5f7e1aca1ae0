// JSON rows: cells of Arrow arrays as JSON text.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "mainstem/base/error.h"

namespace mainstem {

/// Says whether values of the type have a JSON form, nested ones included.
bool HasJsonForm(const arrow::DataType& type);

/// Appends a text in quotes; what is not UTF-8 becomes U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

/// Appends one value. Bytes are base64, times ISO 8601, decimals strings, durations numbers in their unit, numbers that
/// JSON has no form for (NaN, infinities) null, maps with text keys objects and others lists of {"key", "value"}.
/// The type must have a JSON form.
void AppendJson(const arrow::Array& array, int64_t row, std::string* out);

}  // namespace mainstem
