// The engine and its jobs.
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "mainstem/bindings/arrow_capsules.h"
#include "mainstem/bindings/bindings.h"
#include "mainstem/bindings/python_sink.h"
#include "mainstem/functions/builtin.h"
#include "mainstem/runtime/engine.h"

namespace nb = nanobind;

namespace mainstem::bindings {
namespace {

using runtime::Engine;
using runtime::EngineOptions;
using runtime::Job;

struct PyEngine {
  std::unique_ptr<Engine> engine;
};

struct PyJob {
  std::shared_ptr<Job> job;
  nb::object engine;  // outlives the job

  ~PyJob() {
    const nb::gil_scoped_release release;
    job.reset();
  }
  PyJob(std::shared_ptr<Job> running, nb::object owner) : job(std::move(running)), engine(std::move(owner)) {}
  PyJob(PyJob&&) = default;
};

MemoryTables ImportTables(const nb::dict& tables) {
  MemoryTables imported;
  for (const auto& [name, table] : tables) {
    imported[nb::cast<std::string>(nb::handle(name))] = Check(ImportTable(table));
  }
  return imported;
}

int64_t Nanoseconds(double seconds) { return static_cast<int64_t>(std::clamp(seconds, 0.0, 1e6) * 1e9); }

Result<std::shared_ptr<arrow::Table>> DeadLetterTable(const std::vector<DeadLetter>& letters) {
  arrow::StringBuilder columns[4];
  for (const DeadLetter& letter : letters) {
    ARROW_RETURN_NOT_OK(columns[0].Append(letter.input));
    ARROW_RETURN_NOT_OK(columns[1].Append(letter.function));
    ARROW_RETURN_NOT_OK(columns[2].Append(letter.reason));
    ARROW_RETURN_NOT_OK(columns[3].Append(letter.row));
  }
  const auto schema = arrow::schema({arrow::field("input", arrow::utf8()), arrow::field("function", arrow::utf8()),
                                     arrow::field("reason", arrow::utf8()), arrow::field("row", arrow::utf8())});
  arrow::ArrayVector arrays;
  for (auto& column : columns) {
    ARROW_ASSIGN_OR_RAISE(auto array, column.Finish());
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(schema, arrays);
}

}  // namespace

void AddEngine(nb::module_& module) {
  // A job may be waiting for the interpreter's lock, in a sink of Python's: nothing asks it for anything with the lock.
  module.def("functions_json", [] { return Check(BuiltinRegistry()).ToJson(); });

  nb::class_<PyJob>(module, "Job")
      .def("next",
           [](PyJob& self, double timeout_s) -> nb::object {
             auto rows = WithoutGil([&] { return self.job->Next(Nanoseconds(timeout_s)); });
             auto batch = Check(std::move(rows));
             if (!batch) return nb::none();
             return nb::cast(PyBatch{std::move(batch)});
           })
      .def("finished", [](PyJob& self) { return WithoutGil([&] { return self.job->finished(); }); })
      .def("wait",
           [](PyJob& self, double timeout_s) {
             return Check(WithoutGil([&] { return self.job->WaitEnd(Nanoseconds(timeout_s)); }));
           })
      .def("savepoint",
           [](PyJob& self, bool stop, double timeout_s) {
             return Check(WithoutGil([&] { return self.job->Savepoint(stop, Nanoseconds(timeout_s)); }));
           })
      .def("rescale",
           [](PyJob& self, int task, int lanes) { Check(WithoutGil([&] { return self.job->Rescale(task, lanes); })); })
      .def("cancel", [](PyJob& self) { WithoutGil([&] { self.job->Cancel(); return 0; }); })
      .def("progress_json", [](PyJob& self) { return WithoutGil([&] { return self.job->FiguresJson(); }); })
      .def("report_json", [](PyJob& self) { return WithoutGil([&] { return self.job->FiguresJson(); }); })
      .def("dead_letters", [](PyJob& self) {
        return PyTable{Check(DeadLetterTable(WithoutGil([&] { return self.job->SetAside(); })))};
      });

  nb::class_<PyEngine>(module, "Engine")
      .def("__init__",
           [](PyEngine* self, const std::string& options_json) {
             new (self) PyEngine{Check(Engine::Make(Check(EngineOptions::FromJson(options_json))))};
           })
      .def("schema",
           [](PyEngine& self, const std::string& plan_json, const nb::dict& tables) {
             const MemoryTables imported = ImportTables(tables);
             return PySchema{Check(WithoutGil([&] { return self.engine->Schema(plan_json, imported); }))};
           })
      .def("explain",
           [](PyEngine& self, const std::string& plan_json, const nb::dict& tables, const std::string& mode) {
             const MemoryTables imported = ImportTables(tables);
             return Check(WithoutGil([&] { return self.engine->Explain(plan_json, imported, mode); }));
           })
      .def("start",
           [](nb::handle_t<PyEngine> self, const std::string& plan_json, const nb::dict& tables,
              const std::string& job_json, const nb::dict& sinks) {
             const MemoryTables imported = ImportTables(tables);
             const GivenSinks given = ImportSinks(sinks);
             Engine& engine = *nb::cast<PyEngine&>(self).engine;
             auto job = Check(WithoutGil([&] { return engine.Start(plan_json, imported, job_json, given); }));
             return PyJob(std::move(job), nb::borrow(self));
           },
           nb::arg("plan_json"), nb::arg("tables"), nb::arg("job_json"), nb::arg("sinks") = nb::dict());
}

}  // namespace mainstem::bindings
