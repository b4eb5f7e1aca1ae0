#include "mainstem/platform/simulated_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mainstem {
namespace {

bool IsChange(FileOperation operation) { return operation <= FileOperation::kLock; }

std::string_view Verb(FileOperation operation) {
  switch (operation) {
    case FileOperation::kCreate: return "create";
    case FileOperation::kAppend: return "open";
    case FileOperation::kWrite: return "write";
    case FileOperation::kSync:
    case FileOperation::kSyncFolder:
    case FileOperation::kSyncDevice: return "sync";
    case FileOperation::kMakeFolder: return "make folder";
    case FileOperation::kRename: return "rename";
    case FileOperation::kRemove: return "remove";
    case FileOperation::kLock: return "lock";
    case FileOperation::kOpen: return "open";
    case FileOperation::kRead: return "read";
    case FileOperation::kList: return "list";
    case FileOperation::kStat: return "examine";
  }
  return "use";
}

}  // namespace

Status FailedCall(FileOperation operation, const std::string& path, std::string_view reason) {
  return JobError(fmt::format("cannot {} '{}': {}", Verb(operation), Escaped(path, 1000), reason));
}

SimulatedWorld::LifePtr SimulatedWorld::NewLife() {
  auto life = std::make_shared<SimulatedLife>();
  life->id = ++processes;
  lives.push_back(life);
  return life;
}

void SimulatedWorld::End(const LifePtr& life) {
  life->alive = false;
  std::erase_if(locks, [&](const HeldLock& lock) { return lock.holder == life; });
  std::erase(lives, life);
}

Status SimulatedWorld::Begin(const LifePtr& life, FileOperation operation, const std::string& path) {
  if (!life->alive) return FailedCall(operation, path, fmt::format("process {} was killed", life->id));
  if (IsChange(operation) && ++life->changes == life->dies_at) {
    End(life);
    return FailedCall(operation, path, fmt::format("process {} was killed", life->id));
  }
  if (("/" + path + "/").find("/../") != std::string::npos) return FailedCall(operation, path, "'..' is not simulated");
  for (Fault& fault : faults) {
    if (fault.operation != operation || fault.count == 0 || (fault.matches && !fault.matches(path))) continue;
    --fault.count;
    return FailedCall(operation, path, fault.reason);
  }
  const bool is_sync = operation == FileOperation::kSync || operation == FileOperation::kSyncFolder ||
                       operation == FileOperation::kSyncDevice;
  if (IsChange(operation) && !is_sync && read_only) return FailedCall(operation, path, "Read-only file system");
  return Status::OK();
}

Status SimulatedWorld::Write(SimulatedDisk::Node* node, const std::string& path, std::string_view bytes) {
  const int64_t size = static_cast<int64_t>(bytes.size());
  const int64_t room = capacity ? std::clamp<int64_t>(*capacity - disk.used_bytes(), 0, size) : size;
  node->content += bytes.substr(0, static_cast<size_t>(room));
  if (room < size) return FailedCall(FileOperation::kWrite, path, reason::kFull);
  return Status::OK();
}

Result<SimulatedWorld::NodePtr> SimulatedWorld::NewFile(FileOperation operation, const std::string& path) {
  const auto place = disk.PlaceOf(path);
  if (!place) return FailedCall(operation, path, reason::kMissing);
  if (capacity && disk.used_bytes() >= *capacity) return FailedCall(operation, path, reason::kFull);
  const auto node = std::make_shared<SimulatedDisk::Node>();
  disk.Link(*place, node);
  return node;
}

}  // namespace mainstem
