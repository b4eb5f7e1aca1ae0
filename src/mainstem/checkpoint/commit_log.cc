#include "mainstem/checkpoint/commit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "mainstem/checkpoint/layout.h"
#include "mainstem/checkpoint/snapshot_file.h"

namespace mainstem::checkpoint {
namespace {

// The commit before this one; the commit's own number where that is not known.
constexpr char kPrevious[] = "previous";

}  // namespace

std::string CommitLog::PathOf(int64_t number) const { return folder_.Path(CommitName(number)); }

// Oldest first.
Result<std::vector<int64_t>> CommitLog::Numbers() const {
  ARROW_ASSIGN_OR_RAISE(const auto entries, folder_.files().List(folder_.path()));
  std::vector<int64_t> numbers;
  for (const FolderEntry& entry : entries) {
    if (const auto number = ParseCommitName(entry.name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// A commit is noted as a manifest that has nothing but what it shows.
Result<Manifest> CommitLog::Read(int64_t number) const {
  const std::string path = PathOf(number);
  ARROW_ASSIGN_OR_RAISE(const auto content, ReadSnapshotFile(folder_.files(), path, FileContent::kCommit,
                                                             kManifestBytesMax + kEnvelopeBytes));
  auto noted = FromJson(std::string_view(*content));
  if (!noted.ok()) return Damaged(path, noted.status().message());
  if (noted->checkpoint != number || noted->job != job_ || !noted->counters.contains(kPrevious)) {
    return Damaged(path, fmt::format("it tells of commit {} of the job '{}'", noted->checkpoint, noted->job));
  }
  return noted;
}

Status CommitLog::Note(int64_t checkpoint, const std::vector<PendingCommit>& shows) {
  Manifest note{.checkpoint = checkpoint, .epoch = epoch_, .job = job_, .pending = shows};
  ARROW_ASSIGN_OR_RAISE(const auto numbers, Numbers());
  const auto at = std::lower_bound(numbers.begin(), numbers.end(), checkpoint);
  int64_t previous = at == numbers.begin() ? 0 : *std::prev(at);
  if (at == numbers.begin() && at != numbers.end()) {
    // None is noted before it: those that were have been forgotten, or there were none.
    const auto first = Read(*at);
    if (!first.ok() && !IsDamage(first.status())) return first.status();
    previous = first.ok() ? std::min(first->counters.at(kPrevious), checkpoint) : checkpoint;
  }
  note.counters[kPrevious] = previous;
  ARROW_ASSIGN_OR_RAISE(const std::string json, ToJson(note));
  ARROW_ASSIGN_OR_RAISE(const std::string head,
                        EnvelopeHead(FileContent::kCommit, {arrow::Buffer::FromString(json)}));
  return folder_.files().WriteDurably(PathOf(checkpoint), head + json);
}

Result<std::vector<PendingCommit>> CommitLog::ShownSince(int64_t checkpoint) const {
  ARROW_ASSIGN_OR_RAISE(const auto numbers, Numbers());
  std::vector<PendingCommit> shown;
  std::set<std::string> seen;
  int64_t reached = 0;  // 0: the first is still to come
  for (const int64_t number : numbers) {
    if (number <= checkpoint) continue;
    const auto noted = Read(number);
    if (!noted.ok() && !IsDamage(noted.status())) return noted.status();
    const int64_t previous = noted.ok() ? noted->counters.at(kPrevious) : 0;
    if (!noted.ok() || (reached == 0 ? previous > checkpoint : previous != reached)) {
      const std::string why = noted.ok() ? fmt::format("what commits up to that of checkpoint {} have shown is not known "
                                                       "any more",
                                                       previous)
                                         : noted.status().message();
      return JobError(fmt::format(
          "cannot go back to checkpoint {} of the job '{}': rows behind it have been shown since and would be there "
          "twice; {}. Go on from a newer checkpoint, or, to have those rows made and shown again, remove the files "
          "'commit-*' in '{}'",
          checkpoint, job_, why, Escaped(folder_.path(), 1000)));
    }
    reached = number;
    for (const PendingCommit& commit : noted->pending) {
      if (seen.insert(commit.content).second) shown.push_back(commit);
    }
  }
  return shown;
}

Status CommitLog::ForgetSince(int64_t checkpoint) {
  ARROW_ASSIGN_OR_RAISE(const auto numbers, Numbers());
  // Newest first: what a crash leaves still begins where the checkpoint ends.
  for (auto number = numbers.rbegin(); number != numbers.rend() && *number > checkpoint; ++number) {
    ARROW_RETURN_NOT_OK(folder_.files().Remove(PathOf(*number)));
  }
  return folder_.files().SyncFolder(folder_.path());
}

Status CommitLog::ForgetUpTo(int64_t checkpoint) {
  ARROW_ASSIGN_OR_RAISE(const auto numbers, Numbers());
  for (size_t i = 0; i + 1 < numbers.size(); ++i) {
    if (numbers[i] > checkpoint && numbers.size() - i <= kKeptMax) break;
    ARROW_RETURN_NOT_OK(folder_.files().Remove(PathOf(numbers[i])));
  }
  return Status::OK();
}

}  // namespace mainstem::checkpoint
