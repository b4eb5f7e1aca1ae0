#include "mainstem/checkpoint/storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "mainstem/platform/die_point.h"

namespace mainstem::checkpoint {
namespace {

constexpr int64_t kEpochMax = std::numeric_limits<int64_t>::max() / 2;
// How far to skip ahead where the epoch's file is damaged: an attempt may have left no file that bears its number.
constexpr int64_t kEpochSkip = 1 << 20;
constexpr int64_t kCopyBytes = 1 << 20;

std::string RemovedName(const std::string& job) { return ".removed-" + job; }

Status LockError(const JobFolder& folder, const std::string& job, const Status& status) {
  const auto holder = folder.files().LockHolder(folder.Path(std::string(kLockName)));
  if (!holder.ok() || !holder->has_value()) return status;
  // Where the number is not known, only the lock knows more.
  const std::string who = **holder == 0 ? "" : fmt::format(" (pid {})", **holder);
  const std::string more = **holder == 0 ? fmt::format(": {}", status.message()) : "";
  return JobError(fmt::format("another process{} runs the job '{}' on the folder '{}'; wait for its end, or give this "
                              "job another name{}",
                              who, job, Escaped(folder.path(), 1000), more));
}

std::set<std::string> Referenced(const std::vector<Manifest>& manifests) {
  std::set<std::string> names;
  for (const Manifest& manifest : manifests) {
    for (const SubtaskSnapshot& subtask : manifest.subtasks) names.insert(subtask.file.name);
  }
  return names;
}

}  // namespace

Storage::Storage(JobFolder folder, std::string job, std::unique_ptr<FileLock> lock, int64_t epoch,
                 StoragePlants plants)
    : folder_(std::move(folder)),
      job_(std::move(job)),
      lock_(std::move(lock)),
      epoch_(epoch),
      plants_(plants),
      commits_(folder_, job_, epoch) {}

Result<std::unique_ptr<Storage>> Storage::Open(FileSystem& files, const std::string& folder, const std::string& job,
                                               const Clock& clock, StoragePlants plants) {
  if (!IsSafeName(job)) {
    return JobError(fmt::format("'{}' cannot be the name of a job with checkpoints: it must have 1 to {} letters, "
                                "digits, '-', '_' or '.', and not begin with '.'",
                                Escaped(job), kNameBytesMax));
  }
  const JobFolder job_folder(files, JoinPath(folder, job));
  ARROW_RETURN_NOT_OK(files.MakeFolders(job_folder.path()));
  auto lock = files.Lock(job_folder.Path(std::string(kLockName)));
  if (!lock.ok()) return LockError(job_folder, job, lock.status());
  ARROW_ASSIGN_OR_RAISE(const int64_t epoch, BeginEpoch(job_folder, clock));
  ARROW_RETURN_NOT_OK(SweepPartials(job_folder));
  ARROW_RETURN_NOT_OK(files.RemoveTree(JoinPath(folder, RemovedName(job))));
  return std::unique_ptr<Storage>(new Storage(job_folder, job, *std::move(lock), epoch, plants));
}

// A process that was killed, or whose disk failed, between making a folder and syncing the one above has left a name
// that is there and not durable. Where there is no epoch yet, no process before has been here.
Status Storage::SyncNamesAbove(const JobFolder& folder) {
  std::string below = folder.path();
  for (std::string above = FolderOf(below); above != below; below = above, above = FolderOf(below)) {
    // One that we may pass through but not read cannot be synced by itself.
    if (!folder.files().SyncFolder(above).ok()) return folder.files().SyncDevice(folder.path());
  }
  return Status::OK();
}

Result<int64_t> Storage::BeginEpoch(const JobFolder& folder, const Clock& clock) {
  const auto previous = folder.ReadEpoch();
  if (!previous.ok() && !IsDamage(previous.status())) return previous.status();
  if (!previous.ok()) ARROW_RETURN_NOT_OK(SyncNamesAbove(folder));
  int64_t newest = previous.ok() ? previous->number : 0;
  ARROW_ASSIGN_OR_RAISE(const auto folders, folder.Folders());
  for (const FolderName& each : folders) {
    ARROW_ASSIGN_OR_RAISE(const auto names, folder.Files(each));
    for (const std::string& name : names) newest = std::max(newest, EpochOf(name).value_or(0));
  }
  if (!previous.ok() && !folders.empty()) newest += kEpochSkip;
  if (newest >= kEpochMax) {
    return JobError(fmt::format("'{}' counts {} attempts, which cannot be", Escaped(folder.path(), 1000), newest));
  }
  const int64_t epoch = newest + 1;
  const std::string text = fmt::format("{} {}", epoch, clock.WallNs());
  ARROW_ASSIGN_OR_RAISE(const std::string head, EnvelopeHead(FileContent::kEpoch, {arrow::Buffer::FromString(text)}));
  ARROW_RETURN_NOT_OK(folder.files().WriteDurably(folder.Path(std::string(kEpochName)), head + text));
  return epoch;
}

// An older attempt that has passed its fence may be just before its rename. Without its partial manifest it fails;
// where it was faster, the checkpoint is complete before anybody asks for the latest.
Status Storage::SweepPartials(const JobFolder& folder) {
  ARROW_ASSIGN_OR_RAISE(const auto folders, folder.Folders());
  for (const FolderName& each : folders) {
    ARROW_ASSIGN_OR_RAISE(const auto names, folder.Files(each));
    for (const std::string& name : names) {
      if (!name.ends_with(kPartialSuffix)) continue;
      ARROW_RETURN_NOT_OK(folder.files().Remove(JoinPath(folder.Path(ToString(each)), name)));
    }
  }
  return Status::OK();
}

Status Storage::CheckFence() const {
  if (plants_.skip_fence) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const Epoch current, folder_.ReadEpoch());
  if (current.number == epoch_) return Status::OK();
  return JobError(fmt::format("fenced: another process has taken over the job '{}' in '{}' (attempt {}, this one is "
                              "{}); this one must stop",
                              job_, Escaped(folder_.path(), 1000), current.number, epoch_));
}

Result<int64_t> Storage::LargestNumber() const {
  ARROW_ASSIGN_OR_RAISE(const auto folders, folder_.Folders());
  return folders.empty() ? 0 : folders.back().checkpoint;
}

Result<SnapshotFile> Storage::WriteSnapshot(int64_t checkpoint, int task, int lane, const Buffers& content) const {
  const std::string name = ToString(FolderName{checkpoint, /*is_savepoint=*/false});
  ARROW_RETURN_NOT_OK(folder_.files().MakeFolders(folder_.Path(name)));
  DiePoint("snapshot.folder");
  SnapshotFile file{.name = JoinPath(name, SnapshotName(epoch_, task, lane))};
  ARROW_ASSIGN_OR_RAISE(file.bytes, WriteSnapshotFile(folder_.files(), folder_.Path(file.name), FileContent::kSnapshot,
                                                      content, !plants_.skip_snapshot_sync));
  DiePoint("snapshot.written");
  return file;
}

Result<std::shared_ptr<arrow::Buffer>> Storage::ReadSnapshot(const SnapshotFile& file) const {
  if (!IsSnapshotName(file.name)) return JobError(fmt::format("'{}' is no snapshot's name", Escaped(file.name)));
  return ReadSnapshotFile(folder_.files(), folder_.Path(file.name), FileContent::kSnapshot, file.bytes);
}

Status Storage::CopyFile(const std::string& from, const std::string& to) const {
  FileSystem& files = folder_.files();
  ARROW_ASSIGN_OR_RAISE(const auto source, files.Open(from));
  // A savepoint that failed may have left it.
  ARROW_RETURN_NOT_OK(files.Remove(to));
  ARROW_ASSIGN_OR_RAISE(const auto target, files.Create(to));
  std::string part(static_cast<size_t>(kCopyBytes), '\0');
  for (int64_t offset = 0;;) {
    ARROW_ASSIGN_OR_RAISE(const int64_t count, source->ReadAt(offset, kCopyBytes, part.data()));
    if (count == 0) break;
    ARROW_RETURN_NOT_OK(target->Write(std::string_view(part).substr(0, static_cast<size_t>(count))));
    offset += count;
  }
  ARROW_RETURN_NOT_OK(target->Sync());
  ARROW_RETURN_NOT_OK(target->Close());
  return VerifySnapshotFile(files, to, FileContent::kSnapshot).status();
}

Result<Manifest> Storage::CopyForSavepoint(const Manifest& manifest) const {
  const std::string folder = ToString(FolderName{manifest.checkpoint, /*is_savepoint=*/true});
  ARROW_RETURN_NOT_OK(folder_.files().MakeFolders(folder_.Path(folder)));
  Manifest copy = manifest;
  for (SubtaskSnapshot& subtask : copy.subtasks) {
    const std::string& from = subtask.file.name;
    const std::string to = JoinPath(folder, from.substr(from.find('/') + 1));
    if (from == to) return JobError(fmt::format("savepoint {} already has the file '{}'", manifest.checkpoint, to));
    ARROW_RETURN_NOT_OK(CopyFile(folder_.Path(from), folder_.Path(to)));
    subtask.file.name = to;
  }
  return copy;
}

// Names of snapshots become durable here, once for all of them.
Status Storage::SyncFoldersOf(const Manifest& manifest) const {
  std::set<std::string> folders;
  for (const SubtaskSnapshot& subtask : manifest.subtasks) folders.insert(FolderOf(folder_.Path(subtask.file.name)));
  for (const std::string& folder : folders) ARROW_RETURN_NOT_OK(folder_.files().SyncFolder(folder));
  return Status::OK();
}

Status Storage::Publish(const Manifest& manifest) {
  Manifest own = manifest;
  own.job = job_;
  own.epoch = epoch_;
  ARROW_RETURN_NOT_OK(Validate(own));
  ARROW_RETURN_NOT_OK(CheckFence());
  ARROW_RETURN_NOT_OK(folder_.VerifyFiles(own, /*content=*/false));
  if (own.kind != Manifest::Kind::kSavepoint) return WriteManifest(own);
  const std::string folder = folder_.Path(ToString(FolderName{own.checkpoint, /*is_savepoint=*/true}));
  ARROW_ASSIGN_OR_RAISE(const FileStatus there, folder_.files().Stat(JoinPath(folder, std::string(kManifestName))));
  if (there.kind != FileKind::kMissing) {
    return JobError(fmt::format("'{}' exists: a savepoint is not replaced", Escaped(folder, 1000)));
  }
  auto copy = CopyForSavepoint(own);
  if (copy.ok()) return WriteManifest(*copy);
  (void)folder_.files().RemoveTree(folder);
  return copy.status();
}

Status Storage::WriteManifest(const Manifest& manifest) const {
  FileSystem& files = folder_.files();
  ARROW_ASSIGN_OR_RAISE(std::string json, ToJson(manifest));
  const Buffers content = {arrow::Buffer::FromString(std::move(json))};
  const bool is_savepoint = manifest.kind == Manifest::Kind::kSavepoint;
  const std::string folder = folder_.Path(ToString(FolderName{manifest.checkpoint, is_savepoint}));
  const std::string path = JoinPath(folder, std::string(kManifestName));
  ARROW_RETURN_NOT_OK(files.MakeFolders(folder));
  ARROW_RETURN_NOT_OK(SyncFoldersOf(manifest));
  const std::string partial = plants_.publish_in_place ? path : JoinPath(folder, PartialName(epoch_));
  ARROW_RETURN_NOT_OK(files.Remove(partial));
  ARROW_RETURN_NOT_OK(WriteSnapshotFile(files, partial, FileContent::kManifest, content));
  DiePoint("manifest.partial");
  // Again, and only now: from here on a new attempt finds the partial manifest and removes it.
  const Status fence = CheckFence();
  if (!fence.ok()) {
    (void)files.Remove(partial);
    return fence;
  }
  if (partial != path) {
    const Status renamed = files.Rename(partial, path);
    if (!renamed.ok()) {
      (void)files.Remove(partial);
      return renamed;
    }
  }
  DiePoint("manifest.renamed");
  ARROW_RETURN_NOT_OK(files.SyncFolder(folder));
  ARROW_RETURN_NOT_OK(files.SyncFolder(folder_.path()));
  // Where a rename takes time, as a copy in a store does, a new attempt may have looked for the latest before this one
  // had its name. Then it goes on from an older one, and nobody may commit what this one covers.
  return CheckFence();
}

Result<Manifest> Storage::ReadVerified(const FolderName& folder) const {
  ARROW_ASSIGN_OR_RAISE(Manifest manifest, folder_.ReadManifest(folder));
  if (manifest.job != job_) {
    return Damaged(folder_.Path(ToString(folder)), fmt::format("it belongs to the job '{}'", manifest.job));
  }
  ARROW_RETURN_NOT_OK(folder_.VerifyFiles(manifest, /*content=*/true));
  // A process that was killed after the rename has left a name that a power loss could still take away, after what the
  // checkpoint covers has been committed.
  ARROW_RETURN_NOT_OK(folder_.files().SyncFolder(folder_.Path(ToString(folder))));
  ARROW_RETURN_NOT_OK(folder_.files().SyncFolder(folder_.path()));
  return manifest;
}

Result<std::optional<Manifest>> Storage::Latest(std::vector<std::string>* damaged) const {
  ARROW_ASSIGN_OR_RAISE(auto complete, folder_.Complete());
  std::vector<std::string> problems;
  for (; !complete.empty() && problems.size() < 2; complete.pop_back()) {
    auto manifest = ReadVerified(complete.back());
    if (manifest.ok()) return std::optional<Manifest>(*std::move(manifest));
    if (!IsDamage(manifest.status())) return manifest.status();
    problems.push_back(fmt::format("{}: {}", ToString(complete.back()), manifest.status().message()));
    if (damaged) damaged->push_back(problems.back());
  }
  if (problems.empty()) return std::optional<Manifest>();
  const std::string advice = fmt::format("bring the files back, name another checkpoint or savepoint to restore, or "
                                         "remove '{}' to start from the beginning",
                                         Escaped(folder_.path(), 1000));
  if (problems.size() == 1) {
    return JobError(
        fmt::format("the only checkpoint of the job '{}' cannot be restored: {}; {}", job_, problems[0], advice));
  }
  return JobError(fmt::format("neither of the two newest checkpoints of the job '{}' can be restored: {}; {}; {}", job_,
                              problems[0], problems[1], advice));
}

Result<Manifest> Storage::Read(const std::string& name) const {
  std::string_view inside = name;
  if (inside.starts_with(folder_.path() + "/")) inside.remove_prefix(folder_.path().size() + 1);
  while (inside.ends_with('/')) inside.remove_suffix(1);
  const auto folder = ParseFolderName(inside);
  if (!folder) {
    return JobError(fmt::format("'{}' is no checkpoint of the job '{}': 'checkpoint-<number>' or 'savepoint-<number>' "
                                "in '{}' was expected",
                                Escaped(name, 1000), job_, Escaped(folder_.path(), 1000)));
  }
  return ReadVerified(*folder);
}

Result<std::vector<Manifest>> Storage::ReadableManifests() const {
  ARROW_ASSIGN_OR_RAISE(const auto complete, folder_.Complete());
  std::vector<Manifest> manifests;
  for (const FolderName& folder : complete) {
    auto manifest = folder_.ReadManifest(folder);
    if (manifest.ok()) {
      manifests.push_back(*std::move(manifest));
    } else if (!IsDamage(manifest.status())) {
      // Nothing may be removed that an unread manifest might refer to.
      return manifest.status();
    }
  }
  return manifests;
}

Status Storage::RemoveLeftovers(const FolderName& folder, const std::set<std::string>& referenced,
                                bool own_epoch) const {
  const std::string name = ToString(folder);
  ARROW_ASSIGN_OR_RAISE(const auto files, folder_.Files(folder));
  for (const std::string& file : files) {
    const auto epoch = EpochOf(file);
    if (!epoch || (*epoch == epoch_ && !own_epoch) || referenced.contains(JoinPath(name, file))) continue;
    ARROW_RETURN_NOT_OK(folder_.files().Remove(folder_.Path(JoinPath(name, file))));
  }
  return Status::OK();
}

// A checkpoint stops being complete, durably: a crash must leave no manifest without its files. Synced also where the
// manifest is gone: whoever removed it may have failed before its sync.
Status Storage::Retire(const FolderName& folder) const {
  FileSystem& files = folder_.files();
  const std::string path = folder_.Path(ToString(folder));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(path));
  if (status.kind == FileKind::kMissing) return Status::OK();
  ARROW_RETURN_NOT_OK(files.Remove(JoinPath(path, std::string(kManifestName))));
  ARROW_RETURN_NOT_OK(files.SyncFolder(path));
  DiePoint("checkpoint.retired");
  return Status::OK();
}

// Of a checkpoint that is retired.
Status Storage::RemoveUnreferenced(const FolderName& folder, const std::set<std::string>& referenced) const {
  FileSystem& files = folder_.files();
  const std::string name = ToString(folder);
  const std::string path = folder_.Path(name);
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(path));
  if (status.kind == FileKind::kMissing) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto entries, files.List(path));
  bool is_empty = true;
  for (const FolderEntry& entry : entries) {
    if (referenced.contains(JoinPath(name, entry.name)) && !plants_.delete_referenced) {
      is_empty = false;
      continue;
    }
    const std::string below = JoinPath(path, entry.name);
    ARROW_RETURN_NOT_OK(entry.kind == FileKind::kFolder ? files.RemoveTree(below) : files.Remove(below));
  }
  return is_empty ? files.Remove(path) : Status::OK();
}

Status Storage::Retain(int count) {
  if (count < 1) return JobError(fmt::format("{} checkpoints cannot be retained: at least 1", count));
  ARROW_RETURN_NOT_OK(CheckFence());
  ARROW_ASSIGN_OR_RAISE(auto manifests, ReadableManifests());
  // Oldest first: checkpoints that are too many go, savepoints stay.
  int64_t too_many = std::count_if(manifests.begin(), manifests.end(), [](const Manifest& manifest) {
                       return manifest.kind != Manifest::Kind::kSavepoint;
                     }) - count;
  std::erase_if(manifests, [&](const Manifest& manifest) {
    return manifest.kind != Manifest::Kind::kSavepoint && too_many-- > 0;
  });
  std::set<FolderName> kept;
  int64_t newest = 0;
  for (const Manifest& manifest : manifests) {
    const bool is_savepoint = manifest.kind == Manifest::Kind::kSavepoint;
    kept.insert({manifest.checkpoint, is_savepoint});
    if (!is_savepoint) newest = std::max(newest, manifest.checkpoint);
  }
  if (!manifests.empty()) ARROW_RETURN_NOT_OK(commits_.ForgetUpTo(manifests.front().checkpoint));
  const std::set<std::string> referenced = Referenced(manifests);
  ARROW_ASSIGN_OR_RAISE(const auto folders, folder_.Folders());
  // All manifests that go before the first file: a checkpoint may refer to files in the folders of others.
  for (const FolderName& folder : folders) {
    const bool goes = !folder.is_savepoint && !kept.contains(folder) && folder.checkpoint < newest;
    if (goes) ARROW_RETURN_NOT_OK(Retire(folder));
  }
  for (const FolderName& folder : folders) {
    if (folder.is_savepoint) {
      // Damaged ones stay, for people; those without a manifest have failed.
      ARROW_ASSIGN_OR_RAISE(const FileStatus status,
                            folder_.files().Stat(JoinPath(folder_.Path(ToString(folder)), std::string(kManifestName))));
      if (status.kind == FileKind::kMissing) ARROW_RETURN_NOT_OK(RemoveUnreferenced(folder, referenced));
    } else if (kept.contains(folder)) {
      ARROW_RETURN_NOT_OK(RemoveLeftovers(folder, referenced, /*own_epoch=*/true));
    } else if (folder.checkpoint < newest) {
      ARROW_RETURN_NOT_OK(RemoveUnreferenced(folder, referenced));
    } else {
      // May be under way.
      ARROW_RETURN_NOT_OK(RemoveLeftovers(folder, referenced, /*own_epoch=*/false));
    }
  }
  return folder_.files().SyncFolder(folder_.path());
}

Status Storage::Discard(int64_t checkpoint) {
  ARROW_RETURN_NOT_OK(CheckFence());
  ARROW_ASSIGN_OR_RAISE(auto manifests, ReadableManifests());
  std::erase_if(manifests, [&](const Manifest& manifest) {
    return manifest.checkpoint == checkpoint && manifest.kind != Manifest::Kind::kSavepoint;
  });
  const FolderName folder{checkpoint, /*is_savepoint=*/false};
  ARROW_RETURN_NOT_OK(Retire(folder));
  ARROW_RETURN_NOT_OK(RemoveUnreferenced(folder, Referenced(manifests)));
  return folder_.files().SyncFolder(folder_.path());
}

Status Storage::Remove() {
  ARROW_RETURN_NOT_OK(CheckFence());
  FileSystem& files = folder_.files();
  const std::string above = FolderOf(folder_.path());
  const std::string removed = JoinPath(above, RemovedName(job_));
  ARROW_RETURN_NOT_OK(files.RemoveTree(removed));
  ARROW_RETURN_NOT_OK(files.Rename(folder_.path(), removed));
  ARROW_RETURN_NOT_OK(files.SyncFolder(above));
  return files.RemoveTree(removed);
}

}  // namespace mainstem::checkpoint
