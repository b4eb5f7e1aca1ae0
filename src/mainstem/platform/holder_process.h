// Test-only: a disabled test of this program, run in a process of its own that holds a folder until it is killed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

namespace mainstem::testing {

class HolderProcess {
 public:
  /// Starts the tests of a suite (all disabled) and waits until one has called HoldUntilKilled.
  HolderProcess(const std::string& suite, const std::string& folder) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) return;
    std::vector<std::string> arguments = {"/proc/self/exe", "--gtest_filter=" + suite + ".*",
                                          "--gtest_also_run_disabled_tests"};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::setenv(kFolder, folder.c_str(), 1);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ready[1], STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(1);
    }
    ::unsetenv(kFolder);
    ::close(ready[1]);
    char answer = 'n';
    holds_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
  }
  ~HolderProcess() { Kill(); }
  HolderProcess(const HolderProcess&) = delete;
  HolderProcess& operator=(const HolderProcess&) = delete;

  bool holds() const { return holds_; }
  pid_t pid() const { return pid_; }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  /// In the process: the folder that it was given.
  static std::string Folder() {
    const char* folder = std::getenv(kFolder);
    return folder == nullptr ? "" : folder;
  }
  /// In the process: says whether it holds the folder; does not return.
  [[noreturn]] static void HoldUntilKilled(bool holds) {
    const char answer = holds ? 'y' : 'n';
    if (::write(STDERR_FILENO, &answer, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }

 private:
  static constexpr char kFolder[] = "MAINSTEM_TEST_FOLDER";
  pid_t pid_ = 0;
  bool holds_ = false;
};

}  // namespace mainstem::testing
