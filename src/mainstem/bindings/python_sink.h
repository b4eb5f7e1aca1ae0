// Python sink: a sink that is an object of Python; each call takes the interpreter's lock and gives it back.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "mainstem/runtime/engine.h"

namespace mainstem::bindings {

/// Imports sinks by the names that a plan gives them. The values are mainstem.sink's `SinkCalls`: their methods take
/// and return texts only. Called with the interpreter's lock; the sinks may be used and destroyed on any thread,
/// with or without it.
GivenSinks ImportSinks(const nanobind::dict& sinks);

}  // namespace mainstem::bindings
