// Checkpoint folders, for people who look.
#include <nanobind/stl/string.h>

#include "mainstem/bindings/bindings.h"
#include "mainstem/runtime/checkpoint_folder.h"

namespace nb = nanobind;

namespace mainstem::bindings {
void AddCheckpoint(nb::module_& module) {
  module.def("jobs_json", [](const std::string& folder, bool verify) {
    return Check(WithoutGil([&] { return runtime::JobsJson(folder, verify); }));
  });
  module.def("checkpoint_json", [](const std::string& path) {
    return Check(WithoutGil([&] { return runtime::CheckpointJson(path); }));
  });
  module.def("ask_to_stop", [](const std::string& folder, const std::string& job) {
    Check(WithoutGil([&] { return runtime::AskToStop(folder, job); }));
  });
}

}  // namespace mainstem::bindings
