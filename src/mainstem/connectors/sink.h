// Sink: where rows go: staged while the job runs, visible when a commit covers them.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// Something staged that a commit makes visible: the connector's own text (JSON).
struct Committable {
  std::string content;
};

/// Writes the rows of one subtask to staging. One thread at a time.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
  /// Closes what was staged since the last Prepare, synced to disk; writing may go on afterwards.
  virtual Result<std::vector<Committable>> Prepare() = 0;
  virtual int64_t bytes_written() const = 0;
};

/// A bound sink. Commit and Abort are idempotent and may be repeated after a crash.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string Describe() const = 0;
  /// Checks the mode against what is there (error, overwrite, append) before any work is done.
  virtual Status Begin() = 0;
  /// `attempt` distinguishes runs; staged files of dead attempts never become visible.
  virtual Result<std::unique_ptr<SinkWriter>> OpenWriter(int subtask, const std::string& attempt) = 0;
  /// Makes everything prepared visible: all of it, or on failure none that was not visible before.
  /// In mode overwrite the old content is replaced now, not earlier.
  virtual Status Commit(const std::vector<Committable>& committables) = 0;
  /// Removes everything that was staged by `attempt` and not committed.
  virtual Status Abort(const std::string& attempt) = 0;
};

}  // namespace mainstem
