// CommitLog: what a job's commits have shown, for a job that goes back to a checkpoint before them.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/checkpoint/job_folder.h"
#include "mainstem/checkpoint/manifest.h"

namespace mainstem::checkpoint {

/// One small file a commit, beside the checkpoints: `commit-17` says what the commit of checkpoint 17 has made visible.
/// It tells the same as that checkpoint's manifest, and is there when the manifest is damaged. One thread.
class CommitLog {
 public:
  /// With an old savepoint so many of the newest commits are kept, and going back is refused beyond them.
  static constexpr size_t kKeptMax = 10'000;

  CommitLog(JobFolder folder, std::string job, int64_t epoch)
      : folder_(std::move(folder)), job_(std::move(job)), epoch_(epoch) {}

  /// Notes what the commit of a checkpoint shows, durably; before that commit, and again when it is repeated.
  Status Note(int64_t checkpoint, const std::vector<PendingCommit>& shows);
  /// What the commits of later checkpoints have shown, each thing once; nothing where there were none. A job error where
  /// that is not known: a file is damaged, or commits after `checkpoint` have been forgotten.
  Result<std::vector<PendingCommit>> ShownSince(int64_t checkpoint) const;
  /// After that has been withdrawn.
  Status ForgetSince(int64_t checkpoint);
  /// Keeps what going back to `checkpoint` and later ones needs. The newest commit is always kept: without it nobody
  /// would know that there were others.
  Status ForgetUpTo(int64_t checkpoint);

 private:
  Result<std::vector<int64_t>> Numbers() const;
  Result<Manifest> Read(int64_t number) const;
  std::string PathOf(int64_t number) const;

  const JobFolder folder_;
  const std::string job_;
  const int64_t epoch_;
};

}  // namespace mainstem::checkpoint
