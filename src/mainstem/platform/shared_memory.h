// Shared memory: regions that two processes map at once, one writing and one reading.
#pragma once

#include <cstdint>
#include <memory>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_descriptor.h"

namespace mainstem {

/// A mapped region. Its size is fixed for life, so that no peer can make an access fault. Unmapped when it goes.
class SharedRegion {
 public:
  virtual ~SharedRegion() = default;
  /// The bytes; only the side that may write may write to them.
  virtual uint8_t* data() const = 0;
  virtual int64_t size() const = 0;
  /// What to hand to the other process.
  virtual int fd() const = 0;
};

/// Which side writes to a region.
enum class RegionWriter { kThisProcess, kOtherProcess };

/// Makes and maps regions. Thread-safe.
class SharedMemory {
 public:
  virtual ~SharedMemory() = default;
  /// Makes a region without a name: it is gone when the last process that maps it is. Pages cost memory from the
  /// first time they are touched. Only the named writer can map it writable.
  virtual Result<std::unique_ptr<SharedRegion>> Create(int64_t bytes, RegionWriter writer) = 0;
  /// Maps a region that another process made; refuses one that could still change its size.
  virtual Result<std::unique_ptr<SharedRegion>> Map(FileDescriptor region, RegionWriter writer) = 0;
};

/// The operating system's shared memory.
SharedMemory& SystemSharedMemory();

}  // namespace mainstem
