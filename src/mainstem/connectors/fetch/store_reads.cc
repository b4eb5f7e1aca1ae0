#include "mainstem/connectors/fetch/store_reads.h"

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/connectors/files/remote_store.h"

namespace mainstem {
namespace {

constexpr size_t kThreadsMax = 4;

// Gives bytes back when the read is done with.
class Permit {
 public:
  explicit Permit(ByteBudget* budget) : budget_(budget) {}
  Permit(const Permit&) = delete;
  ~Permit() {
    if (budget_ && held_ > 0) budget_->Give(held_);
  }
  Status Take(int64_t bytes) {
    if (!budget_) return Status::OK();
    if (!budget_->Take(bytes)) return CancelledError("the fetch was cancelled");
    held_ = bytes;
    return Status::OK();
  }

 private:
  ByteBudget* budget_;
  int64_t held_ = 0;
};

// Where the wanted part ends, checked against the size of the file.
Result<int64_t> WantedLength(const FileReference& file, int64_t size, int64_t size_max) {
  if (file.offset < 0 || file.length < -1) {
    return RowError(fmt::format("'{}': bad range: offset {}, length {}", Escaped(file.uri, 1000), file.offset,
                                file.length));
  }
  if (file.offset > size || (file.length >= 0 && file.length > size - file.offset)) {
    return RowError(fmt::format("'{}' has {} bytes, too few for offset {} and length {}; has it changed?",
                                Escaped(file.uri, 1000), size, file.offset, file.length));
  }
  const int64_t length = file.length >= 0 ? file.length : size - file.offset;
  if (length > size_max) {
    return RowError(fmt::format("'{}': {} bytes are more than the limit of {}", Escaped(file.uri, 1000), length,
                                size_max));
  }
  return length;
}

Status CheckVersion(const FileReference& file, int64_t size, int64_t modified_ns) {
  const std::string now = fmt::format("{}-{}", size, modified_ns);
  if (file.version.empty() || file.version == now) return Status::OK();
  return RowError(fmt::format("'{}' has changed since it was listed (version {}, now {})", Escaped(file.uri, 1000),
                              Escaped(file.version), now));
}

// A file that cannot be read is its row's fault; the reason stays.
Status AsRowError(const Status& status) {
  return ClassOf(status) == ErrorClass::kJob ? RowError(status.message()) : status;
}

Result<Bytes> ReadOpenFile(const FileReference& file, int64_t size_max, ReadableFile& open, ByteBudget* budget) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, open.Stat());
  ARROW_RETURN_NOT_OK(CheckVersion(file, status.size, status.modified_ns));
  ARROW_ASSIGN_OR_RAISE(const int64_t length, WantedLength(file, status.size, size_max));
  Permit permit(budget);
  ARROW_RETURN_NOT_OK(permit.Take(length));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(length));
  ARROW_ASSIGN_OR_RAISE(const int64_t count, open.ReadAt(file.offset, length, buffer->mutable_data()));
  if (count != length) {
    return RowError(fmt::format("'{}' became shorter while it was read", Escaped(file.uri, 1000)));
  }
  const std::string_view view(reinterpret_cast<const char*>(buffer->data()), static_cast<size_t>(length));
  return Bytes(view, std::move(buffer));
}

}  // namespace

Result<Bytes> ReadLocalFile(const FileReference& file, int64_t size_max, FileSystem& files, ByteBudget* budget) {
  const std::string path = file.uri.starts_with("file://") ? LocalPath(file.uri) : file.uri;
  if (path.empty() || path.find('\0') != std::string::npos) {
    return RowError(fmt::format("'{}' names no file", Escaped(file.uri)));
  }
  auto open = files.Open(path);
  if (!open.ok()) return AsRowError(open.status());
  auto bytes = ReadOpenFile(file, size_max, **open, budget);
  if (!bytes.ok()) return AsRowError(bytes.status());
  return bytes;
}

Result<Bytes> ReadRemoteFile(const FileReference& file, int64_t size_max, ByteBudget* budget) {
  ARROW_ASSIGN_OR_RAISE(const RemotePath remote, OpenRemote(file.uri));
  const auto info = remote.store->GetFileInfo(remote.path);
  if (!info.ok()) return JobError(fmt::format("'{}': {}", Escaped(file.uri, 1000), info.status().message()));
  if (info->type() != arrow::fs::FileType::File) {
    return RowError(fmt::format("there is no '{}'", Escaped(file.uri, 1000)));
  }
  const int64_t modified_ns =
      info->mtime() == arrow::fs::kNoTime ? 0 : int64_t{info->mtime().time_since_epoch().count()};
  ARROW_RETURN_NOT_OK(CheckVersion(file, info->size(), modified_ns));
  ARROW_ASSIGN_OR_RAISE(const int64_t length, WantedLength(file, info->size(), size_max));
  Permit permit(budget);
  ARROW_RETURN_NOT_OK(permit.Take(length));
  auto open = remote.store->OpenInputFile(*info);
  if (!open.ok()) return RowError(fmt::format("'{}': {}", Escaped(file.uri, 1000), open.status().message()));
  auto buffer = (*open)->ReadAt(file.offset, length);
  if (!buffer.ok()) return RetryError(fmt::format("'{}': {}", Escaped(file.uri, 1000), buffer.status().message()));
  if ((*buffer)->size() != length) {
    return RetryError(fmt::format("'{}': {} bytes came instead of {}", Escaped(file.uri, 1000), (*buffer)->size(),
                                  length));
  }
  const std::string_view view(reinterpret_cast<const char*>((*buffer)->data()), static_cast<size_t>(length));
  return Bytes(view, std::move(*buffer));
}

StoreReads::StoreReads(const FetchPolicy& policy, ByteBudget& budget) : policy_(policy), budget_(budget) {}

StoreReads::~StoreReads() { Stop(); }

void StoreReads::Fetch(FileReference file, FetchDone done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      waiting_.push_back({std::move(file), std::move(done)});
      if (idle_ < waiting_.size() && threads_.size() < kThreadsMax) {
        threads_.push_back(std::make_unique<Thread>("fetch-files", [this] { Work(); }));
      }
      changed_.notify_one();
      return;
    }
  }
  done(CancelledError("the fetch was cancelled"));
}

void StoreReads::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    Read read = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const bool local = read.file.uri.starts_with('/') || IsLocalUri(read.file.uri);
    // An empty part of a url needs no request; of a file, the file must still be the one that was listed.
    const bool is_empty = !local && read.file.length == 0;
    Result<Bytes> bytes = read.file.data ? Result<Bytes>(*read.file.data)
                          : is_empty     ? Result<Bytes>(Bytes())
                          : local        ? ReadLocalFile(read.file, policy_.max_file_bytes, LocalFileSystem(), &budget_)
                                         : ReadRemoteFile(read.file, policy_.max_file_bytes, &budget_);
    // Arrow's stores have tried again already: what is left of a passing failure is the store's.
    if (!bytes.ok() && ClassOf(bytes.status()) == ErrorClass::kRetry) bytes = JobError(bytes.status().message());
    read.done(std::move(bytes));
    read = {};
    lock.lock();
  }
}

void StoreReads::Stop() {
  std::deque<Read> cancelled;
  std::vector<std::unique_ptr<Thread>> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    cancelled.swap(waiting_);
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (Read& read : cancelled) read.done(CancelledError("the fetch was cancelled"));
  for (const auto& thread : threads) thread->Join();
}

}  // namespace mainstem
