// Store reads: fetches from file systems, local and Arrow's, with a few threads that may block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <memory>
#include <vector>

#include "mainstem/connectors/fetch/byte_budget.h"
#include "mainstem/connectors/fetcher.h"
#include "mainstem/platform/file_system.h"
#include "mainstem/platform/thread.h"

namespace mainstem {

using FetchDone = std::function<void(Result<Bytes>)>;

/// Reads a local file or its part: exactly what the reference names, in a buffer of exactly that size. A missing file,
/// one that has changed since it was listed, and one larger than the limit are row errors. `budget` may be null.
Result<Bytes> ReadLocalFile(const FileReference& file, int64_t size_max, FileSystem& files, ByteBudget* budget);

/// Reads an object of a store that Arrow knows (s3://).
Result<Bytes> ReadRemoteFile(const FileReference& file, int64_t size_max, ByteBudget* budget);

/// A queue of reads and the threads that work on it. Thread-safe.
class StoreReads {
 public:
  StoreReads(const FetchPolicy& policy, ByteBudget& budget);
  ~StoreReads();

  void Fetch(FileReference file, FetchDone done);
  /// Answers what waits with a cancelled status, waits for what is being read. Idempotent.
  void Stop();

 private:
  struct Read {
    FileReference file;
    FetchDone done;
  };
  void Work();

  const FetchPolicy policy_;
  ByteBudget& budget_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Read> waiting_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Thread>> threads_;  // started one by one as there is work for them
};

}  // namespace mainstem
