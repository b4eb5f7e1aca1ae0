#include "mainstem/platform/fork_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>

#include "mainstem/platform/poller.h"

namespace mainstem {
namespace {

// A program that answers as it is told to, and otherwise is an ordinary child.
ProcessSpec Shell(const std::string& script) {
  return {.arguments = {"/bin/sh", "-c", script}, .environment = {"COLOUR=blue"}};
}

ProcessSpec WithOwn(ProcessSpec spec) {
  spec.environment.push_back("OWN=1");
  return spec;
}

std::string OutputOf(ChildProcess* child) {
  Poller poller = Poller::Make().ValueOrDie();
  EXPECT_TRUE(poller.Add(child->exit_fd(), 1).ok());
  EXPECT_FALSE(poller.Wait(20'000'000'000).ValueOrDie().empty());
  std::array<char, 4096> buffer;
  const int64_t count = ReadSome(child->output().get(), buffer);
  return count > 0 ? std::string(buffer.data(), static_cast<size_t>(count)) : "";
}

TEST(ForkServer, AProgramThatEndsAtOnceCostsNoChild) {
  const ProcessSpec program = Shell("echo $OWN$COLOUR");
  ForkServer server(program);
  const auto child = server.Start(WithOwn(program)).ValueOrDie();
  EXPECT_EQ(OutputOf(child.get()), "1blue\n");
}

TEST(ForkServer, AMissingProgramIsTheErrorThatItIsWithoutOne) {
  const ProcessSpec program{.arguments = {"/no/such/program"}};
  ForkServer server(program);
  EXPECT_THAT(server.Start(WithOwn(program)).status().message(), ::testing::HasSubstr("/no/such/program"));
}

TEST(ForkServer, AnAnswerThatNamesNoChildCostsNoChild) {
  // Without OWN it is the server, which answers each packet wrongly.
  const ProcessSpec program = Shell("[ -n \"$OWN\" ] && echo child || { echo nonsense >&3; sleep 1000; }");
  ForkServer server(program);
  const auto child = server.Start(WithOwn(program)).ValueOrDie();
  EXPECT_EQ(OutputOf(child.get()), "child\n");
}

TEST(ForkServer, AnotherEnvironmentIsStartedInTheUsualWay) {
  const ProcessSpec program = Shell("echo $COLOUR");
  ForkServer server(program);
  ProcessSpec other = WithOwn(program);
  other.environment.front() = "COLOUR=red";
  const auto child = server.Start(other).ValueOrDie();
  EXPECT_EQ(OutputOf(child.get()), "red\n");
}

}  // namespace
}  // namespace mainstem
