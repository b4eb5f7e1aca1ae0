#include "mainstem/platform/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#ifndef P_PIDFD
#define P_PIDFD static_cast<idtype_t>(3)
#endif

namespace mainstem {
namespace {

// Above every number that a child is given, so that no dup2 of the child overwrites a source of a later one.
constexpr int kSourceFdMin = 64;

class SystemChild final : public ChildProcess {
 public:
  SystemChild(pid_t pid, FileDescriptor pidfd, FileDescriptor output, FileDescriptor error)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)), error_(std::move(error)) {}

  ~SystemChild() override {
    if (status_.has_value()) return;
    Kill();
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
  }

  int64_t id() const override { return pid_; }
  int exit_fd() const override { return pidfd_.get(); }
  const FileDescriptor& output() const override { return output_; }
  const FileDescriptor& error() const override { return error_; }
  void Terminate() override { Signal(SIGTERM); }
  void Kill() override { Signal(SIGKILL); }

  std::optional<ExitStatus> Poll() override {
    if (status_.has_value()) return status_;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) return std::nullopt;
      status_ = ExitStatus{.code = -1};  // somebody else reaped it (SIGCHLD is ignored): how it ended is not known
      return status_;
    }
    if (info.si_pid == 0) return std::nullopt;
    Signal(SIGKILL);  // until it is reaped its number, and so that of its group, belongs to nobody else
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG);
    status_ = info.si_code == CLD_EXITED ? ExitStatus{.code = info.si_status} : ExitStatus{.signal = info.si_status};
    return status_;
  }

 private:
  void Signal(int signal) {
    if (!status_.has_value()) ::kill(-pid_, signal);
  }

  pid_t pid_;
  FileDescriptor pidfd_;
  FileDescriptor output_;
  FileDescriptor error_;
  std::optional<ExitStatus> status_;
};

Result<FileDescriptor> Raise(int fd) {
  FileDescriptor raised(::fcntl(fd, F_DUPFD_CLOEXEC, kSourceFdMin));
  if (!raised.is_open()) return SystemError("cannot copy a descriptor for a child process", errno);
  return raised;
}

// The C structures of posix_spawn with the lifetime of an object.
struct SpawnActions {
  SpawnActions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class SystemSpawner final : public Processes {
 public:
  Result<std::unique_ptr<ChildProcess>> Start(const ProcessSpec& spec) override {
    if (spec.arguments.empty() || spec.arguments[0].empty()) return JobError("no program to start was named");
    ARROW_ASSIGN_OR_RAISE(auto output, MakeOutputPipe());
    ARROW_ASSIGN_OR_RAISE(auto error, MakeOutputPipe());
    SpawnActions actions;
    ::posix_spawn_file_actions_addopen(&actions.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    std::vector<std::pair<int, int>> wanted = {{output.write.get(), STDOUT_FILENO},
                                               {error.write.get(), STDERR_FILENO}};
    wanted.insert(wanted.end(), spec.descriptors.begin(), spec.descriptors.end());
    std::vector<FileDescriptor> sources;
    int last = STDERR_FILENO;
    for (const auto& [ours, theirs] : wanted) {
      if (theirs >= kSourceFdMin) return JobError(fmt::format("a child cannot be given descriptor {}", theirs));
      ARROW_ASSIGN_OR_RAISE(FileDescriptor source, Raise(ours));
      ::posix_spawn_file_actions_adddup2(&actions.files, source.get(), theirs);
      sources.push_back(std::move(source));
      last = std::max(last, theirs);
    }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    // Other libraries of this process may have opened descriptors without close-on-exec.
    ::posix_spawn_file_actions_addclosefrom_np(&actions.files, last + 1);
#endif
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&actions.attributes, &none);
    ::posix_spawnattr_setsigdefault(&actions.attributes, &all);
    ::posix_spawnattr_setflags(&actions.attributes,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const std::vector<char*> arguments = Pointers(spec.arguments);
    const std::vector<char*> environment = Pointers(spec.environment);
    pid_t pid = 0;
    // posix_spawn shares memory with the child until exec: no copy of page tables, nothing runs in between but
    // the actions above.
    const int failed = ::posix_spawnp(&pid, arguments[0], &actions.files, &actions.attributes, arguments.data(),
                                      environment.data());
    if (failed != 0) return SystemError(fmt::format("cannot start '{}'", Escaped(spec.arguments[0])), failed);
    return WatchChild(pid, std::move(output.read), std::move(error.read));
  }
};

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal == 0) return code < 0 ? "an unknown status" : fmt::format("exit status {}", code);
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("signal SIG{}", name);
}

Processes& SystemProcesses() {
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static SystemSpawner& spawner = *new SystemSpawner();
  return spawner;
}

Result<OutputPipe> MakeOutputPipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  OutputPipe pipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
  if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return SystemError("cannot set up a pipe", errno);
  return pipe;
}

Result<std::unique_ptr<ChildProcess>> WatchChild(int64_t id, FileDescriptor output, FileDescriptor error) {
  const auto pid = static_cast<pid_t>(id);
  FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int pidfd_error = errno;
  const bool watched = pidfd.is_open();
  std::unique_ptr<ChildProcess> child =
      std::make_unique<SystemChild>(pid, std::move(pidfd), std::move(output), std::move(error));
  if (!watched) return SystemError("cannot watch a child process (Linux 5.3 or newer is needed)", pidfd_error);
  return child;
}

void EndWithParent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

std::string TakeEnvironmentVariable(const char* name) {
  const char* value = ::getenv(name);
  const std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::vector<std::string> EnvironmentWith(const std::vector<std::string>& changes) {
  std::vector<std::string> result;
  const auto add = [&result](const std::string& assignment) {
    const std::string name = assignment.substr(0, assignment.find('=') + 1);
    const auto same = std::find_if(result.begin(), result.end(),
                                   [&name](const std::string& other) { return other.starts_with(name); });
    if (same == result.end()) {
      result.push_back(assignment);
    } else {
      *same = assignment;
    }
  };
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) result.emplace_back(*variable);
  for (const std::string& assignment : changes) {
    if (assignment.find('=') != std::string::npos) add(assignment);
  }
  return result;
}

int64_t PeakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

}  // namespace mainstem
