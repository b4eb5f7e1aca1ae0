#include "mainstem/checkpoint/job_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "mainstem/checkpoint/snapshot_file.h"

namespace mainstem::checkpoint {
namespace {

constexpr int64_t kEpochBytesMax = 4096;

Result<bool> Exists(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(path));
  return status.kind != FileKind::kMissing;
}

// Sizes of all files below; what vanishes meanwhile has none.
Result<int64_t> BytesBelow(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(path));
  if (status.kind == FileKind::kFile) return status.size;
  if (status.kind != FileKind::kFolder) return 0;
  const auto entries = files.List(path);
  if (!entries.ok()) {
    ARROW_ASSIGN_OR_RAISE(const bool still_there, Exists(files, path));
    return still_there ? entries.status() : Result<int64_t>(0);
  }
  int64_t bytes = 0;
  for (const FolderEntry& entry : *entries) {
    if (entry.kind == FileKind::kLink) continue;
    ARROW_ASSIGN_OR_RAISE(const int64_t below, BytesBelow(files, JoinPath(path, entry.name)));
    bytes += below;
  }
  return bytes;
}

Result<StoredCheckpoint> Describe(const JobFolder& job, const FolderName& name, bool verify) {
  StoredCheckpoint stored;
  stored.name = name;
  stored.path = job.Path(ToString(name));
  ARROW_ASSIGN_OR_RAISE(stored.bytes, BytesBelow(job.files(), stored.path));
  auto manifest = job.ReadManifest(name);
  const Status status = manifest.ok() ? job.VerifyFiles(*manifest, verify) : manifest.status();
  if (!status.ok()) {
    stored.damage = status.message();
  } else {
    stored.manifest = *std::move(manifest);
  }
  return stored;
}

Result<StoredJob> DescribeJob(const JobFolder& folder, const std::string& name, bool verify) {
  StoredJob job;
  job.name = name;
  ARROW_ASSIGN_OR_RAISE(const auto holder, folder.files().LockHolder(folder.Path(std::string(kLockName))));
  job.is_running = holder.has_value();
  job.process = holder.value_or(0);
  if (const auto epoch = folder.ReadEpoch(); epoch.ok()) job.epoch = *epoch;
  ARROW_ASSIGN_OR_RAISE(job.bytes, BytesBelow(folder.files(), folder.path()));
  ARROW_ASSIGN_OR_RAISE(const auto names, folder.Complete());
  for (auto each = names.rbegin(); each != names.rend(); ++each) {
    ARROW_ASSIGN_OR_RAISE(StoredCheckpoint stored, Describe(folder, *each, verify));
    // A running job removes what it no longer retains, manifests first.
    ARROW_ASSIGN_OR_RAISE(const bool still_there,
                          Exists(folder.files(), JoinPath(stored.path, std::string(kManifestName))));
    if (still_there) job.checkpoints.push_back(std::move(stored));
  }
  return job;
}

}  // namespace

Result<std::vector<FolderName>> JobFolder::Folders() const {
  ARROW_ASSIGN_OR_RAISE(const auto entries, files_.List(path_));
  std::vector<FolderName> folders;
  for (const FolderEntry& entry : entries) {
    if (entry.kind != FileKind::kFolder) continue;
    if (const auto folder = ParseFolderName(entry.name)) folders.push_back(*folder);
  }
  std::sort(folders.begin(), folders.end(), [](const FolderName& a, const FolderName& b) {
    return std::pair(a.checkpoint, !a.is_savepoint) < std::pair(b.checkpoint, !b.is_savepoint);
  });
  return folders;
}

Result<std::vector<FolderName>> JobFolder::Complete() const {
  ARROW_ASSIGN_OR_RAISE(const auto folders, Folders());
  std::vector<FolderName> complete;
  for (const FolderName& folder : folders) {
    ARROW_ASSIGN_OR_RAISE(const bool has_manifest,
                          Exists(files_, JoinPath(Path(ToString(folder)), std::string(kManifestName))));
    if (has_manifest) complete.push_back(folder);
  }
  return complete;
}

Result<std::vector<std::string>> JobFolder::Files(const FolderName& folder) const {
  ARROW_ASSIGN_OR_RAISE(const auto entries, files_.List(Path(ToString(folder))));
  std::vector<std::string> names;
  for (const FolderEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

Result<Manifest> JobFolder::ReadManifest(const FolderName& folder) const {
  const std::string path = JoinPath(Path(ToString(folder)), std::string(kManifestName));
  ARROW_ASSIGN_OR_RAISE(const auto content,
                        ReadSnapshotFile(files_, path, FileContent::kManifest, kManifestBytesMax + kEnvelopeBytes));
  auto manifest = FromJson(std::string_view(*content));
  if (!manifest.ok()) return Damaged(path, manifest.status().message());
  const bool is_savepoint = manifest->kind == Manifest::Kind::kSavepoint;
  if (FolderName{manifest->checkpoint, is_savepoint} != folder) {
    return Damaged(path, fmt::format("it is the manifest of {} {}", ToString(manifest->kind), manifest->checkpoint));
  }
  return manifest;
}

Status JobFolder::VerifyFiles(const Manifest& manifest, bool content) const {
  for (const SubtaskSnapshot& subtask : manifest.subtasks) {
    const std::string path = Path(subtask.file.name);
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(path));
    if (status.kind == FileKind::kMissing) return Damaged(path, "it is missing");
    if (status.size != subtask.file.bytes) {
      return Damaged(path, fmt::format("it has {} bytes, {} expected", status.size, subtask.file.bytes));
    }
    if (content) ARROW_RETURN_NOT_OK(VerifySnapshotFile(files_, path, FileContent::kSnapshot));
  }
  return Status::OK();
}

Result<Epoch> JobFolder::ReadEpoch() const {
  const std::string path = Path(std::string(kEpochName));
  ARROW_ASSIGN_OR_RAISE(const auto content, ReadSnapshotFile(files_, path, FileContent::kEpoch, kEpochBytesMax));
  const std::string_view text(*content);
  const char* const end = text.data() + text.size();
  Epoch epoch;
  const auto number = std::from_chars(text.data(), end, epoch.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != ' ' || epoch.number < 0) {
    return Damaged(path, "it is not what was written");
  }
  const auto started = std::from_chars(number.ptr + 1, end, epoch.started_wall_ns);
  if (started.ec != std::errc() || started.ptr != end) return Damaged(path, "it is not what was written");
  return epoch;
}

Result<std::vector<StoredJob>> ListJobs(FileSystem& files, const std::string& folder, bool verify) {
  ARROW_ASSIGN_OR_RAISE(const auto entries, files.List(folder));
  std::vector<StoredJob> jobs;
  for (const FolderEntry& entry : entries) {
    if (entry.kind != FileKind::kFolder || !IsSafeName(entry.name)) continue;
    const JobFolder job(files, JoinPath(folder, entry.name));
    ARROW_ASSIGN_OR_RAISE(const bool has_lock, Exists(files, job.Path(std::string(kLockName))));
    ARROW_ASSIGN_OR_RAISE(const bool has_epoch, Exists(files, job.Path(std::string(kEpochName))));
    if (!has_lock && !has_epoch) continue;
    auto described = DescribeJob(job, entry.name, verify);
    if (!described.ok()) {
      ARROW_ASSIGN_OR_RAISE(const bool still_there, Exists(files, job.path()));
      if (still_there) return described.status();
      continue;
    }
    jobs.push_back(*std::move(described));
  }
  std::sort(jobs.begin(), jobs.end(), [](const StoredJob& a, const StoredJob& b) { return a.name < b.name; });
  return jobs;
}

}  // namespace mainstem::checkpoint
