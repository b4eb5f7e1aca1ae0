#include "mainstem/platform/process_identity.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mainstem {
namespace {

TEST(ProcessIdentity, ThisOneIsAlive) {
  EXPECT_EQ(ThisProcess().process, ::getpid());
  EXPECT_EQ(StateOf(ThisProcess()), ProcessState::kAlive);
}

TEST(ProcessIdentity, OneThatHasEndedIsDeadAlsoBeforeItsParentAsks) {
  ProcessIdentity child = ThisProcess();
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pipe[0]);
    const std::string text = ToString(ThisProcess());
    _exit(::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string text(2000, '\0');
  const ssize_t count = ::read(pipe[0], text.data(), text.size());
  ASSERT_GT(count, 0);
  text.resize(static_cast<size_t>(count));
  ::close(pipe[0]);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);  // leaves it to be collected
  const auto parsed = ParseProcessIdentity(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->process, pid);
  EXPECT_EQ(StateOf(*parsed), ProcessState::kDead);
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(StateOf(*parsed), ProcessState::kDead);
}

TEST(ProcessIdentity, ALaterOneOfTheSameNumberIsAnother) {
  ProcessIdentity before = ThisProcess();
  before.started -= 1;
  EXPECT_EQ(StateOf(before), ProcessState::kDead);
}

TEST(ProcessIdentity, NothingIsKnownOfOtherMachines) {
  ProcessIdentity far = ThisProcess();
  far.machine += "x";
  EXPECT_EQ(StateOf(far), ProcessState::kElsewhere);
}

TEST(ProcessIdentity, TextsOfOthersAreRefused) {
  for (const char* text : {"", "a", "a 1", "a 1 2 3", "a -1 2", "a x 2", "a 1 99999999999999999999"}) {
    EXPECT_FALSE(ParseProcessIdentity(text)) << text;
  }
  EXPECT_FALSE(ParseProcessIdentity(std::string(2000, 'a') + " 1 2"));
}

}  // namespace
}  // namespace mainstem
