// Processes: child processes that are started, watched and ended as a group.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_descriptor.h"

namespace mainstem {

/// How a process ended.
struct ExitStatus {
  int code = 0;    ///< what it returned, where no signal ended it
  int signal = 0;  ///< the signal that ended it, or 0

  /// For people: "exit status 3", "signal SIGSEGV".
  std::string ToString() const;
};

/// What to start.
struct ProcessSpec {
  std::vector<std::string> arguments;    ///< the first is the program: a path, or a name looked up in PATH
  std::vector<std::string> environment;  ///< all of it, NAME=value
  /// Descriptors that the child gets: ours, and the number it has there (3 or more, ascending from 3).
  std::vector<std::pair<int, int>> descriptors;
};

/// A running child and the group of processes it made. Used by one thread at a time. When it goes, the group is
/// killed and the child reaped.
class ChildProcess {
 public:
  virtual ~ChildProcess() = default;
  virtual int64_t id() const = 0;
  /// Becomes readable when the child has ended.
  virtual int exit_fd() const = 0;
  /// The reading ends of its standard output and standard error; they do not wait.
  virtual const FileDescriptor& output() const = 0;
  virtual const FileDescriptor& error() const = 0;
  /// Asks every process of the group to end (SIGTERM).
  virtual void Terminate() = 0;
  /// Ends every process of the group (SIGKILL).
  virtual void Kill() = 0;
  /// Returns how the child ended, or nothing while it runs. After the end, what is left of its group is killed.
  virtual std::optional<ExitStatus> Poll() = 0;
};

/// Starts processes. Thread-safe.
class Processes {
 public:
  virtual ~Processes() = default;
  /// Starts a child in a session of its own, with nothing as standard input and no descriptors but those named.
  /// A child that asks for a signal at its parent's death gets it when the calling *thread* ends: call this
  /// from a thread that outlives the child.
  virtual Result<std::unique_ptr<ChildProcess>> Start(const ProcessSpec& spec) = 0;
};

/// The operating system's processes.
Processes& SystemProcesses();

/// A pipe for what a child writes: the reading end does not wait.
struct OutputPipe {
  FileDescriptor read;
  FileDescriptor write;
};
Result<OutputPipe> MakeOutputPipe();

/// Takes charge of a child of this process that leads a session of its own and that nobody else waits for.
Result<std::unique_ptr<ChildProcess>> WatchChild(int64_t id, FileDescriptor output, FileDescriptor error);

/// Asks the operating system to kill this process when the thread that started it ends.
void EndWithParent();

/// Returns a variable of this process's environment and removes it, so that its own children do not see it; empty
/// where it is not set. For the start of a program: no other thread may read the environment meanwhile.
std::string TakeEnvironmentVariable(const char* name);

/// This process's environment, with the later of two assignments to one name winning.
std::vector<std::string> EnvironmentWith(const std::vector<std::string>& changes);

/// The most memory that this process has had resident, in bytes, pages shared with others included.
int64_t PeakResidentBytes();

}  // namespace mainstem
