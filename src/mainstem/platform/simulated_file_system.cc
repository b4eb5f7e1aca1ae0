#include "mainstem/platform/simulated_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "mainstem/platform/simulated_disk.h"
#include "mainstem/platform/simulated_world.h"

namespace mainstem {
namespace {

using NodePtr = SimulatedWorld::NodePtr;
using LifePtr = SimulatedWorld::LifePtr;
using WorldPtr = std::shared_ptr<SimulatedWorld>;

FileStatus StatusOf(const SimulatedDisk::Node& node) {
  return {.kind = node.is_folder ? FileKind::kFolder : FileKind::kFile,
          .size = static_cast<int64_t>(node.content.size()),
          .modified_ns = node.modified_ns};
}

class SimulatedWritableFile : public WritableFile {
 public:
  SimulatedWritableFile(WorldPtr world, LifePtr life, NodePtr node, std::string path)
      : world_(std::move(world)), life_(std::move(life)), node_(std::move(node)), path_(std::move(path)) {}

  Status Write(std::string_view bytes) override {
    const std::lock_guard lock(world_->mutex);
    if (closed_) return FailedCall(FileOperation::kWrite, path_, "Bad file descriptor");
    const bool dies = life_->alive && life_->changes + 1 == life_->dies_at;
    if (dies && !world_->read_only) (void)world_->Write(node_.get(), path_, bytes.substr(0, bytes.size() / 2));
    ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kWrite, path_));
    return world_->Write(node_.get(), path_, bytes);
  }

  Status Sync() override {
    const std::lock_guard lock(world_->mutex);
    if (closed_) return FailedCall(FileOperation::kSync, path_, "Bad file descriptor");
    const Status begun = world_->Begin(life_, FileOperation::kSync, path_);
    if (begun.ok()) {
      world_->disk.SyncContent(node_.get());
    } else if (life_->alive) {
      world_->disk.LoseSync(node_.get());
    }
    return begun;
  }

  Status Close() override {
    closed_ = true;
    return Status::OK();
  }

 private:
  WorldPtr world_;
  LifePtr life_;
  NodePtr node_;
  std::string path_;
  bool closed_ = false;
};

class SimulatedReadableFile : public ReadableFile {
 public:
  SimulatedReadableFile(WorldPtr world, LifePtr life, NodePtr node, std::string path)
      : world_(std::move(world)), life_(std::move(life)), node_(std::move(node)), path_(std::move(path)) {}

  Result<FileStatus> Stat() override {
    const std::lock_guard lock(world_->mutex);
    ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kStat, path_));
    return StatusOf(*node_);
  }

  Result<int64_t> ReadAt(int64_t offset, int64_t length, void* out) override {
    const std::lock_guard lock(world_->mutex);
    ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kRead, path_));
    if (offset < 0 || length < 0) return FailedCall(FileOperation::kRead, path_, "Invalid argument");
    const int64_t size = static_cast<int64_t>(node_->content.size());
    const int64_t count = std::min(length, std::max<int64_t>(size - offset, 0));
    if (count > 0) std::memcpy(out, node_->content.data() + offset, static_cast<size_t>(count));
    return count;
  }

 private:
  WorldPtr world_;
  LifePtr life_;
  NodePtr node_;
  std::string path_;
};

class SimulatedFileLock : public FileLock {
 public:
  SimulatedFileLock(WorldPtr world, LifePtr life, NodePtr file)
      : world_(std::move(world)), life_(std::move(life)), file_(std::move(file)) {}
  ~SimulatedFileLock() override {
    const std::lock_guard lock(world_->mutex);
    std::erase_if(world_->locks,
                  [&](const SimulatedWorld::HeldLock& held) { return held.file == file_ && held.holder == life_; });
  }

 private:
  WorldPtr world_;
  LifePtr life_;
  NodePtr file_;
};

}  // namespace

SimulatedProcess::SimulatedProcess(std::shared_ptr<SimulatedWorld> world, std::shared_ptr<SimulatedLife> life)
    : world_(std::move(world)), life_(std::move(life)) {}

void SimulatedProcess::Kill() {
  const std::lock_guard lock(world_->mutex);
  world_->End(life_);
}

void SimulatedProcess::KillAt(int64_t count) {
  const std::lock_guard lock(world_->mutex);
  life_->dies_at = life_->changes + count;
}

bool SimulatedProcess::is_alive() const {
  const std::lock_guard lock(world_->mutex);
  return life_->alive;
}

int64_t SimulatedProcess::id() const {
  const std::lock_guard lock(world_->mutex);
  return life_->id;
}

int64_t SimulatedProcess::changes() const {
  const std::lock_guard lock(world_->mutex);
  return life_->changes;
}

Result<std::unique_ptr<WritableFile>> SimulatedProcess::OpenToWrite(FileOperation operation, const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, operation, path));
  NodePtr node = world_->disk.Find(path);
  if (node && node->is_folder) return FailedCall(operation, path, reason::kIsFolder);
  if (node && operation == FileOperation::kCreate) return FailedCall(operation, path, reason::kExists);
  if (!node) {
    ARROW_ASSIGN_OR_RAISE(node, world_->NewFile(operation, path));
  }
  return std::make_unique<SimulatedWritableFile>(world_, life_, std::move(node), path);
}

Result<std::unique_ptr<WritableFile>> SimulatedProcess::Create(const std::string& path) {
  return OpenToWrite(FileOperation::kCreate, path);
}

Result<std::unique_ptr<WritableFile>> SimulatedProcess::Append(const std::string& path) {
  return OpenToWrite(FileOperation::kAppend, path);
}

Result<std::unique_ptr<ReadableFile>> SimulatedProcess::Open(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kOpen, path));
  NodePtr node = world_->disk.Find(path);
  if (!node) return FailedCall(FileOperation::kOpen, path, reason::kMissing);
  if (node->is_folder) return FailedCall(FileOperation::kOpen, path, reason::kIsFolder);
  return std::make_unique<SimulatedReadableFile>(world_, life_, std::move(node), path);
}

Result<FileStatus> SimulatedProcess::Stat(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kStat, path));
  const NodePtr node = world_->disk.Find(path);
  return node ? StatusOf(*node) : FileStatus{};
}

Result<std::vector<FolderEntry>> SimulatedProcess::List(const std::string& folder) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kList, folder));
  const NodePtr node = world_->disk.Find(folder);
  if (!node) return FailedCall(FileOperation::kList, folder, reason::kMissing);
  if (!node->is_folder) return FailedCall(FileOperation::kList, folder, reason::kIsNoFolder);
  std::vector<FolderEntry> entries;
  for (const auto& [name, child] : node->entries) {
    entries.push_back({name, child->is_folder ? FileKind::kFolder : FileKind::kFile});
  }
  return entries;
}

Status SimulatedProcess::MakeFolders(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(folder));
  if (status.kind == FileKind::kFolder) return Status::OK();
  if (status.kind != FileKind::kMissing) return FailedCall(FileOperation::kMakeFolder, folder, reason::kIsNoFolder);
  const std::string above = FolderOf(folder);
  if (above != folder) ARROW_RETURN_NOT_OK(MakeFolders(above));
  {
    const std::lock_guard lock(world_->mutex);
    ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kMakeFolder, folder));
    if (world_->disk.Find(folder)) return Status::OK();  // another thread was faster
    ARROW_ASSIGN_OR_RAISE(const NodePtr node, world_->NewFile(FileOperation::kMakeFolder, folder));
    node->is_folder = true;
  }
  return SyncFolder(above);
}

Status SimulatedProcess::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kRename, from));
  const NodePtr source = world_->disk.Find(from);
  const auto from_place = world_->disk.PlaceOf(from);
  const auto to_place = world_->disk.PlaceOf(to);
  if (!source || !from_place || !to_place) return FailedCall(FileOperation::kRename, from, reason::kMissing);
  if (const NodePtr replaced = world_->disk.Find(to); replaced && replaced != source) {
    if (source->is_folder && !replaced->is_folder) return FailedCall(FileOperation::kRename, from, reason::kIsNoFolder);
    if (!source->is_folder && replaced->is_folder) return FailedCall(FileOperation::kRename, from, reason::kIsFolder);
    if (!replaced->entries.empty()) return FailedCall(FileOperation::kRename, from, reason::kNotEmpty);
  }
  if (source->is_folder && to != from && (to + "/").starts_with(from + "/")) {
    return FailedCall(FileOperation::kRename, from, "Invalid argument");
  }
  world_->disk.Rename(*from_place, *to_place);
  return Status::OK();
}

Status SimulatedProcess::Remove(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kRemove, path));
  const NodePtr node = world_->disk.Find(path);
  if (!node) return Status::OK();
  const auto place = world_->disk.PlaceOf(path);
  if (!place) return FailedCall(FileOperation::kRemove, path, "Device or resource busy");
  if (!node->entries.empty()) return FailedCall(FileOperation::kRemove, path, reason::kNotEmpty);
  world_->disk.Unlink(*place);
  return Status::OK();
}

Status SimulatedProcess::RemoveTree(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(folder));
  if (status.kind == FileKind::kMissing) return Remove(folder);
  ARROW_ASSIGN_OR_RAISE(const auto entries, List(folder));
  for (const FolderEntry& entry : entries) {
    const std::string path = JoinPath(folder, entry.name);
    ARROW_RETURN_NOT_OK(entry.kind == FileKind::kFolder ? RemoveTree(path) : Remove(path));
  }
  return Remove(folder);
}

Status SimulatedProcess::SyncFolder(const std::string& folder) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kSyncFolder, folder));
  const NodePtr node = world_->disk.Find(folder);
  if (!node) return FailedCall(FileOperation::kSyncFolder, folder, reason::kMissing);
  if (!node->is_folder) return FailedCall(FileOperation::kSyncFolder, folder, reason::kIsNoFolder);
  world_->disk.SyncFolder(node);
  return Status::OK();
}

Status SimulatedProcess::SyncDevice(const std::string& folder) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kSyncDevice, folder));
  if (!world_->disk.Find(folder)) return FailedCall(FileOperation::kSyncDevice, folder, reason::kMissing);
  world_->disk.SyncAll();
  return Status::OK();
}

Result<std::unique_ptr<FileLock>> SimulatedProcess::Lock(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kLock, path));
  NodePtr node = world_->disk.Find(path);
  if (node && node->is_folder) return FailedCall(FileOperation::kLock, path, reason::kIsFolder);
  if (!node) {
    ARROW_ASSIGN_OR_RAISE(node, world_->NewFile(FileOperation::kLock, path));
  }
  for (const SimulatedWorld::HeldLock& held : world_->locks) {
    if (held.file != node) continue;
    const std::string who = held.holder == life_ ? "another holder in this process"
                                                 : fmt::format("process {}", held.holder->id);
    return FailedCall(FileOperation::kLock, path, who + " holds it");
  }
  world_->locks.push_back({node, life_});
  return std::make_unique<SimulatedFileLock>(world_, life_, node);
}

Result<std::optional<int64_t>> SimulatedProcess::LockHolder(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  ARROW_RETURN_NOT_OK(world_->Begin(life_, FileOperation::kStat, path));
  const NodePtr node = world_->disk.Find(path);
  for (const SimulatedWorld::HeldLock& held : world_->locks) {
    if (node && held.file == node) return std::optional<int64_t>(held.holder->id);
  }
  return std::optional<int64_t>();
}

SimulatedFileSystem::SimulatedFileSystem() : SimulatedProcess(std::make_shared<SimulatedWorld>(), nullptr) {
  life_ = world_->NewLife();
}

std::unique_ptr<SimulatedProcess> SimulatedFileSystem::StartProcess() {
  const std::lock_guard lock(world_->mutex);
  return std::make_unique<SimulatedProcess>(world_, world_->NewLife());
}

void SimulatedFileSystem::Crash(Random& random) {
  const std::lock_guard lock(world_->mutex);
  for (const LifePtr& life : std::vector<LifePtr>(world_->lives)) world_->End(life);
  world_->disk.Crash(&random);
  life_ = world_->NewLife();
}

void SimulatedFileSystem::BreakLocks() {
  const std::lock_guard lock(world_->mutex);
  world_->locks.clear();
}

void SimulatedFileSystem::SetCapacity(std::optional<int64_t> bytes) {
  const std::lock_guard lock(world_->mutex);
  world_->capacity = bytes;
}

int64_t SimulatedFileSystem::used_bytes() const {
  const std::lock_guard lock(world_->mutex);
  return world_->disk.used_bytes();
}

void SimulatedFileSystem::SetReadOnly(bool read_only) {
  const std::lock_guard lock(world_->mutex);
  world_->read_only = read_only;
}

void SimulatedFileSystem::FailNext(FileOperation operation, int64_t count,
                                   std::function<bool(const std::string&)> matches, std::string reason) {
  const std::lock_guard lock(world_->mutex);
  world_->faults.push_back({operation, count, std::move(matches), std::move(reason)});
}

void SimulatedFileSystem::StopFailing() {
  const std::lock_guard lock(world_->mutex);
  world_->faults.clear();
}

}  // namespace mainstem
