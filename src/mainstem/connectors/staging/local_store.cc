// A store in a folder of this machine.
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "mainstem/connectors/staging/store.h"

namespace mainstem {
namespace {

constexpr int64_t kSmallFileBytesMax = 256 << 20;
constexpr int kFolderTriesMax = 8;
// From here on one sync of the device is cheaper than as many of single files.
constexpr size_t kSingleSyncsMax = 16;

// Arrow's output stream on a file of ours. Small writes are gathered: Parquet writes pages of a few bytes.
class FileOutputStream : public arrow::io::OutputStream {
 public:
  explicit FileOutputStream(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
  ~FileOutputStream() override = default;

  Status Write(const void* data, int64_t size) override {
    if (closed_) return JobError("write to a closed file");
    position_ += size;
    const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(size));
    if (buffer_.size() + bytes.size() > kBufferBytes) ARROW_RETURN_NOT_OK(Drain());
    if (bytes.size() > kBufferBytes) return file_->Write(bytes);
    buffer_ += bytes;
    return Status::OK();
  }
  using arrow::io::OutputStream::Write;

  Status Flush() override { return Drain(); }
  Status Close() override {
    if (closed_) return Status::OK();
    closed_ = true;
    const Status drained = Drain();
    const Status closed = file_->Close();
    return drained.ok() ? closed : drained;
  }
  Status Abort() override {
    closed_ = true;
    buffer_.clear();
    return file_->Close();
  }
  bool closed() const override { return closed_; }
  Result<int64_t> Tell() const override { return position_; }

 private:
  static constexpr size_t kBufferBytes = 256 << 10;

  Status Drain() {
    const Status written = file_->Write(buffer_);
    buffer_.clear();
    return written;
  }

  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  int64_t position_ = 0;
  bool closed_ = false;
};

class LocalStore : public Store {
 public:
  LocalStore(std::string folder, FileSystem& files) : folder_(std::move(folder)), files_(files) {}

  const std::string& folder() const override { return folder_; }

  Result<std::shared_ptr<arrow::io::OutputStream>> Create(const std::string& path) override {
    std::unique_ptr<WritableFile> file;
    ARROW_RETURN_NOT_OK(InFolder(path, [&] { return files_.Create(Full(path)).Value(&file); }));
    return std::make_shared<FileOutputStream>(std::move(file));
  }

  Status Sync(const std::vector<std::string>& paths) override {
    if (paths.size() > kSingleSyncsMax) return files_.SyncDevice(folder_);
    for (const std::string& path : paths) {
      ARROW_ASSIGN_OR_RAISE(const auto file, files_.Append(Full(path)));
      ARROW_RETURN_NOT_OK(file->Sync());
      ARROW_RETURN_NOT_OK(file->Close());
    }
    return SyncFolders(paths);
  }

  Result<std::optional<int64_t>> SizeOf(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(Full(path)));
    if (status.kind == FileKind::kMissing) return std::nullopt;
    return status.size;
  }

  bool moves_in_one_step() const override { return true; }

  Status Move(const std::string& from, const std::string& to) override {
    if (to.find('/') != std::string::npos) ARROW_RETURN_NOT_OK(files_.MakeFolders(FolderOf(Full(to))));
    return files_.Rename(Full(from), Full(to));
  }

  Status SyncFolders(const std::vector<std::string>& paths) override {
    std::set<std::string> folders;
    for (const std::string& path : paths) folders.insert(FolderOf(Full(path)));
    for (const std::string& folder : folders) {
      ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(folder));
      if (status.kind == FileKind::kFolder) ARROW_RETURN_NOT_OK(files_.SyncFolder(folder));
    }
    return Status::OK();
  }

  Status SyncNamesAbove(const std::string& path) override {
    std::string folder = Full(path);
    for (std::string above = FolderOf(folder); above != folder; folder = above, above = FolderOf(folder)) {
      ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(above));
      if (status.kind == FileKind::kMissing) continue;
      // One that we may pass through but not read cannot be synced by itself.
      if (!files_.SyncFolder(above).ok()) return files_.SyncDevice(above);
    }
    return Status::OK();
  }

  Status Remove(const std::string& path) override { return files_.Remove(Full(path)); }
  Status RemoveTree(const std::string& path) override { return files_.RemoveTree(Full(path)); }

  Status RemoveEmptyFolders(const std::string& path) override {
    for (std::string folder = Full(path); folder.size() > folder_.size(); folder = FolderOf(folder)) {
      ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(folder));
      if (status.kind != FileKind::kFolder) continue;
      ARROW_ASSIGN_OR_RAISE(const auto entries, files_.List(folder));
      // Somebody may have put something there since; then the removal fails, and rightly so.
      if (!entries.empty() || !files_.Remove(folder).ok()) break;
    }
    return Status::OK();
  }

  Result<std::vector<StoredFile>> List(const std::string& path, bool hidden) override {
    std::vector<StoredFile> found;
    ARROW_RETURN_NOT_OK(ListInto(path, hidden, &found));
    return found;
  }

  Result<std::vector<std::string>> ListFolders(const std::string& path) override {
    std::vector<std::string> names;
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(Full(path)));
    if (status.kind != FileKind::kFolder) return names;
    ARROW_ASSIGN_OR_RAISE(const auto entries, files_.List(Full(path)));
    for (const FolderEntry& entry : entries) {
      if (entry.kind == FileKind::kFolder) names.push_back(entry.name);
    }
    return names;
  }

  Result<std::string> ReadSmall(const std::string& path) override {
    return files_.ReadAll(Full(path), kSmallFileBytesMax);
  }
  Status WriteSmall(const std::string& path, std::string_view content) override {
    return InFolder(path, [&] { return files_.WriteDurably(Full(path), content); });
  }

 private:
  // Makes the folder of a path and then something in it. Another job may remove the folder in between, empty as it is.
  template <typename Make>
  Status InFolder(const std::string& path, Make make) {
    const std::string folder = FolderOf(Full(path));
    for (int tries_left = kFolderTriesMax;; --tries_left) {
      ARROW_RETURN_NOT_OK(files_.MakeFolders(folder));
      const Status made = make();
      if (made.ok() || tries_left == 0) return made;
      ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(folder));
      if (status.kind != FileKind::kMissing) return made;
    }
  }

  std::string Full(const std::string& path) const { return path.empty() ? folder_ : JoinPath(folder_, path); }

  Status ListInto(const std::string& path, bool hidden, std::vector<StoredFile>* found) {
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(Full(path)));
    if (status.kind != FileKind::kFolder) return Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto entries, files_.List(Full(path)));
    for (const FolderEntry& entry : entries) {
      if (!hidden && entry.name.starts_with('.')) continue;
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.kind == FileKind::kFolder) {
        ARROW_RETURN_NOT_OK(ListInto(below, hidden, found));
        continue;
      }
      // A link counts as the name that it is; what it leads to is not below this folder.
      ARROW_ASSIGN_OR_RAISE(const FileStatus file, files_.Stat(Full(below)));
      found->push_back({below, file.size, file.modified_ns});
    }
    return Status::OK();
  }

  const std::string folder_;
  FileSystem& files_;
};

}  // namespace

Result<std::shared_ptr<Store>> OpenLocalStore(const std::string& path, FileSystem& files) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (path.empty() || error || path.find('\0') != std::string::npos) {
    return JobError(fmt::format("bad path '{}' to write to", Escaped(path)));
  }
  std::string folder = absolute.lexically_normal().string();
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(folder));
  if (status.kind != FileKind::kMissing && status.kind != FileKind::kFolder) {
    return JobError(fmt::format("'{}' is a file; a sink writes into a folder", Escaped(folder, 1000)));
  }
  return std::make_shared<LocalStore>(folder, files);
}

}  // namespace mainstem
