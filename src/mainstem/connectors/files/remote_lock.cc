#include "mainstem/connectors/files/remote_lock.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "mainstem/base/log.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/process_identity.h"
#include "mainstem/platform/random.h"
#include "mainstem/platform/thread.h"

namespace mainstem {
namespace {

constexpr int64_t kClaimBytesMax = 4096;

struct Claim {
  std::string path;
  int64_t written_ns = 0;
  std::optional<ProcessIdentity> holder;  // unless it is not ours to read
};

// All claims that are there; what vanishes meanwhile is left out.
Result<std::vector<Claim>> Claims(FileSystem& files, const std::string& lock) {
  ARROW_ASSIGN_OR_RAISE(const auto entries, files.List(lock));
  std::vector<Claim> claims;
  for (const FolderEntry& entry : entries) {
    if (entry.kind != FileKind::kFile) continue;
    Claim claim{.path = JoinPath(lock, entry.name)};
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(claim.path));
    if (status.kind == FileKind::kMissing) continue;
    claim.written_ns = status.modified_ns;
    const auto text = files.ReadAll(claim.path, kClaimBytesMax);
    if (text.ok()) claim.holder = ParseProcessIdentity(*text);
    claims.push_back(std::move(claim));
  }
  return claims;
}

bool IsAlive(const Claim& claim, int64_t now_ns) {
  if (now_ns - claim.written_ns > kLeaseNs) return false;
  return !claim.holder || StateOf(*claim.holder) != ProcessState::kDead;
}

std::string Describe(const Claim& claim) {
  if (claim.holder && StateOf(*claim.holder) == ProcessState::kAlive) {
    return fmt::format("the process {} of this machine", claim.holder->process);
  }
  return "a process of another machine or container";
}

class RemoteLock final : public FileLock {
 public:
  RemoteLock(std::shared_ptr<FileSystem> files, std::string claim, std::string content)
      : files_(std::move(files)),
        claim_(std::move(claim)),
        content_(std::move(content)),
        thread_("lease", [this] { Renew(); }) {}

  ~RemoteLock() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.Join();
    (void)files_->Remove(claim_);
  }

 private:
  void Renew() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::nanoseconds(kLeaseRenewedNs), [this] { return stop_; })) {
      lock.unlock();
      const auto status = files_->Stat(claim_);
      const bool is_lost = status.ok() && status->kind == FileKind::kMissing;
      const Status renewed = is_lost || !status.ok() ? status.status() : files_->WriteDurably(claim_, content_);
      if (!renewed.ok()) Log(LogLevel::kWarning, "checkpoint", "the lease is not renewed: {}", renewed.message());
      if (is_lost) {
        Log(LogLevel::kWarning, "checkpoint", "the lease '{}' was taken away", Escaped(claim_, 1000));
        return;
      }
      lock.lock();
    }
  }

  const std::shared_ptr<FileSystem> files_;
  const std::string claim_;
  const std::string content_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  Thread thread_;
};

// Looks at the others' claims when the own one is there; removes dead ones.
Status CheckOthers(FileSystem& files, const std::string& lock, const std::string& own) {
  ARROW_ASSIGN_OR_RAISE(const auto claims, Claims(files, lock));
  int64_t now_ns = 0;
  for (const Claim& claim : claims) {
    if (claim.path == own) now_ns = claim.written_ns;
  }
  if (now_ns == 0) return JobError(fmt::format("'{}' vanished while the lock was taken", Escaped(own, 1000)));
  for (const Claim& claim : claims) {
    if (claim.path == own) continue;
    if (IsAlive(claim, now_ns)) {
      return JobError(fmt::format("'{}' is held by {}. If it has died, its lease ends at most {} s after its last sign of "
                                  "life",
                                  Escaped(lock, 1000), Describe(claim), kLeaseNs / 1'000'000'000));
    }
    ARROW_RETURN_NOT_OK(files.Remove(claim.path));
  }
  return Status::OK();
}

}  // namespace

Result<std::unique_ptr<FileLock>> TakeRemoteLock(std::shared_ptr<FileSystem> files, const std::string& path) {
  const std::string content = ToString(ThisProcess());
  const std::string own =
      JoinPath(path, fmt::format("{:016x}{:016x}", SystemRandom().Next(), SystemRandom().Next()));
  ARROW_RETURN_NOT_OK(files->WriteDurably(own, content));
  const Status checked = CheckOthers(*files, path, own);
  if (!checked.ok()) {
    (void)files->Remove(own);
    return checked;
  }
  return std::make_unique<RemoteLock>(std::move(files), own, content);
}

Result<std::optional<int64_t>> RemoteLockHolder(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto claims, Claims(files, path));
  for (const Claim& claim : claims) {
    if (!IsAlive(claim, SystemClock().WallNs())) continue;
    const bool is_near = claim.holder && StateOf(*claim.holder) == ProcessState::kAlive;
    return std::optional<int64_t>(is_near ? claim.holder->process : 0);
  }
  return std::optional<int64_t>();
}

}  // namespace mainstem
