// MemoryObjectStore: a bucket in memory for tests: objects appear whole when they are closed, folders are parts of keys.
#pragma once

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/memory.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// What is in the bucket, and what all clients together have done to it. Thread-safe.
struct MemoryBucket {
  struct Object {
    std::shared_ptr<arrow::Buffer> content;
    arrow::fs::TimePoint written;
  };

  std::mutex mutex;
  std::map<std::string, Object> objects;
  arrow::fs::TimePoint now{std::chrono::seconds(1'700'000'000)};
};

/// One client. It can be killed: from then on its calls fail and change nothing. Like Arrow's S3 client it refuses to
/// delete what is not there, and deletes a folder with all below it.
class MemoryObjectStore final : public arrow::fs::FileSystem {
 public:
  explicit MemoryObjectStore(std::shared_ptr<MemoryBucket> bucket)
      : FileSystem(arrow::io::default_io_context()), bucket_(std::move(bucket)) {}

  /// The change of this number from now (1 is the next) is not made, nor any after it.
  void KillAt(int64_t change) { until_killed_ = change; }
  bool is_alive() const { return until_killed_ != 0; }
  /// Called while a copy is under way: its source has been read, its target is not there yet.
  std::function<void()> during_copy;
  /// What every later call answers, changes and reads alike; OK ends it.
  void FailWith(Status status) { failure_ = std::move(status); }

  std::string type_name() const override { return "memory"; }
  bool Equals(const FileSystem& other) const override { return this == &other; }

  Result<arrow::fs::FileInfo> GetFileInfo(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Answer());
    const std::lock_guard lock(bucket_->mutex);
    return InfoOf(path);
  }

  Result<arrow::fs::FileInfoVector> GetFileInfo(const arrow::fs::FileSelector& select) override {
    ARROW_RETURN_NOT_OK(Answer());
    const std::lock_guard lock(bucket_->mutex);
    const std::string prefix = select.base_dir + "/";
    std::set<std::string> paths;
    for (auto each = bucket_->objects.lower_bound(prefix); each != bucket_->objects.end(); ++each) {
      if (!each->first.starts_with(prefix)) break;
      for (size_t at = each->first.find('/', prefix.size());; at = each->first.find('/', at + 1)) {
        paths.insert(each->first.substr(0, at));
        if (at == std::string::npos || !select.recursive) break;
      }
    }
    arrow::fs::FileInfoVector infos;
    for (const std::string& path : paths) infos.push_back(InfoOf(path));
    return infos;
  }

  Status CreateDir(const std::string&, bool) override { return Status::NotImplemented("no folders"); }

  Status DeleteDir(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Change());
    const std::lock_guard lock(bucket_->mutex);
    std::erase_if(bucket_->objects, [&](const auto& each) { return each.first.starts_with(path + "/"); });
    return Status::OK();
  }

  Status DeleteDirContents(const std::string& path, bool) override { return DeleteDir(path); }
  Status DeleteRootDirContents() override { return Status::NotImplemented("not the whole bucket"); }

  Status DeleteFile(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Change());
    const std::lock_guard lock(bucket_->mutex);
    return bucket_->objects.erase(path) > 0 ? Status::OK() : Status::IOError("Path does not exist '", path, "'");
  }

  Status Move(const std::string&, const std::string&) override { return Status::NotImplemented("stores copy"); }

  Status CopyFile(const std::string& from, const std::string& to) override {
    ARROW_RETURN_NOT_OK(Change());
    std::shared_ptr<arrow::Buffer> content;
    {
      const std::lock_guard lock(bucket_->mutex);
      const auto found = bucket_->objects.find(from);
      if (found == bucket_->objects.end()) return Status::IOError("AWS Error NO_SUCH_KEY during CopyObject: ", from);
      content = found->second.content;
    }
    if (during_copy) during_copy();
    const std::lock_guard lock(bucket_->mutex);
    bucket_->objects[to] = {std::move(content), bucket_->now};
    return Status::OK();
  }

  Result<std::shared_ptr<arrow::io::InputStream>> OpenInputStream(const std::string& path) override {
    return OpenInputFile(path);
  }

  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Answer());
    const std::lock_guard lock(bucket_->mutex);
    const auto found = bucket_->objects.find(path);
    if (found == bucket_->objects.end()) return Status::IOError("Path does not exist '", path, "'");
    return std::make_shared<arrow::io::BufferReader>(found->second.content);
  }

  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutputStream(
      const std::string& path, const std::shared_ptr<const arrow::KeyValueMetadata>&) override {
    ARROW_RETURN_NOT_OK(Answer());
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::io::BufferOutputStream::Create());
    return std::make_shared<Upload>(this, path, std::move(buffer));
  }
  using FileSystem::OpenOutputStream;

  Result<std::shared_ptr<arrow::io::OutputStream>> OpenAppendStream(
      const std::string&, const std::shared_ptr<const arrow::KeyValueMetadata>&) override {
    return Status::NotImplemented("objects do not grow");
  }

 private:
  class Upload final : public arrow::io::OutputStream {
   public:
    Upload(MemoryObjectStore* store, std::string path, std::shared_ptr<arrow::io::BufferOutputStream> buffer)
        : store_(store), path_(std::move(path)), buffer_(std::move(buffer)) {}
    Status Write(const void* data, int64_t size) override {
      ARROW_RETURN_NOT_OK(store_->Answer());
      return buffer_->Write(data, size);
    }
    Result<int64_t> Tell() const override { return buffer_->Tell(); }
    bool closed() const override { return closed_; }
    Status Abort() override {
      closed_ = true;
      return Status::OK();
    }
    Status Close() override {
      if (closed_) return Status::OK();
      ARROW_RETURN_NOT_OK(store_->Change());
      closed_ = true;
      ARROW_ASSIGN_OR_RAISE(auto content, buffer_->Finish());
      const std::lock_guard lock(store_->bucket_->mutex);
      store_->bucket_->objects[path_] = {std::move(content), store_->bucket_->now};
      return Status::OK();
    }

   private:
    MemoryObjectStore* store_;
    const std::string path_;
    const std::shared_ptr<arrow::io::BufferOutputStream> buffer_;
    bool closed_ = false;
  };

  arrow::fs::FileInfo InfoOf(const std::string& path) {
    arrow::fs::FileInfo info(path, arrow::fs::FileType::NotFound);
    const auto found = bucket_->objects.lower_bound(path);
    if (found != bucket_->objects.end() && found->first == path) {
      info.set_type(arrow::fs::FileType::File);
      info.set_size(found->second.content->size());
      info.set_mtime(found->second.written);
    } else if (const auto below = bucket_->objects.lower_bound(path + "/");
               below != bucket_->objects.end() && below->first.starts_with(path + "/")) {
      info.set_type(arrow::fs::FileType::Directory);
    }
    return info;
  }

  Status Answer() const {
    if (!is_alive()) return Status::IOError("this client was killed");
    return failure_;
  }

  Status Change() {
    ARROW_RETURN_NOT_OK(Answer());
    if (until_killed_ > 0) --until_killed_;
    return Answer();
  }

  const std::shared_ptr<MemoryBucket> bucket_;
  int64_t until_killed_ = -1;  // changes; negative: never
  Status failure_;
};

}  // namespace mainstem
