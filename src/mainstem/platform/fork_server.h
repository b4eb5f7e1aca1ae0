// ForkServer: starts children as forks of one warm process, which has done once what each would do at its start.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/platform/process.h"
#include "mainstem/platform/socket.h"
#include "mainstem/platform/thread.h"

namespace mainstem {

/// Under this variable the program of a fork server finds the number of its socket.
inline constexpr char kForkFdVariable[] = "MAINSTEM_FORK_FD";

/// Has to outlive its children; they are killed when it goes.
///
/// The program is started with the socket and answers each packet there. A packet carries descriptors; its text is the
/// numbers that they have in the child, from 1, and after a line feed the child's own variable, NAME=value. The program
/// makes a child that leads a session of its own and is a child of *this* process (clone(2) with CLONE_PARENT), so
/// that it is waited for and killed like any other, and answers with its process number. It ends when the socket does.
class ForkServer final : public Processes {
 public:
  /// `program` without descriptors. It is begun at once and not waited for.
  explicit ForkServer(ProcessSpec program);
  ~ForkServer() override;

  /// Forks where arguments and environment are the program's, apart from one more variable at the end, and there is a
  /// program that answers; otherwise starts the child in the usual way.
  Result<std::unique_ptr<ChildProcess>> Start(const ProcessSpec& spec) override;

 private:
  void Run(const ProcessSpec& program);
  Result<std::unique_ptr<ChildProcess>> Fork(const ProcessSpec& spec);

  const ProcessSpec program_;
  std::mutex forking_;  // one packet and its answer at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;                     // guarded by mutex_
  bool ending_ = false;                    // guarded by mutex_
  std::unique_ptr<PacketSocket> control_;  // guarded by forking_ once begun; null: there is no program
  Thread thread_;
};

}  // namespace mainstem
