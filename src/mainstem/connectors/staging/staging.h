// Staging: what a sink has written and nobody sees yet, and the step that makes it visible.
#pragma once

#include <memory>
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

/// The staging of one sink. Thread-safe but for Begin, Commit and Abort, which one thread calls at a time.
///
/// Below the sink's folder, hidden from readers:
///   .mainstem-staging/<attempt>/…           staged files
///   .mainstem-staging/<attempt>/commit.json what a commit has decided to do; a later Begin finishes it
///   .mainstem-staging/replaced.json         in mode overwrite: the files that the first commit replaces
///
/// A commit of several files writes its decision first, renames, then removes what it replaces. A reader that looks
/// between the first rename and the last removal sees a part of the new files, or new and old ones: a local
/// file system has no step that exchanges many files. A crash in between is finished by the same commit repeated, or
/// by the Begin of the next job on this folder.
class Staging {
 public:
  Staging(std::shared_ptr<Store> store, WriteMode mode, const Clock& clock = SystemClock());

  Store& store() const { return *store_; }
  WriteMode mode() const { return mode_; }

  /// Finishes commits that crashed, sweeps staging older than a day, checks the mode, and in mode overwrite notes
  /// what is to be replaced. A job that resumes from a checkpoint does not call it.
  Status Begin();
  /// Makes staged files, already closed, durable and describes them.
  Result<std::vector<Committable>> Prepare(const std::vector<StagedFile>& files);
  Status Commit(const std::vector<Committable>& committables);
  /// Also forgets what this object's Begin noted, unless a commit has used it.
  Status Abort(const std::string& attempt);

  /// Folder for the staged files of an attempt. The attempt's name must be letters, digits, '-', '_' or '.'.
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
  Result<Decision> ReadDecision(const std::string& path) const;

  Status SweepAndFinish();
  Status CheckMode();
  Status Publish(const Decision& decision);
  Result<std::vector<const StagedFile*>> Pending(const Decision& decision) const;
  Status MoveAll(const std::vector<const StagedFile*>& pending);
  Status RemoveReplaced(const Decision& decision);

  std::shared_ptr<Store> store_;
  const WriteMode mode_;
  const Clock& clock_;
  bool noted_replaced_ = false;
};

}  // namespace mainstem
