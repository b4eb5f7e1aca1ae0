#include "mainstem/bindings/python_sink.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <utility>

#include "mainstem/bindings/arrow_capsules.h"

namespace nb = nanobind;

namespace mainstem::bindings {
namespace {

bool InterpreterEnds() {
#if PY_VERSION_HEX >= 0x030D0000
  return !Py_IsInitialized() || Py_IsFinalizing();
#else
  return !Py_IsInitialized() || _Py_IsFinalizing();
#endif
}

std::string TextOf(nb::handle object) {
  const nb::object text = nb::steal(PyObject_Str(object.ptr()));
  const char* bytes = text.is_valid() ? PyUnicode_AsUTF8(text.ptr()) : nullptr;
  if (bytes == nullptr) {
    PyErr_Clear();
    return "(an error that has no text)";
  }
  return bytes;
}

// The user's exception as a status: its class where it says one (mainstem's own errors do), else the job's.
Status StatusOf(const nb::python_error& error, const std::string& name, std::string_view what) {
  if (error.matches(PyExc_KeyboardInterrupt)) {
    PyErr_SetInterrupt();  // the main thread's script hears of it too
    return CancelledError(fmt::format("sink {}: interrupted", name));
  }
  const nb::object type_name = nb::getattr(error.type(), "__name__", nb::str("exception"));
  const std::string text =
      fmt::format("sink {}: {} failed: {}: {}", name, what, TextOf(type_name), Escaped(TextOf(error.value()), 4000));
  const nb::object error_class = nb::getattr(error.value(), "error_class", nb::none());
  return TextOf(error_class) == "retry" ? RetryError(text) : JobError(text);
}

// Runs a call of Python's under the interpreter's lock; what it throws becomes a status.
template <typename Call>
Status InPython(const std::string& name, std::string_view what, Call call) {
  if (InterpreterEnds()) return JobError(fmt::format("sink {}: {}: the interpreter has ended", name, what));
  const nb::gil_scoped_acquire acquire;
  try {
    call();
    return Status::OK();
  } catch (const nb::python_error& error) {
    return StatusOf(error, name, what);
  } catch (const std::exception& error) {
    return JobError(fmt::format("sink {}: {} failed: {}", name, what, error.what()));
  }
}

// An object of Python that may be let go on any thread. Where the interpreter is gone it is not let go at all.
class Held {
 public:
  explicit Held(nb::object object) : object_(std::move(object)) {}
  ~Held() {
    if (InterpreterEnds()) {
      (void)object_.release();
      return;
    }
    const nb::gil_scoped_acquire acquire;
    object_.reset();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  const nb::object& operator*() const { return object_; }

 private:
  nb::object object_;
};

std::vector<std::string> Texts(const std::vector<Committable>& committables) {
  std::vector<std::string> texts;
  for (const Committable& committable : committables) texts.push_back(committable.content);
  return texts;
}

class PythonWriter : public SinkWriter {
 public:
  PythonWriter(std::string name, nb::object writer) : name_(std::move(name)), writer_(std::move(writer)) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    bytes_written_ += arrow::util::TotalBufferSize(*rows);
    return InPython(name_, "write", [&] { (*writer_).attr("write")(PyBatch{rows}); });
  }

  Result<std::vector<Committable>> Prepare() override {
    std::vector<Committable> committables;
    ARROW_RETURN_NOT_OK(InPython(name_, "prepare", [&] {
      for (auto& text : nb::cast<std::vector<std::string>>((*writer_).attr("prepare")())) {
        committables.push_back({std::move(text)});
      }
    }));
    return committables;
  }

  int64_t bytes_written() const override { return bytes_written_; }

 private:
  const std::string name_;
  const Held writer_;
  int64_t bytes_written_ = 0;
};

class PythonSink : public Sink {
 public:
  PythonSink(std::string name, nb::object calls) : name_(std::move(name)), calls_(std::move(calls)) {}

  std::string Describe() const override { return "python " + name_; }

  Status Begin(const SinkJob& job) override {
    return InPython(name_, "begin", [&] { (*calls_).attr("begin")(job.id, job.checkpoint_folder); });
  }
  Status Restore(const SinkJob& job, const std::vector<Committable>& pending) override {
    return InPython(name_, "restore",
                    [&] { (*calls_).attr("restore")(job.id, job.checkpoint_folder, Texts(pending)); });
  }

  Status Withdraw(const SinkJob& job, const std::vector<Committable>& shown,
                  const std::vector<Committable>& kept) override {
    return InPython(name_, "withdraw", [&] {
      (*calls_).attr("withdraw")(job.id, job.checkpoint_folder, Texts(shown), Texts(kept));
    });
  }

  Result<std::unique_ptr<SinkWriter>> OpenWriter(int lane, const std::string& attempt) override {
    std::unique_ptr<SinkWriter> writer;
    ARROW_RETURN_NOT_OK(InPython(name_, "open", [&] {
      writer = std::make_unique<PythonWriter>(name_, nb::object((*calls_).attr("open")(lane, attempt)));
    }));
    return writer;
  }

  Status MakeDurable(const std::vector<Committable>& committables) override {
    return InPython(name_, "make_durable", [&] { (*calls_).attr("make_durable")(Texts(committables)); });
  }
  Status Commit(const std::vector<Committable>& committables) override {
    if (committables.empty()) return Status::OK();
    return InPython(name_, "commit", [&] { (*calls_).attr("commit")(Texts(committables)); });
  }
  Status Finish(const std::string& job) override {
    return InPython(name_, "finish", [&] { (*calls_).attr("finish")(job); });
  }
  Status Abort(const std::string& job) override {
    return InPython(name_, "abort", [&] { (*calls_).attr("abort")(job); });
  }

 private:
  const std::string name_;
  const Held calls_;
};

}  // namespace

GivenSinks ImportSinks(const nb::dict& sinks) {
  GivenSinks imported;
  for (const auto& [key, calls] : sinks) {
    const std::string name = Escaped(nb::cast<std::string>(nb::handle(calls).attr("name")));
    imported[nb::cast<std::string>(nb::handle(key))] = std::make_shared<PythonSink>(name, nb::borrow(calls));
  }
  return imported;
}

}  // namespace mainstem::bindings
