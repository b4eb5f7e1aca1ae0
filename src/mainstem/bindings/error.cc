// Errors cross into Python as mainstem._core.Error with the attribute error_class.
#include "mainstem/bindings/bindings.h"

namespace nb = nanobind;

namespace mainstem::bindings {
namespace {

PyObject* error_type = nullptr;  // lives as long as the module

}  // namespace

void Raise(const Status& status) {
  // Messages are escaped where they are made; what slipped through must not break Python's decoding.
  const std::string& text = status.message();
  nb::object message =
      nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  nb::object error = nb::handle(error_type)(message);
  const std::string_view error_class = ToString(ClassOf(status));
  error.attr("error_class") = nb::str(error_class.data(), error_class.size());
  PyErr_SetObject(error_type, error.ptr());
  throw nb::python_error();
}

void AddError(nb::module_& module) {
  error_type = PyErr_NewExceptionWithDoc("mainstem._core.Error", "An error of the engine; see error_class.",
                                         PyExc_RuntimeError, nullptr);
  if (error_type == nullptr) throw nb::python_error();
  nb::handle(error_type).attr("error_class") = "job";
  module.attr("Error") = nb::handle(error_type);
}

}  // namespace mainstem::bindings
