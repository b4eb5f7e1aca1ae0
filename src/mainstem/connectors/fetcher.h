// Fetcher: brings the bytes of file references, many at a time, bounded in number and bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/file_reference.h"

namespace mainstem {

/// How references may be fetched.
struct FetchPolicy {
  int max_in_flight = 64;                       ///< requests open at once
  /// Of those, to one host and port; one connection each, or fewer where HTTP/2 shares them. Servers with a short queue
  /// of new connections drop what exceeds it, and a dropped one is tried again after a second.
  int max_in_flight_per_host = 32;
  int64_t max_bytes_in_flight = 256 << 20;      ///< received and not yet handed on
  int64_t max_file_bytes = int64_t{1} << 30;    ///< a larger file is a row error
  int64_t connect_timeout_ns = 10'000'000'000;
  int64_t stall_timeout_ns = 30'000'000'000;    ///< no byte for so long
  int64_t total_timeout_ns = 600'000'000'000;
  int max_attempts = 4;                         ///< for retry errors: 429, 5xx, dropped connections
  int max_redirects = 5;
  bool allow_private_addresses = false;         ///< loopback, private, link-local, unique-local ranges
};

/// Fetches files. Thread-safe.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  /// Starts a fetch; `done` is called exactly once, from a thread of the fetcher. Errors: RowError for this
  /// file alone (404, too large, changed version, no permission); JobError where nothing can be fetched
  /// (address refused by policy is a RowError; an unreachable store after retries is a JobError).
  virtual void Fetch(FileReference file, std::function<void(Result<Bytes>)> done) = 0;
  /// Answers everything open with a cancelled status and ends the threads. Idempotent.
  virtual void Stop() = 0;
};

std::unique_ptr<Fetcher> MakeFetcher(const FetchPolicy& policy);

}  // namespace mainstem
