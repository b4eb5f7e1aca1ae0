// Remote lock: a lease on a name in a store that has neither locks nor conditional writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {

// Who wants the lock puts a claim, an object of its own below the lock's name, and then lists the claims. Where another's
// is alive it takes its own back and gives up: of two that come at the same moment both may fail, never both get in,
// as long as a listing shows every object put before (S3 does since 2020). The holder writes its claim again every
// kLeaseRenewedNs. A claim is dead when it was not written for kLeaseNs, by the store's clock, or when its process
// belonged to this machine and is gone: a job that was killed goes on at once where it ran, and elsewhere after kLeaseNs.
//
// A holder that was paused for longer has lost the lock without noticing. Storage's epoch keeps it from doing harm.
inline constexpr int64_t kLeaseNs = 60'000'000'000;
inline constexpr int64_t kLeaseRenewedNs = 15'000'000'000;

/// Takes the lock of `path` or says who has it. The lock has a thread that keeps the claim alive until it goes.
Result<std::unique_ptr<FileLock>> TakeRemoteLock(std::shared_ptr<FileSystem> files, const std::string& path);

/// The number of the process that holds the lock, 0 where it runs on another machine; nothing where nobody holds it.
/// Ages are told by this machine's clock.
Result<std::optional<int64_t>> RemoteLockHolder(FileSystem& files, const std::string& path);

}  // namespace mainstem
