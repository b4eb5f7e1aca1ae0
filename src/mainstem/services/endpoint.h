// Endpoint: where calls go: a service as the data flow sees it.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// One batch sent to a service.
struct Call {
  std::shared_ptr<arrow::RecordBatch> rows;  ///< schema of the service's input
};

/// A row of a call that could not be answered; the others were.
struct RowFailure {
  int64_t row = 0;     ///< index in the call
  std::string reason;  ///< one line for people
};

/// What comes back for one call.
struct Reply {
  Status status;                             ///< not OK: no row was answered
  std::shared_ptr<arrow::RecordBatch> rows;  ///< schema of the service's output
  std::vector<RowFailure> failures;          ///< ascending rows; their places in a scalar reply are null
};

/// How rows of a reply belong to rows of the call.
enum class ReplyShape {
  kScalar,  ///< one row for one row, in order
  kTable,   ///< any number of rows for one; the first column `__row` (int64, ascending) names the call's row
  kBatch,   ///< the reply replaces the call's rows as a whole
};

/// What to start: code or model, how many copies, how calls are cut.
struct ServiceSpec {
  std::string name;                          ///< for people: the function's or the model's name
  enum class Host { kPython, kNative } host = Host::kPython;
  std::string payload;                       ///< kPython: cloudpickle bytes; kNative: JSON that names the model
  std::string form = "general";              ///< kPython: general | pandas | arrow | numpy
  ReplyShape shape = ReplyShape::kScalar;
  std::shared_ptr<arrow::Schema> input;
  std::shared_ptr<arrow::Schema> output;     ///< without `__row`
  int min_replicas = 0;
  int max_replicas = 1;
  int64_t batch_rows = 0;                    ///< rows sent to a replica at once; 0 = by bytes and time
  int64_t timeout_ns = 0;                    ///< for one batch on a replica; 0 = none
  bool deterministic = true;
  bool by_origin = false;                    ///< calls have the rows' origins in a column more, the last, for the journal
  std::string journal_identity;              ///< kPython: what its code and settings are, hashed; empty: not journaled
  std::vector<std::string> environment;      ///< NAME=value for the replicas
};

/// Figures of a service since it started.
struct ServiceStats {
  int64_t calls = 0;
  int64_t rows = 0;
  int64_t failures = 0;
  int64_t busy_ns = 0;          ///< summed over replicas
  int64_t replicas = 0;         ///< running now
  int64_t replicas_started = 0;
  int64_t replicas_lost = 0;    ///< crashed, killed or out of time
  int64_t queued_rows = 0;
  int64_t journal_hits = 0;     ///< rows that the journal answered, or a reply that was awaited already
  int64_t journal_writes = 0;   ///< replies that became durable
};

/// Accepts calls. Thread-safe.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  /// Queues a call; `done` is called exactly once, from a thread of the service, whatever happens.
  virtual void Submit(Call call, std::function<void(Reply)> done) = 0;
  /// How many calls a caller keeps open so that replicas never wait for the data flow.
  virtual int SuggestedInFlight() const = 0;
  /// How many rows one call should have.
  virtual int64_t SuggestedRows() const = 0;
  virtual ServiceStats Stats() const = 0;
  /// Begins what Stop does and does not wait for it: several services end side by side.
  virtual void BeginStop() {}
  /// Ends the replicas; open calls are answered with a cancelled status. Idempotent.
  virtual void Stop() = 0;
};

/// Starts services. Thread-safe.
class ServiceStarter {
 public:
  virtual ~ServiceStarter() = default;
  virtual Result<std::shared_ptr<Endpoint>> Start(const ServiceSpec& spec) = 0;
};

}  // namespace mainstem
