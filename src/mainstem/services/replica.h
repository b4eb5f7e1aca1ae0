// Replica: one running copy of a service: a child process, its control socket and its arenas.
#pragma once

#include <arrow/type_fwd.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/platform/process.h"
#include "mainstem/platform/shared_memory.h"
#include "mainstem/platform/socket.h"
#include "mainstem/services/call_queue.h"
#include "mainstem/services/child_output.h"
#include "mainstem/services/protocol.h"

namespace mainstem {

/// The parts of the operating system that services stand on.
struct ServicePlatform {
  Processes* processes = nullptr;
  Sockets* sockets = nullptr;
  SharedMemory* memory = nullptr;
};

/// What all replicas of a service have in common.
struct ReplicaSpec {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  const SharedRegion* setup = nullptr;
  std::shared_ptr<arrow::Schema> reply_schema;
  ReplyShape shape = ReplyShape::kScalar;
  int64_t arena_bytes = 0;      ///< of a new arena; its pages cost memory only when touched
  int64_t arena_bytes_max = 0;  ///< a batch or a reply beyond it is refused
  OutputSink output;
};

/// Something a replica said.
struct ReplicaEvent {
  enum class Kind { kReady, kLoadFailed, kAnswered } kind = Kind::kReady;
  Message message;
  WorkBatch batch;                            ///< kAnswered
  std::shared_ptr<arrow::RecordBatch> rows;   ///< kAnswered without an error
  std::vector<RowFailure> failures;
};

/// Used by one thread, which must outlive it. When it goes, the process and what it started are killed.
class Replica {
 public:
  static Result<std::unique_ptr<Replica>> Start(const ReplicaSpec& spec, const ServicePlatform& platform);
  ~Replica();

  int control_fd() const { return control_->fd(); }
  ChildProcess& process() { return *process_; }

  bool is_ready() const { return ready_; }
  int64_t answered() const { return answered_; }
  size_t outstanding() const { return running_.size(); }
  /// Says whether another batch would be taken now; none is taken behind one that ended a replica before.
  bool HasRoom() const;
  /// Sends a batch. A RowError: the batch is too large, the replica is as before. Others: the replica is lost.
  Status Send(const WorkBatch& batch);
  /// Reads everything that was said; `closed` tells whether the replica has closed its end. An error: what it
  /// said is not the protocol.
  Status Receive(std::vector<ReplicaEvent>* events, bool* closed);
  /// The row that a careful replica was on when it last said, or -1.
  int64_t Progress() const;
  /// Takes back what it has not answered; the first of them is what it was working on.
  std::vector<WorkBatch> TakeOutstanding();
  /// Closes the control socket: the replica ends when it has nothing more to do.
  void Close();

  /// Reads one of its pipes: standard output or standard error. Returns false at its end.
  bool DrainOutput() { return output_.Drain(process_->output().get()); }
  bool DrainError() { return error_.Drain(process_->error().get()); }
  std::string ErrorTail() const { return error_.Tail(); }

  /// Times that the pool keeps with each replica, monotonic; 0 where unset.
  int64_t since_ns = 0;    ///< when it started on the batch it works on, or was itself started
  int64_t kill_at_ns = 0;  ///< when it is killed if it has not ended by itself
  std::string lost_because;  ///< set before it is killed by the pool: what it did wrong
  bool timed_out = false;
  bool start_failure_counted = false;

 private:
  Replica(const ReplicaSpec& spec, const ServicePlatform& platform);

  struct Slot {
    std::unique_ptr<SharedRegion> request;
    std::unique_ptr<SharedRegion> reply;
    bool replace_request = false;  ///< the replica still refers to the rows of an earlier request
  };
  struct Running {
    uint32_t slot = 0;
    WorkBatch batch;
  };

  Result<int64_t> CapacityFor(int64_t bytes) const;
  Status Handle(Message message, std::vector<ReplicaEvent>* events);
  Status HandleReply(Message message, std::vector<ReplicaEvent>* events);
  Status HandleGrow(const Message& message);
  Status CheckCurrent(const Message& message) const;

  const ReplicaSpec& spec_;
  const ServicePlatform& platform_;
  std::unique_ptr<PacketSocket> control_;
  std::unique_ptr<ChildProcess> process_;
  ChildOutput output_;
  ChildOutput error_;
  std::array<Slot, kSlots> slots_;
  std::deque<Running> running_;
  bool ready_ = false;
  int64_t answered_ = 0;
};

}  // namespace mainstem
