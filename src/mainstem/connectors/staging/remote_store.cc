// A store in a bucket: objects become visible whole when they are closed, so staged ones lie under hidden keys and
// a move is a copy and a removal.
#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>

#include "mainstem/connectors/files/remote_store.h"
#include "mainstem/connectors/staging/store.h"
#include "mainstem/data/file_reference.h"

namespace mainstem {
namespace {

class RemoteStore : public Store {
 public:
  RemoteStore(std::string uri, RemotePath remote) : uri_(std::move(uri)), remote_(std::move(remote)) {}

  const std::string& folder() const override { return uri_; }

  Result<std::shared_ptr<arrow::io::OutputStream>> Create(const std::string& path) override {
    auto stream = remote_.store->OpenOutputStream(Full(path));
    if (!stream.ok()) return Failed("create", path, stream.status());
    return *stream;
  }

  Status Sync(const std::vector<std::string>&) override { return Status::OK(); }
  Status SyncFolders(const std::vector<std::string>&) override { return Status::OK(); }
  Status SyncNamesAbove(const std::string&) override { return Status::OK(); }

  Result<std::optional<int64_t>> SizeOf(const std::string& path) override {
    auto info = remote_.store->GetFileInfo(Full(path));
    if (!info.ok()) return Failed("examine", path, info.status());
    if (info->type() != arrow::fs::FileType::File) return std::nullopt;
    return info->size();
  }

  bool moves_in_one_step() const override { return false; }

  Status Move(const std::string& from, const std::string& to) override {
    const Status copied = remote_.store->CopyFile(Full(from), Full(to));
    if (!copied.ok()) return Failed("copy", from, copied);
    return Remove(from);
  }

  Status Remove(const std::string& path) override {
    const Status removed = remote_.store->DeleteFile(Full(path));
    if (removed.ok()) return removed;
    ARROW_ASSIGN_OR_RAISE(const auto size, SizeOf(path));
    return size ? Failed("remove", path, removed) : Status::OK();
  }

  Status RemoveTree(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(const auto files, List(path, true));
    for (const StoredFile& file : files) ARROW_RETURN_NOT_OK(Remove(file.path));
    return Status::OK();
  }

  // Folders exist only as parts of keys.
  Status RemoveEmptyFolders(const std::string&) override { return Status::OK(); }

  Result<std::vector<StoredFile>> List(const std::string& path, bool hidden) override {
    ARROW_ASSIGN_OR_RAISE(const auto infos, Select(path, true));
    std::vector<StoredFile> files;
    for (const auto& info : infos) {
      if (info.type() != arrow::fs::FileType::File) continue;
      const std::string below = Below(info.path());
      if (!hidden && (below.starts_with('.') || below.find("/.") != std::string::npos)) continue;
      files.push_back({below, info.size(), info.mtime().time_since_epoch().count()});
    }
    return files;
  }

  Result<std::vector<std::string>> ListFolders(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(const auto infos, Select(path, false));
    std::vector<std::string> names;
    for (const auto& info : infos) {
      if (info.type() == arrow::fs::FileType::Directory) names.push_back(info.base_name());
    }
    return names;
  }

  Result<std::string> ReadSmall(const std::string& path) override {
    auto file = remote_.store->OpenInputFile(Full(path));
    if (!file.ok()) return Failed("open", path, file.status());
    ARROW_ASSIGN_OR_RAISE(const int64_t size, (*file)->GetSize());
    auto content = (*file)->ReadAt(0, size);
    if (!content.ok()) return Failed("read", path, content.status());
    return (*content)->ToString();
  }

  Status WriteSmall(const std::string& path, std::string_view content) override {
    ARROW_ASSIGN_OR_RAISE(const auto stream, Create(path));
    Status written = stream->Write(content);
    if (written.ok()) written = stream->Close();
    return written.ok() ? written : Failed("write", path, written);
  }

 private:
  std::string Full(const std::string& path) const { return path.empty() ? remote_.path : JoinPath(remote_.path, path); }
  std::string Below(const std::string& full) const { return full.substr(remote_.path.size() + 1); }

  Status Failed(std::string_view what, const std::string& path, const Status& cause) const {
    return JobError(fmt::format("cannot {} '{}': {}", what, Escaped(JoinPath(uri_, path), 1000), cause.message()));
  }

  Result<std::vector<arrow::fs::FileInfo>> Select(const std::string& path, bool recursive) const {
    arrow::fs::FileSelector selector;
    selector.base_dir = Full(path);
    selector.recursive = recursive;
    selector.allow_not_found = true;
    auto infos = remote_.store->GetFileInfo(selector);
    if (!infos.ok()) return Failed("list", path, infos.status());
    return infos;
  }

  const std::string uri_;
  const RemotePath remote_;
};

}  // namespace

Result<std::shared_ptr<Store>> OpenStore(const std::string& path) {
  if (path.starts_with('/') || IsLocalUri(path)) {
    return OpenLocalStore(path.starts_with("file://") ? LocalPath(path) : path, LocalFileSystem());
  }
  if (path.starts_with("http://") || path.starts_with("https://")) {
    return JobError(fmt::format("cannot write to '{}': write to a folder or to s3://", Escaped(path)));
  }
  ARROW_ASSIGN_OR_RAISE(RemotePath remote, OpenRemote(path));
  while (remote.path.ends_with('/')) remote.path.pop_back();
  return std::make_shared<RemoteStore>(path, std::move(remote));
}

}  // namespace mainstem
