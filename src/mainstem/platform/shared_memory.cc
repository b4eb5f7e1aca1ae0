#include "mainstem/platform/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace mainstem {
namespace {

constexpr int kSealFutureWrite = 0x0010;  // F_SEAL_FUTURE_WRITE, missing from older headers

class MappedRegion final : public SharedRegion {
 public:
  MappedRegion(FileDescriptor fd, void* data, int64_t size) : fd_(std::move(fd)), data_(data), size_(size) {}
  ~MappedRegion() override { ::munmap(data_, static_cast<size_t>(size_)); }
  uint8_t* data() const override { return static_cast<uint8_t*>(data_); }
  int64_t size() const override { return size_; }
  int fd() const override { return fd_.get(); }

 private:
  FileDescriptor fd_;
  void* data_;
  int64_t size_;
};

Result<std::unique_ptr<SharedRegion>> MapDescriptor(FileDescriptor fd, int64_t bytes, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = ::mmap(nullptr, static_cast<size_t>(bytes), protection, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) {
    return SystemError(fmt::format("cannot map {} bytes of shared memory", bytes), errno);
  }
  return std::make_unique<MappedRegion>(std::move(fd), data, bytes);
}

class SystemMemory final : public SharedMemory {
 public:
  Result<std::unique_ptr<SharedRegion>> Create(int64_t bytes, RegionWriter writer) override {
    if (bytes <= 0) return JobError(fmt::format("cannot make a shared region of {} bytes", bytes));
    FileDescriptor fd(static_cast<int>(::syscall(SYS_memfd_create, "mainstem", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (!fd.is_open()) return SystemError("cannot make shared memory", errno);
    if (::ftruncate(fd.get(), bytes) != 0) {
      return SystemError(fmt::format("cannot size shared memory to {} bytes", bytes), errno);
    }
    const int number = fd.get();
    const bool writable = writer == RegionWriter::kThisProcess;
    ARROW_ASSIGN_OR_RAISE(auto region, MapDescriptor(std::move(fd), bytes, writable));
    // After our own mapping exists, no further writable one can be made where we are the only writer. Kernels
    // before 5.1 do not know this seal; there the reader is only asked not to write.
    if (writable) (void)::fcntl(number, F_ADD_SEALS, kSealFutureWrite);
    if (::fcntl(number, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
      return SystemError("cannot seal shared memory", errno);
    }
    return region;
  }

  Result<std::unique_ptr<SharedRegion>> Map(FileDescriptor region, RegionWriter writer) override {
    const int seals = ::fcntl(region.get(), F_GET_SEALS);
    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW)) {
      return JobError("a shared region was refused: its size is not sealed");
    }
    struct stat status {};
    if (::fstat(region.get(), &status) != 0) return SystemError("cannot read the size of shared memory", errno);
    return MapDescriptor(std::move(region), status.st_size, writer == RegionWriter::kThisProcess);
  }
};

}  // namespace

SharedMemory& SystemSharedMemory() {
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static SystemMemory& memory = *new SystemMemory();
  return memory;
}

}  // namespace mainstem
