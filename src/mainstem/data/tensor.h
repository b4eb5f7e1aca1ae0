// Tensor: a dense array of numbers of one type.
#pragma once

#include <arrow/buffer.h>
#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// A dense row-major array. Immutable once shared.
struct Tensor {
  std::shared_ptr<arrow::DataType> dtype;  ///< bool (one byte each), an integer or a floating point type
  std::vector<int64_t> shape;
  std::shared_ptr<arrow::Buffer> values;

  int64_t count() const;
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(values->data());
  }
  template <typename T>
  T* mutable_data() {
    return reinterpret_cast<T*>(values->mutable_data());
  }

  /// Allocates values that are not initialised.
  static Result<Tensor> Allocate(std::shared_ptr<arrow::DataType> dtype, std::vector<int64_t> shape);
};

}  // namespace mainstem
