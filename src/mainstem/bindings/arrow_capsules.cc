#include "mainstem/bindings/arrow_capsules.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "mainstem/bindings/bindings.h"

namespace nb = nanobind;

namespace mainstem::bindings {
namespace {

template <typename T>
nb::object Capsule(std::unique_ptr<T> content, const char* name) {
  const auto release = [](PyObject* capsule) {
    auto* held = static_cast<T*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
    if (held->release != nullptr) held->release(held);
    delete held;
  };
  nb::object capsule = nb::steal(PyCapsule_New(content.get(), name, release));
  if (!capsule.is_valid()) throw nb::python_error();
  content.release();
  return capsule;
}

nb::object SchemaCapsule(const arrow::Schema& schema) {
  auto content = std::make_unique<ArrowSchema>();
  Check(arrow::ExportSchema(schema, content.get()));
  return Capsule(std::move(content), "arrow_schema");
}

}  // namespace

Result<std::shared_ptr<arrow::Table>> ImportTable(nb::handle object) {
  if (!nb::hasattr(object, "__arrow_c_stream__")) {
    return JobError("a table must offer __arrow_c_stream__ (pyarrow, pandas ≥ 2.2, polars, …)");
  }
  nb::object capsule = object.attr("__arrow_c_stream__")();
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
  if (stream == nullptr) throw nb::python_error();
  const nb::gil_scoped_release release;
  ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ImportRecordBatchReader(stream));
  return reader->ToTable();
}

void AddArrow(nb::module_& module) {
  nb::class_<PySchema>(module, "Schema").def("__arrow_c_schema__", [](const PySchema& self) {
    return SchemaCapsule(*self.schema);
  });
  nb::class_<PyBatch>(module, "Batch")
      .def(
          "__arrow_c_array__",
          [](const PyBatch& self, nb::object requested) {
            auto schema = std::make_unique<ArrowSchema>();
            auto array = std::make_unique<ArrowArray>();
            Check(arrow::ExportRecordBatch(*self.rows, array.get(), schema.get()));
            return nb::make_tuple(Capsule(std::move(schema), "arrow_schema"), Capsule(std::move(array), "arrow_array"));
          },
          nb::arg("requested_schema") = nb::none())
      .def("__arrow_c_schema__", [](const PyBatch& self) { return SchemaCapsule(*self.rows->schema()); })
      .def_prop_ro("num_rows", [](const PyBatch& self) { return self.rows->num_rows(); });
  nb::class_<PyTable>(module, "Table")
      .def(
          "__arrow_c_stream__",
          [](const PyTable& self, nb::object requested) {
            auto stream = std::make_unique<ArrowArrayStream>();
            Check(arrow::ExportRecordBatchReader(std::make_shared<arrow::TableBatchReader>(self.table), stream.get()));
            return Capsule(std::move(stream), "arrow_array_stream");
          },
          nb::arg("requested_schema") = nb::none())
      .def("__arrow_c_schema__", [](const PyTable& self) { return SchemaCapsule(*self.table->schema()); });
}

}  // namespace mainstem::bindings
