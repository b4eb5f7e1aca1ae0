// Snapshot: what a subtask remembers at a barrier: numbers, texts and rows by name.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/batch.h"

namespace mainstem {

/// Rows are shared with whoever works on them, so taking a snapshot copies nothing and costs moments; it is made into
/// bytes later, beside the data flow.
class Snapshot {
 public:
  std::map<std::string, int64_t> numbers;
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<Batch>> batches;

  int64_t Number(const std::string& name, int64_t otherwise = 0) const;
  std::string Text(const std::string& name) const;
  /// The batches of a name, taken out; none where there are none.
  std::vector<Batch> Take(const std::string& name);

  /// Puts all of `part` below `scope`: "scope/name".
  void Add(const std::string& scope, Snapshot part);
  /// Takes out what stands below `scope`, names without it.
  Snapshot Extract(const std::string& scope);

  int64_t batch_count() const;
  /// Bytes of the rows.
  int64_t bytes() const;
};

/// Buffers that lie one behind the other: a JSON header, then an Arrow IPC stream a list of batches.
Result<std::vector<std::shared_ptr<arrow::Buffer>>> ToBuffers(const Snapshot& snapshot);
/// Reads what ToBuffers made; the rows point into `bytes`. Damage is a job error.
Result<Snapshot> ReadSnapshot(const std::shared_ptr<arrow::Buffer>& bytes);

}  // namespace mainstem
