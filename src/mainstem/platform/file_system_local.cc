// The operating system's file system.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "mainstem/platform/file_system.h"

namespace mainstem {
namespace {

std::string Reason(int error) {
  char buffer[256];
  return strerror_r(error, buffer, sizeof buffer);
}

Status Failed(std::string_view what, const std::string& path, int error) {
  std::string_view advice;
  if (error == ENOSPC || error == EDQUOT) advice = "; free some space or choose another folder";
  if (error == EFBIG) advice = "; a file-size limit (ulimit -f) stands in the way";
  if (error == EACCES || error == EPERM) advice = "; check its permissions";
  return JobError(fmt::format("cannot {} '{}': {}{}", what, Escaped(path, 1000), Reason(error), advice));
}

template <typename Call>
auto Retried(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

FileStatus StatusOf(const struct stat& info) {
  FileStatus status;
  status.kind = S_ISREG(info.st_mode)   ? FileKind::kFile
                : S_ISDIR(info.st_mode) ? FileKind::kFolder
                : S_ISLNK(info.st_mode) ? FileKind::kLink
                                        : FileKind::kOther;
  status.size = info.st_size;
  status.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return status;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() { (void)Close(); }
  int get() const { return fd_; }
  // Never repeated on EINTR: Linux has freed the number by then.
  int Close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

class LocalWritableFile : public WritableFile {
 public:
  LocalWritableFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Status Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = Retried([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
      if (count < 0) return Failed("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return Status::OK();
  }

  Status Sync() override {
    if (Retried([&] { return ::fdatasync(descriptor_.get()); }) != 0) return Failed("sync", path_, errno);
    return Status::OK();
  }

  Status Close() override {
    if (descriptor_.Close() != 0 && errno != EINTR) return Failed("close", path_, errno);
    return Status::OK();
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

class LocalReadableFile : public ReadableFile {
 public:
  LocalReadableFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<FileStatus> Stat() override {
    struct stat info;
    if (::fstat(descriptor_.get(), &info) != 0) return Failed("examine", path_, errno);
    return StatusOf(info);
  }

  Result<int64_t> ReadAt(int64_t offset, int64_t length, void* out) override {
    int64_t done = 0;
    while (done < length) {
      const ssize_t count = Retried([&] {
        return ::pread(descriptor_.get(), static_cast<char*>(out) + done, static_cast<size_t>(length - done),
                       offset + done);
      });
      if (count < 0) return Failed("read", path_, errno);
      if (count == 0) break;
      done += count;
    }
    return done;
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

constexpr int kLockAttempts = 100;  // a file that is replaced more often than that is not ours to lock

struct flock WholeFile(short type) {
  struct flock range = {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return range;
}

// The number that a holder of the lock has written into its file, or 0.
int64_t WrittenHolder(int fd) {
  char text[24];
  const ssize_t count = Retried([&] { return ::pread(fd, text, sizeof text, 0); });
  int64_t holder = 0;
  if (count <= 0 || std::from_chars(text, text + count, holder).ec != std::errc()) return 0;
  return holder > 0 ? holder : 0;
}

// An open file description's lock: it conflicts with others of this process too, and goes with its last descriptor.
class LocalFileLock : public FileLock {
 public:
  explicit LocalFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;
};

class OperatingSystemFiles : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    return OpenToWrite("create", path, O_WRONLY | O_CREAT | O_EXCL);
  }
  Result<std::unique_ptr<WritableFile>> Append(const std::string& path) override {
    return OpenToWrite("open", path, O_WRONLY | O_CREAT | O_APPEND);
  }

  Result<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    // Without O_NONBLOCK a pipe with no writer would block for ever.
    Descriptor descriptor(Retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (descriptor.get() < 0) return Failed("open", path, errno);
    auto file = std::make_unique<LocalReadableFile>(std::move(descriptor), path);
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, file->Stat());
    if (status.kind == FileKind::kFolder) return Failed("open", path, EISDIR);
    if (status.kind != FileKind::kFile) {
      return JobError(fmt::format("cannot open '{}': it is not a regular file", Escaped(path, 1000)));
    }
    return file;
  }

  Result<FileStatus> Stat(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return StatusOf(info);
    // A link that leads in a circle leads nowhere.
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return FileStatus{};
    return Failed("examine", path, errno);
  }

  Result<std::vector<FolderEntry>> List(const std::string& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
    if (!stream) return Failed("list", folder, errno);
    std::vector<FolderEntry> entries;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (!entry) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), KindOf(stream.get(), *entry)});
    }
    if (errno != 0) return Failed("list", folder, errno);
    return entries;
  }

  Status MakeFolders(const std::string& folder) override {
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(folder));
    if (status.kind == FileKind::kFolder) return Status::OK();
    if (status.kind != FileKind::kMissing) return Failed("make folder", folder, ENOTDIR);
    const std::string above = FolderOf(folder);
    if (above != folder) ARROW_RETURN_NOT_OK(MakeFolders(above));
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return Failed("make folder", folder, errno);
    return SyncFolder(above);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return Failed("rename to '" + Escaped(to, 1000) + "'", from, errno);
    return Status::OK();
  }

  Status Remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) return Failed("remove", path, errno);
    return Status::OK();
  }

  Status RemoveTree(const std::string& folder) override {
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, Stat(folder));
    if (status.kind == FileKind::kMissing) return Remove(folder);
    ARROW_ASSIGN_OR_RAISE(const auto entries, List(folder));
    for (const FolderEntry& entry : entries) {
      const std::string path = JoinPath(folder, entry.name);
      ARROW_RETURN_NOT_OK(entry.kind == FileKind::kFolder ? RemoveTree(path) : Remove(path));
    }
    return Remove(folder);
  }

  Status SyncFolder(const std::string& folder) override { return SyncWith(folder, ::fsync); }
  Status SyncDevice(const std::string& folder) override { return SyncWith(folder, ::syncfs); }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
      Descriptor descriptor(
          Retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666); }));
      if (descriptor.get() < 0) return Failed("open", path, errno);
      struct flock range = WholeFile(F_WRLCK);
      if (Retried([&] { return ::fcntl(descriptor.get(), F_OFD_SETLK, &range); }) != 0) {
        if (errno != EAGAIN && errno != EACCES) return Failed("lock", path, errno);
        return Held(path, WrittenHolder(descriptor.get()));
      }
      // Between opening and locking, the file may have been removed or replaced: such a lock keeps nobody out.
      struct stat locked;
      struct stat named;
      if (::fstat(descriptor.get(), &locked) != 0) return Failed("examine", path, errno);
      if (::stat(path.c_str(), &named) != 0 || locked.st_ino != named.st_ino || locked.st_dev != named.st_dev) continue;
      const std::string holder = fmt::format("{}\n", ::getpid());
      if (Retried([&] { return ::ftruncate(descriptor.get(), 0); }) != 0 ||
          Retried([&] { return ::pwrite(descriptor.get(), holder.data(), holder.size(), 0); }) < 0) {
        return Failed("write", path, errno);
      }
      return std::make_unique<LocalFileLock>(std::move(descriptor));
    }
    return JobError(fmt::format("cannot lock '{}': it is replaced again and again", Escaped(path, 1000)));
  }

  Result<std::optional<int64_t>> LockHolder(const std::string& path) override {
    const Descriptor descriptor(Retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (descriptor.get() < 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      return Failed("open", path, errno);
    }
    struct flock range = WholeFile(F_WRLCK);
    if (Retried([&] { return ::fcntl(descriptor.get(), F_OFD_GETLK, &range); }) != 0) {
      return Failed("examine the lock of", path, errno);
    }
    if (range.l_type == F_UNLCK) return std::nullopt;
    return WrittenHolder(descriptor.get());
  }

 private:
  static Status Held(const std::string& path, int64_t holder) {
    const std::string who = holder == 0            ? "another process"
                            : holder == ::getpid() ? "another holder in this process"
                                                   : fmt::format("process {}", holder);
    return JobError(fmt::format("cannot lock '{}': {} holds it", Escaped(path, 1000), who));
  }

  static Result<std::unique_ptr<WritableFile>> OpenToWrite(std::string_view what, const std::string& path,
                                                           int flags) {
    Descriptor descriptor(Retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); }));
    if (descriptor.get() < 0) return Failed(what, path, errno);
    return std::make_unique<LocalWritableFile>(std::move(descriptor), path);
  }

  static Status SyncWith(const std::string& folder, int (*sync)(int)) {
    const Descriptor descriptor(Retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (descriptor.get() < 0) return Failed("open", folder, errno);
    // Some network file systems do not know how to sync a folder and say EINVAL.
    if (Retried([&] { return sync(descriptor.get()); }) != 0 && errno != EINVAL) return Failed("sync", folder, errno);
    return Status::OK();
  }

  static FileKind KindOf(DIR* stream, const dirent& entry) {
    switch (entry.d_type) {
      case DT_REG: return FileKind::kFile;
      case DT_DIR: return FileKind::kFolder;
      case DT_LNK: return FileKind::kLink;
      case DT_UNKNOWN: {
        struct stat info;
        if (::fstatat(::dirfd(stream), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) return StatusOf(info).kind;
        return FileKind::kOther;
      }
      default: return FileKind::kOther;
    }
  }
};

}  // namespace

FileSystem& LocalFileSystem() {
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static OperatingSystemFiles& files = *new OperatingSystemFiles();
  return files;
}

}  // namespace mainstem
