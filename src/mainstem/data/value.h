// Value: one cell of a row, as the functions of a row program see it.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "mainstem/data/bytes.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/data/image.h"
#include "mainstem/data/tensor.h"
#include "mainstem/data/waveform.h"

namespace mainstem {

class Value;

/// The fields of a struct, in the order of its type.
struct StructValue {
  std::vector<Value> fields;
};

/// The items of a list.
struct ListValue {
  std::vector<Value> items;
};

/// One cell: null, a boolean, a 64-bit integer (every integer, date and time type), a double (every floating
/// point type), bytes (strings and binaries), or something multimodal. Large contents are shared, never copied.
class Value {
 public:
  using Variant = std::variant<std::monostate, bool, int64_t, double, Bytes, Image, Waveform, Tensor, MediaClip,
                               FileReference, StructValue, ListValue>;

  Value() = default;
  Value(bool value) : variant_(value) {}               // NOLINT: values convert freely
  Value(int64_t value) : variant_(value) {}            // NOLINT
  Value(int32_t value) : variant_(int64_t{value}) {}   // NOLINT
  Value(double value) : variant_(value) {}             // NOLINT
  Value(Bytes value) : variant_(std::move(value)) {}   // NOLINT
  Value(std::string value) : variant_(Bytes::Own(std::move(value))) {}  // NOLINT
  Value(Image value) : variant_(std::move(value)) {}            // NOLINT
  Value(Waveform value) : variant_(std::move(value)) {}         // NOLINT
  Value(Tensor value) : variant_(std::move(value)) {}           // NOLINT
  Value(MediaClip value) : variant_(std::move(value)) {}        // NOLINT
  Value(FileReference value) : variant_(std::move(value)) {}    // NOLINT
  Value(StructValue value) : variant_(std::move(value)) {}      // NOLINT
  Value(ListValue value) : variant_(std::move(value)) {}        // NOLINT
  Value(const char*) = delete;  // would become a boolean

  bool is_null() const { return std::holds_alternative<std::monostate>(variant_); }
  template <typename T>
  bool Is() const {
    return std::holds_alternative<T>(variant_);
  }
  /// The content; the caller has checked the kind (the binder checked the type).
  template <typename T>
  const T& As() const {
    return std::get<T>(variant_);
  }
  const Variant& variant() const { return variant_; }

 private:
  Variant variant_;
};

}  // namespace mainstem
