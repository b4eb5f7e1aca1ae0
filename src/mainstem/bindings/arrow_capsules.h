// Arrow data across the Python border by the PyCapsule protocol: zero copies, any Arrow library.
#pragma once

#include <arrow/type_fwd.h>
#include <nanobind/nanobind.h>

#include <memory>

#include "mainstem/base/error.h"

namespace mainstem::bindings {

/// Python objects with __arrow_c_schema__, __arrow_c_array__ and __arrow_c_stream__.
struct PySchema {
  std::shared_ptr<arrow::Schema> schema;
};
struct PyBatch {
  std::shared_ptr<arrow::RecordBatch> rows;
};
struct PyTable {
  std::shared_ptr<arrow::Table> table;
};

/// Reads any object with __arrow_c_stream__ whole.
Result<std::shared_ptr<arrow::Table>> ImportTable(nanobind::handle object);

}  // namespace mainstem::bindings
