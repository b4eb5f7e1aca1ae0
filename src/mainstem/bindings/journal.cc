// A journal's folder.
#include <nanobind/stl/string.h>

#include "mainstem/bindings/bindings.h"
#include "mainstem/runtime/journal_folder.h"

namespace nb = nanobind;

namespace mainstem::bindings {
namespace {

struct PyJournal {
  std::string folder;
};

Result<std::string> Collect(const PyJournal& journal, const std::string& max_bytes, const std::string& max_age) {
  const nb::gil_scoped_release release;
  return runtime::CollectJournalJson(journal.folder, max_bytes, max_age);
}

}  // namespace

void AddJournal(nb::module_& module) {
  nb::class_<PyJournal>(module, "Journal")
      .def("__init__", [](PyJournal* self, const std::string& folder) { new (self) PyJournal{folder}; })
      .def("stats_json", [](const PyJournal& self) { return Check(runtime::JournalStatsJson(self.folder)); })
      .def("collect_json", [](const PyJournal& self, const std::string& max_bytes, const std::string& max_age) {
        return Check(Collect(self, max_bytes, max_age));
      });
}

}  // namespace mainstem::bindings
