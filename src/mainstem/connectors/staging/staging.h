// Staging: what a sink has written and nobody sees yet, and the step that makes it visible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/connectors/staging/store.h"
#include "mainstem/platform/clock.h"

namespace mainstem {

enum class WriteMode { kAppend, kOverwrite, kError };
Result<WriteMode> ParseWriteMode(const std::string& text);

/// A file that is staged and the name that it will have.
struct StagedFile {
  std::string staged;  ///< relative to the sink's folder
  std::string target;  ///< relative to the sink's folder
  int64_t size = 0;
  int64_t rows = 0;
};

/// Defects put in on purpose, for tests that show that such defects are found. Nothing else sets them.
struct StagingPlants {
  bool skip_staged_sync = false;      ///< MakeDurable does nothing
  bool commit_on_prepare = false;     ///< what is prepared becomes visible at once
  bool new_names_on_recommit = false; ///< what is visible already is made visible again under another name
};

/// The staging of one sink. Prepare and MakeDurable are thread-safe, the rest is called by one thread at a time.
///
/// Below the sink's folder, hidden from readers:
///   .mainstem-staging/<job>/keep           of a job with checkpoints: where these are. While it is there, nothing of
///                                          the job is swept, however old
///   .mainstem-staging/<job>/<attempt>/…    staged files
///   .mainstem-staging/<job>/commit.json    what a commit has decided to do; Restore and a later Begin finish it
///   .mainstem-staging/<job>/replaced.json  in mode overwrite: the files that the job's first commit replaces
///   .mainstem-withdrawn/<job>/…            what a job that went back to an older checkpoint had shown, and writes again;
///                                          nobody sweeps it
///
/// A commit of several files writes its decision first, renames, then removes what it replaces. A reader that looks
/// between the first rename and the last removal sees a part of the new files, or new and old ones: a local
/// file system has no step that exchanges many files. A crash in between is finished by the same commit repeated, by
/// Restore, or by the Begin of the next job on this folder.
///
/// A file whose commit is repeated must be staged or in its place. One that is in neither was taken away by somebody
/// else before the next checkpoint could forget it: an error that names it.
class Staging {
 public:
  Staging(std::shared_ptr<Store> store, WriteMode mode, StagingPlants plants = {}, const Clock& clock = SystemClock());

  Store& store() const { return *store_; }
  WriteMode mode() const { return mode_; }

  /// Finishes commits that crashed, sweeps staging older than a day of jobs without checkpoints, checks the mode, and
  /// in mode overwrite notes what is to be replaced.
  Status Begin(const SinkJob& job);
  Status Restore(const SinkJob& job, const std::vector<Committable>& pending);
  /// Moves what is visible out of sight: what is kept back to where it was staged, the rest to .mainstem-withdrawn.
  /// Repeated after a crash it goes on. An error where a file is neither visible, staged nor withdrawn, or was changed.
  Status Withdraw(const SinkJob& job, const std::vector<Committable>& shown, const std::vector<Committable>& kept);
  /// Describes staged files, already closed.
  Result<std::vector<Committable>> Prepare(const std::vector<StagedFile>& files);
  Status MakeDurable(const std::vector<Committable>& committables);
  Status Commit(const std::vector<Committable>& committables);
  /// Whether Finish(job) would find that the job has committed nothing in a folder that shows no file of its own:
  /// the folder is empty, or its content still waits to be replaced.
  Result<bool> NothingCommitted(const std::string& job);
  Status Finish(const std::string& job);
  /// A commit that was decided is finished first: it cannot be taken back.
  Status Abort(const std::string& job);

  /// Folder for the staged files of an attempt, named `<job>.<n>`.
  static Result<std::string> FolderOfAttempt(const std::string& attempt);
  /// Eight characters that stand for the attempt in file names.
  static std::string ShortName(const std::string& attempt);

 private:
  // What a commit does: moves files into view, then removes others.
  struct Decision {
    std::vector<StagedFile> files;
    std::vector<std::string> removes;
  };
  static std::string ToText(const Decision& decision);
  Result<std::optional<Decision>> ReadDecision(const std::string& job_folder) const;
  Result<std::vector<std::string>> ReadReplaced(const std::string& job_folder) const;

  Status SweepOthers(const std::string& job_folder);
  Status RemoveEmptyBelow(const std::string& folder);
  Status FinishDecided(const std::string& job_folder);
  Status CheckMode(const std::string& job_folder);
  Status Keep(const SinkJob& job, const std::string& job_folder);
  Status Publish(const Decision& decision, const std::string& job_folder);
  Result<std::vector<const StagedFile*>> Pending(const Decision& decision) const;
  Status MoveAll(const std::vector<const StagedFile*>& pending);
  Status RemoveReplaced(const Decision& decision);
  Status RemoveJob(const std::string& job_folder);
  Status CommitAgain(Decision* decision);
  Result<std::string> WithdrawnName(const std::string& job, const StagedFile& file, bool* is_there) const;

  std::shared_ptr<Store> store_;
  const WriteMode mode_;
  const StagingPlants plants_;
  const Clock& clock_;
};

}  // namespace mainstem
