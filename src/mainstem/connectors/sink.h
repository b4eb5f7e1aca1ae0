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

/// What a sink is told of the job that writes.
struct SinkJob {
  /// Letters, digits, '-' and '_'. The attempts of the job are named `<id>.<n>`; n grows with every restart.
  std::string id;
  /// Where the job's checkpoints are; empty for a job that cannot be resumed. People read it where staging is left.
  std::string checkpoint_folder;
};

/// Writes the rows of one lane to staging. One thread at a time.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
  /// Closes what was staged since the last Prepare and describes it; writing may go on afterwards. Quick: makes
  /// nothing durable, for it runs between two batches.
  virtual Result<std::vector<Committable>> Prepare() = 0;
  virtual int64_t bytes_written() const = 0;
};

/// A bound sink. All but OpenWriter and MakeDurable are called by one thread at a time; writers may write meanwhile.
///
/// A job without checkpoints: Begin, OpenWriter…, Prepare…, MakeDurable, Commit, Finish.
/// With checkpoints:          Begin, OpenWriter…, then for each checkpoint Prepare…, MakeDurable, the manifest is
///                            written, Commit; after the last commit Finish.
/// Resumed:                   Restore, Commit of what was pending, then as above.
/// Back to an older one:      Withdraw, then as resumed.
/// Failed or cancelled for good: Abort.
/// After a crash each of them may be called again; what was done already is no error.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string Describe() const = 0;
  /// Checks the mode against what is there (error, overwrite, append) before any work is done. Called for a job that
  /// starts at its beginning; what an earlier start of the same id has staged is removed.
  virtual Status Begin(const SinkJob& job) = 0;
  /// For a job that goes on from a checkpoint: checks that what is `pending` (covered by the checkpoint, perhaps not
  /// committed) is staged or visible, and removes what else the job's earlier attempts have staged. None of these may
  /// run any more.
  virtual Status Restore(const SinkJob& job, const std::vector<Committable>& pending) = 0;
  /// For a job that goes back to a checkpoint before some of its commits: takes what these have made visible (`shown`;
  /// not all of it, perhaps) out of sight, so that the rows can come again. What is also `kept` is staged again: Restore
  /// follows with it. A sink that cannot do this refuses with a job error, before anything has changed.
  virtual Status Withdraw(const SinkJob& job, const std::vector<Committable>& shown,
                          const std::vector<Committable>& kept) {
    static_cast<void>(job), static_cast<void>(shown), static_cast<void>(kept);
    return JobError(Describe() + " cannot take back what it has shown");
  }
  /// A lane is one of the writers that write at the same time. It may be opened again, even in the same attempt, when
  /// its last writer is not used any more.
  virtual Result<std::unique_ptr<SinkWriter>> OpenWriter(int lane, const std::string& attempt) = 0;
  /// Syncs what the committables name. After it, and not before, a checkpoint may refer to them. Thread-safe.
  virtual Status MakeDurable(const std::vector<Committable>& committables) = 0;
  /// Makes everything named visible: all of it, or on failure none that was not visible before. May be called many
  /// times in a job; committables of earlier commits given again are no error. In mode overwrite the job's first
  /// commit replaces the old content and later ones add. Without committables nothing happens.
  virtual Status Commit(const std::vector<Committable>& committables) = 0;
  /// After the job's last commit. Leaves what a result without rows is where the job has committed nothing (an empty
  /// file with a schema; in mode overwrite the old content goes), and forgets what the job has noted.
  virtual Status Finish(const std::string& job) = 0;
  /// Removes everything that any attempt of the job has staged and not committed, and forgets the job.
  virtual Status Abort(const std::string& job) = 0;
};

}  // namespace mainstem
