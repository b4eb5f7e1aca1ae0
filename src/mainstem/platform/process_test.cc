#include "mainstem/platform/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>

#include "mainstem/platform/poller.h"
#include "mainstem/platform/socket.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;

ExitStatus WaitFor(ChildProcess* child) {
  Poller poller = Poller::Make().ValueOrDie();
  EXPECT_TRUE(poller.Add(child->exit_fd(), 7).ok());
  while (true) {
    const auto tokens = poller.Wait(20'000'000'000).ValueOrDie();
    if (tokens.empty()) {
      ADD_FAILURE() << "the child did not end";
      return {};
    }
    if (const auto status = child->Poll()) return *status;
  }
}

std::string ReadAll(const FileDescriptor& pipe) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const int64_t count = ReadSome(pipe.get(), buffer);
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
}

std::unique_ptr<ChildProcess> StartShell(const std::string& script) {
  auto child = SystemProcesses().Start({.arguments = {"/bin/sh", "-c", script}, .environment = {"COLOUR=blue"}});
  EXPECT_TRUE(child.ok()) << child.status();
  return std::move(*child);
}

TEST(Process, TellsItsExitStatusAndOutput) {
  const auto child = StartShell("echo out; echo err >&2; exit 3");
  const ExitStatus status = WaitFor(child.get());
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.ToString(), "exit status 3");
  EXPECT_EQ(ReadAll(child->output()), "out\n");
  EXPECT_EQ(ReadAll(child->error()), "err\n");
}

TEST(Process, TellsTheSignalThatEndedIt) {
  const auto child = StartShell("kill -SEGV $$");
  EXPECT_EQ(WaitFor(child.get()).ToString(), "signal SIGSEGV");
}

TEST(Process, GetsItsEnvironmentAndNothingElse) {
  const auto child = StartShell("echo $COLOUR $HOME; ls /proc/self/fd");
  WaitFor(child.get());
  // 3 is the folder that ls itself reads.
  EXPECT_EQ(ReadAll(child->output()), "blue\n0\n1\n2\n3\n");
}

TEST(Process, IsKilledWithItsGroup) {
  const auto child = StartShell("sleep 1000 & echo $!; wait");
  std::string text;
  Poller poller = Poller::Make().ValueOrDie();
  ASSERT_TRUE(poller.Add(child->output().get(), 1).ok());
  ASSERT_FALSE(poller.Wait(20'000'000'000)->empty());
  const int grandchild = std::stoi(ReadAll(child->output()));
  EXPECT_EQ(::kill(grandchild, 0), 0);
  child->Kill();
  EXPECT_EQ(WaitFor(child.get()).ToString(), "signal SIGKILL");
}

TEST(Process, AMissingProgramIsAnErrorThatNamesIt) {
  const auto child = SystemProcesses().Start({.arguments = {"/no/such/program"}});
  EXPECT_THAT(child.status().message(), HasSubstr("/no/such/program"));
}

TEST(Process, SharesASocketByNumber) {
  auto pair = SystemSockets().MakePair().ValueOrDie();
  ProcessSpec spec{.arguments = {"/bin/sh", "-c", "echo hello >&5"}};
  spec.descriptors.emplace_back(pair.theirs.get(), 5);
  auto child = SystemProcesses().Start(spec).ValueOrDie();
  pair.theirs.Close();
  WaitFor(child.get());
  Packet packet;
  EXPECT_EQ(pair.ours->Receive(&packet).ValueOrDie(), PacketSocket::Outcome::kPacket);
  EXPECT_EQ(packet.bytes, "hello\n");
  EXPECT_EQ(pair.ours->Receive(&packet).ValueOrDie(), PacketSocket::Outcome::kClosed);
}

}  // namespace
}  // namespace mainstem
