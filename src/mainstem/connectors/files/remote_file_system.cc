#include "mainstem/connectors/files/remote_file_system.h"

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "mainstem/connectors/files/remote_lock.h"
#include "mainstem/connectors/files/remote_store.h"
#include "mainstem/data/file_reference.h"

namespace mainstem {
namespace {

// Files up to this size are read with one request when they are opened.
constexpr int64_t kReadAtOpenBytes = 1 << 20;

// What Arrow's S3 client calls errors that another try may not meet; it has tried several times itself by then.
constexpr std::string_view kTransient[] = {
    "NETWORK_CONNECTION", "SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "REQUEST_TIMEOUT",
    "REQUEST_EXPIRED",    "HTTP status 500", "HTTP status 502", "HTTP status 503", "HTTP status 504",
};

Status Failed(std::string_view what, const std::string& path, const Status& cause) {
  std::string message = fmt::format("cannot {} '{}': {}", what, Escaped(path, 1000), Escaped(cause.message(), 2000));
  for (const std::string_view name : kTransient) {
    if (cause.message().find(name) != std::string::npos) return RetryError(std::move(message));
  }
  return JobError(std::move(message));
}

FileKind KindOf(arrow::fs::FileType type) {
  switch (type) {
    case arrow::fs::FileType::NotFound: return FileKind::kMissing;
    case arrow::fs::FileType::File: return FileKind::kFile;
    case arrow::fs::FileType::Directory: return FileKind::kFolder;
    case arrow::fs::FileType::Unknown: break;
  }
  return FileKind::kOther;
}

FileStatus StatusOf(const arrow::fs::FileInfo& info) {
  FileStatus status{.kind = KindOf(info.type())};
  if (info.type() == arrow::fs::FileType::File) {
    status.size = info.size();
    status.modified_ns = info.mtime().time_since_epoch().count();
  }
  return status;
}

class RemoteWritableFile final : public WritableFile {
 public:
  RemoteWritableFile(std::string path, std::shared_ptr<arrow::io::OutputStream> stream)
      : path_(std::move(path)), stream_(std::move(stream)) {}
  // Half a file must not appear.
  ~RemoteWritableFile() override { GiveUp(); }

  Status Write(std::string_view bytes) override {
    if (!stream_) return JobError(fmt::format("'{}' takes no more bytes: it is complete", Escaped(path_, 1000)));
    const Status written = stream_->Write(bytes.data(), static_cast<int64_t>(bytes.size()));
    if (written.ok()) return written;
    failure_ = Failed("write", path_, written);
    GiveUp();
    return failure_;
  }

  Status Sync() override { return Close(); }

  Status Close() override {
    if (!stream_) return failure_;
    const Status closed = stream_->Close();
    if (closed.ok()) {
      stream_.reset();
      return closed;
    }
    failure_ = Failed("write", path_, closed);
    GiveUp();
    return failure_;
  }

 private:
  void GiveUp() {
    if (stream_ && !stream_->closed()) (void)stream_->Abort();
    stream_.reset();
  }

  const std::string path_;
  std::shared_ptr<arrow::io::OutputStream> stream_;  // null once nothing more can be written
  Status failure_;
};

class RemoteReadableFile final : public ReadableFile {
 public:
  RemoteReadableFile(std::string path, FileStatus status, std::shared_ptr<arrow::io::RandomAccessFile> file,
                     std::shared_ptr<arrow::Buffer> content)
      : path_(std::move(path)), status_(status), file_(std::move(file)), content_(std::move(content)) {}

  Result<FileStatus> Stat() override { return status_; }

  Result<int64_t> ReadAt(int64_t offset, int64_t length, void* out) override {
    if (offset < 0 || length < 0) return JobError(fmt::format("'{}': no such range", Escaped(path_, 1000)));
    const int64_t wanted = std::min(length, std::max<int64_t>(status_.size - offset, 0));
    if (wanted == 0) return 0;
    if (content_) {
      const int64_t count = std::min(wanted, std::max<int64_t>(content_->size() - offset, 0));
      if (count > 0) std::memcpy(out, content_->data() + offset, static_cast<size_t>(count));
      return count;
    }
    auto count = file_->ReadAt(offset, wanted, out);
    if (!count.ok()) return Failed("read", path_, count.status());
    return *count;
  }

 private:
  const std::string path_;
  const FileStatus status_;
  const std::shared_ptr<arrow::io::RandomAccessFile> file_;
  const std::shared_ptr<arrow::Buffer> content_;  // all of a small file; else null
};

}  // namespace

RemoteFileSystem::RemoteFileSystem(std::shared_ptr<arrow::fs::FileSystem> store, std::string scheme)
    : store_(std::move(store)), scheme_(std::move(scheme)) {}

Result<std::string> RemoteFileSystem::KeyOf(const std::string& path) const {
  if (!path.starts_with(scheme_) || path.size() == scheme_.size()) {
    return JobError(fmt::format("'{}' is not below {}", Escaped(path, 1000), scheme_));
  }
  std::string key = path.substr(scheme_.size());
  while (key.ends_with('/')) key.pop_back();
  return key;
}

Result<std::unique_ptr<WritableFile>> RemoteFileSystem::Create(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(path));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(path));
  if (status.kind != FileKind::kMissing) {
    return JobError(fmt::format("cannot create '{}': it exists", Escaped(path, 1000)));
  }
  auto stream = store_->OpenOutputStream(key);
  if (!stream.ok()) return Failed("create", path, stream.status());
  return std::make_unique<RemoteWritableFile>(path, *std::move(stream));
}

Result<std::unique_ptr<WritableFile>> RemoteFileSystem::Append(const std::string& path) {
  return JobError(fmt::format("cannot append to '{}': objects of a store cannot grow; use a local folder",
                              Escaped(path, 1000)));
}

Result<std::unique_ptr<ReadableFile>> RemoteFileSystem::Open(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(path));
  auto info = store_->GetFileInfo(key);
  if (!info.ok()) return Failed("open", path, info.status());
  const FileStatus status = StatusOf(*info);
  if (status.kind != FileKind::kFile) {
    return JobError(fmt::format("cannot open '{}': {}", Escaped(path, 1000),
                                status.kind == FileKind::kMissing ? "there is no such file" : "it is not a file"));
  }
  auto file = store_->OpenInputFile(*info);
  if (!file.ok()) return Failed("open", path, file.status());
  std::shared_ptr<arrow::Buffer> content;
  if (status.size <= kReadAtOpenBytes) {
    auto read = (*file)->ReadAt(0, status.size);
    if (!read.ok()) return Failed("read", path, read.status());
    content = *std::move(read);
  }
  return std::make_unique<RemoteReadableFile>(path, status, *std::move(file), std::move(content));
}

Result<FileStatus> RemoteFileSystem::Stat(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(path));
  auto info = store_->GetFileInfo(key);
  if (!info.ok()) return Failed("examine", path, info.status());
  return StatusOf(*info);
}

Result<std::vector<arrow::fs::FileInfo>> RemoteFileSystem::Select(const std::string& folder, bool recursive) {
  arrow::fs::FileSelector selector;
  ARROW_ASSIGN_OR_RAISE(selector.base_dir, KeyOf(folder));
  selector.recursive = recursive;
  selector.allow_not_found = true;
  auto infos = store_->GetFileInfo(selector);
  if (!infos.ok()) return Failed("list", folder, infos.status());
  return infos;
}

Result<std::vector<FolderEntry>> RemoteFileSystem::List(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const auto infos, Select(folder, /*recursive=*/false));
  std::vector<FolderEntry> entries;
  for (const auto& info : infos) entries.push_back({info.base_name(), KindOf(info.type())});
  return entries;
}

Status RemoteFileSystem::MakeFolders(const std::string& folder) { return KeyOf(folder).status(); }

Status RemoteFileSystem::RenameFile(const std::string& from, const std::string& to) {
  ARROW_ASSIGN_OR_RAISE(const std::string from_key, KeyOf(from));
  ARROW_ASSIGN_OR_RAISE(const std::string to_key, KeyOf(to));
  const Status copied = store_->CopyFile(from_key, to_key);
  if (!copied.ok()) return Failed("rename", from, copied);
  return Remove(from);
}

Status RemoteFileSystem::Rename(const std::string& from, const std::string& to) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(from));
  if (status.kind == FileKind::kFile) return RenameFile(from, to);
  if (status.kind == FileKind::kMissing) {
    return JobError(fmt::format("cannot rename '{}': it does not exist", Escaped(from, 1000)));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string from_key, KeyOf(from));
  ARROW_ASSIGN_OR_RAISE(const auto infos, Select(from, /*recursive=*/true));
  std::vector<std::pair<bool, std::string>> files;  // whether it lies deeper, its path below `from`
  for (const auto& info : infos) {
    if (info.type() != arrow::fs::FileType::File) continue;
    const std::string below = info.path().substr(from_key.size() + 1);
    files.emplace_back(below.find('/') != std::string::npos, below);
  }
  std::sort(files.begin(), files.end());
  for (const auto& [deeper, below] : files) {
    ARROW_RETURN_NOT_OK(RenameFile(JoinPath(from, below), JoinPath(to, below)));
  }
  return RemoveTree(from);
}

Status RemoteFileSystem::Remove(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(path));
  const Status removed = store_->DeleteFile(key);
  if (removed.ok()) return removed;
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(path));
  if (status.kind == FileKind::kMissing) return Status::OK();
  if (status.kind != FileKind::kFolder) return Failed("remove", path, removed);
  ARROW_ASSIGN_OR_RAISE(const auto entries, List(path));
  if (entries.empty()) return RemoveTree(path);
  return JobError(fmt::format("cannot remove '{}': the folder is not empty", Escaped(path, 1000)));
}

Status RemoteFileSystem::RemoveTree(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(folder));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(folder));
  if (status.kind == FileKind::kMissing) return Status::OK();
  const Status removed = status.kind == FileKind::kFolder ? store_->DeleteDir(key) : store_->DeleteFile(key);
  return removed.ok() ? removed : Failed("remove", folder, removed);
}

Status RemoteFileSystem::SyncFolder(const std::string&) { return Status::OK(); }
Status RemoteFileSystem::SyncDevice(const std::string&) { return Status::OK(); }

Status RemoteFileSystem::WriteDurably(const std::string& path, std::string_view content) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, KeyOf(path));
  auto stream = store_->OpenOutputStream(key);
  if (!stream.ok()) return Failed("write", path, stream.status());
  RemoteWritableFile file(path, *std::move(stream));
  ARROW_RETURN_NOT_OK(file.Write(content));
  return file.Close();
}

Result<std::unique_ptr<FileLock>> RemoteFileSystem::Lock(const std::string& path) {
  // The lock outlives no job, but may outlive this: it has a way to the store of its own.
  return TakeRemoteLock(std::make_shared<RemoteFileSystem>(store_, scheme_), path);
}

Result<std::optional<int64_t>> RemoteFileSystem::LockHolder(const std::string& path) {
  return RemoteLockHolder(*this, path);
}

bool IsRemoteFolder(const std::string& folder) {
  return folder.find("://") != std::string::npos && !folder.starts_with("file://");
}

Result<std::shared_ptr<FileSystem>> OpenFileSystem(const std::string& folder, FileSystem& local, std::string* path) {
  if (!IsRemoteFolder(folder)) {
    *path = folder.starts_with("file://") ? LocalPath(folder) : folder;
    return std::shared_ptr<FileSystem>(std::shared_ptr<FileSystem>(), &local);
  }
  if (folder.starts_with("http://") || folder.starts_with("https://")) {
    return JobError(fmt::format("'{}' can only be read: give a folder or an s3:// uri", Escaped(folder)));
  }
  ARROW_ASSIGN_OR_RAISE(RemotePath remote, OpenRemote(folder));
  while (remote.path.ends_with('/')) remote.path.pop_back();
  *path = remote.scheme + "://" + remote.path;
  return std::make_shared<RemoteFileSystem>(std::move(remote.store), remote.scheme + "://");
}

}  // namespace mainstem
