// Bindings: what each file of this room adds to the Python module mainstem._core.
#pragma once

#include <nanobind/nanobind.h>

#include "mainstem/base/error.h"

namespace mainstem::bindings {

/// Raises mainstem._core.Error with the status' class.
[[noreturn]] void Raise(const Status& status);

inline void Check(const Status& status) {
  if (!status.ok()) Raise(status);
}
template <typename T>
T Check(Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return result.MoveValueUnsafe();
}

/// Lets other Python threads run meanwhile.
template <typename Function>
auto WithoutGil(Function function) {
  const nanobind::gil_scoped_release release;
  return function();
}

void AddError(nanobind::module_& module);
void AddArrow(nanobind::module_& module);
void AddEngine(nanobind::module_& module);
void AddJournal(nanobind::module_& module);
void AddCheckpoint(nanobind::module_& module);

}  // namespace mainstem::bindings
