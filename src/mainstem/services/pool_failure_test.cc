// Calls to replicas that crash, hang, or do not start.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

#include "mainstem/services/service_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using PoolFailureTest = ServiceHarness;

void ExpectOnlyFailure(const Reply& reply, int64_t row, const std::string& reason) {
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_EQ(reply.failures[0].row, row);
  EXPECT_THAT(reply.failures[0].reason, HasSubstr(reason));
  for (int64_t i = 0; i < reply.rows->num_rows(); ++i) {
    if (i == row) {
      EXPECT_TRUE(reply.rows->column(0)->IsNull(i));
    } else {
      EXPECT_EQ(NumberAt(reply, i), i);
    }
  }
}

TEST_F(PoolFailureTest, ARowThatEndsTheProcessFailsAlone) {
  Start(Spec("import os\ndef f(x):\n  if x == 77: os._exit(3)\n  return x"));
  ExpectOnlyFailure(Ask(Numbers(200)), 77, "the worker process ended with exit status 3 while processing this row");
  EXPECT_LE(endpoint_->Stats().replicas_lost, 4);
}

TEST_F(PoolFailureTest, ARowThatEndsTheProcessInABatchFormFailsAlone) {
  Start(Spec("import os\ndef f(x):\n  if (x == 33).any(): os._exit(3)\n  return x", "scalar", "numpy"));
  ExpectOnlyFailure(Ask(Numbers(64)), 33, "exit status 3");
}

TEST_F(PoolFailureTest, ASegmentationFaultFailsItsRow) {
  Start(Spec("import os, signal\ndef f(x):\n  if x == 5: os.kill(os.getpid(), signal.SIGSEGV)\n  return x"));
  ExpectOnlyFailure(Ask(Numbers(50)), 5, "signal SIGSEGV");
}

TEST_F(PoolFailureTest, ARowThatSleepsForEverExceedsItsTime) {
  ServiceSpec spec = Spec("import time\ndef f(x):\n  if x == 9:\n    while True: time.sleep(100)\n  return x");
  spec.timeout_ns = 500'000'000;
  Start(spec);
  ExpectOnlyFailure(Ask(Numbers(40)), 9, "exceeded 500 ms while processing this row");
}

TEST_F(PoolFailureTest, SlowRowsAreNotMistakenForOneThatHangs) {
  // Ten rows take twice the limit together, and none comes near it alone.
  ServiceSpec spec = Spec("import time\ndef f(x):\n  time.sleep(0.1)\n  return x");
  spec.timeout_ns = 500'000'000;
  spec.batch_rows = 10;
  Start(spec);
  const Reply reply = Ask(Numbers(10));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_TRUE(reply.failures.empty());
}

TEST_F(PoolFailureTest, AReplicaKilledFromOutsideCostsNoRow) {
  // The first process to see the marker file is killed while it works; the next finds the marker and goes on.
  const std::string marker = ::testing::TempDir() + "mainstem_killed_" + std::to_string(::getpid());
  std::remove(marker.c_str());
  Start(Spec("import os, signal, time\ndef f(x):\n"
             "  if x == 3 and not os.path.exists(\"" + marker + "\"):\n"
             "    open(\"" + marker + "\", \"w\").close()\n"
             "    os.kill(os.getpid(), signal.SIGKILL)\n"
             "  return x"));
  const Reply reply = Ask(Numbers(30));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_TRUE(reply.failures.empty());
  EXPECT_EQ(NumberAt(reply, 29), 29);
  EXPECT_EQ(endpoint_->Stats().replicas_lost, 1);
  std::remove(marker.c_str());
}

TEST_F(PoolFailureTest, AFunctionThatAlwaysEndsItsProcessIsGivenUp) {
  ServiceSpec spec = Spec("import os\ndef f(x): os._exit(9)");
  spec.batch_rows = 1;
  Start(spec);
  const Reply reply = Ask(Numbers(100));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("each ended the worker process"));
}

TEST_F(PoolFailureTest, AnImportErrorFailsEveryCall) {
  ServiceSpec spec = Spec("class P:\n  def __reduce__(self): return (__import__, (\"no_such_module\",))\nf = P()");
  Start(spec);
  std::vector<std::future<Reply>> replies;
  for (int i = 0; i < 3; ++i) replies.push_back(Submit(Numbers(5)));
  for (auto& future : replies) {
    const Reply reply = Get(std::move(future));
    EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
    EXPECT_THAT(reply.status.message(), HasSubstr("ModuleNotFoundError: No module named 'no_such_module'"));
  }
  EXPECT_EQ(ClassOf(Ask(Numbers(5)).status), ErrorClass::kJob);
}

TEST_F(PoolFailureTest, AHostThatDiesAtStartIsTriedThreeTimes) {
  options_.python_host = ::testing::TempDir() + "mainstem_broken_host.py";
  std::ofstream(options_.python_host) << "import sys\nprint('out of luck', file=sys.stderr)\nsys.exit(4)\n";
  Start(Spec("def f(x): return x"));
  const Reply reply = Ask(Numbers(5));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("exit status 4"));
  EXPECT_THAT(reply.status.message(), HasSubstr("out of luck"));
  EXPECT_EQ(endpoint_->Stats().replicas_started, 3);
  std::remove(options_.python_host.c_str());
}

TEST_F(PoolFailureTest, AProgramThatIsMissingFailsEveryCall) {
  options_.python = "/no/such/python";
  Start(Spec("def f(x): return x"));
  const Reply reply = Ask(Numbers(5));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("/no/such/python"));
}

TEST_F(PoolFailureTest, ALoadWithoutEndIsCutOff) {
  options_.start_timeout_ns = 700'000'000;
  ServiceSpec spec = Spec("class F:\n  def __init__(self):\n    import time\n    time.sleep(1000)\nf = F");
  spec.payload = Pickled("class F:\n  def __init__(self):\n    import time\n    time.sleep(1000)",
                         "{\"callable\": F, \"kind\": \"scalar\", \"is_class\": True}");
  Start(spec);
  const Reply reply = Ask(Numbers(5));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("was not ready within 700 ms"));
}

TEST_F(PoolFailureTest, AHostThatTalksNonsenseIsReplaced) {
  options_.python_host = ::testing::TempDir() + "mainstem_nonsense_host.py";
  std::ofstream(options_.python_host) << "import os, socket, time\n"
                                         "s = socket.socket(fileno=int(os.environ['MAINSTEM_CONTROL_FD']))\n"
                                         "s.send(b'x' * 48)\n"
                                         "time.sleep(1000)\n";
  Start(Spec("def f(x): return x"));
  const Reply reply = Ask(Numbers(5));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("invalid reply"));
  std::remove(options_.python_host.c_str());
}

TEST_F(PoolFailureTest, StopAnswersOpenCallsAndLeavesNoProcess) {
  const std::string path = ::testing::TempDir() + "mainstem_pid_" + std::to_string(::getpid());
  std::remove(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  // Ignores SIGTERM, too, and has a child of its own.
  ServiceSpec spec = Spec("import os, signal, subprocess, time\ndef f(x):\n"
                          "  signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                          "  child = subprocess.Popen([\"sleep\", \"1000\"])\n"
                          "  open(\"" + path + "\", \"w\").write(f\"{os.getpid()} {child.pid}\")\n"
                          "  while True: time.sleep(100)\n");
  Start(spec);
  std::vector<std::future<Reply>> replies;
  for (int i = 0; i < 5; ++i) replies.push_back(Submit(Numbers(10)));
  pid_t pid = 0;
  pid_t grandchild = 0;
  std::ifstream(path) >> pid >> grandchild;  // waits until the function runs
  ASSERT_GT(pid, 0);
  const int grandchild_fd = static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0));
  ASSERT_GE(grandchild_fd, 0);
  const auto begin = std::chrono::steady_clock::now();
  endpoint_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
  for (auto& future : replies) EXPECT_EQ(ClassOf(Get(std::move(future)).status), ErrorClass::kCancelled);
  EXPECT_EQ(ClassOf(Ask(Numbers(1)).status), ErrorClass::kCancelled);
  EXPECT_EQ(::kill(pid, 0), -1);
  // It was killed with its group; that takes effect when it is next scheduled.
  pollfd ended{.fd = grandchild_fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  ::close(grandchild_fd);
  std::remove(path.c_str());
}

TEST_F(PoolFailureTest, ACallbackMayStopTheServiceAndDropIt) {
  Start(Spec("def f(x): return x"));
  auto done = std::make_shared<std::promise<void>>();
  std::weak_ptr<Endpoint> watched = endpoint_;
  endpoint_->Submit({Numbers(3)}, [this, done](Reply reply) {
    endpoint_->Stop();
    endpoint_.reset();
    done->set_value();
  });
  ASSERT_EQ(done->get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace mainstem
