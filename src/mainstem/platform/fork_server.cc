#include "mainstem/platform/fork_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "mainstem/base/log.h"
#include "mainstem/platform/poller.h"

namespace mainstem {
namespace {

constexpr int kControlFd = 3;
// A program that has not answered by then does not count any more; imports from a cold disk take seconds.
constexpr int64_t kAnswerNs = 30'000'000'000;

Result<Packet> ReceiveWithin(PacketSocket* socket, int64_t timeout_ns) {
  ARROW_ASSIGN_OR_RAISE(Poller poller, Poller::Make());
  ARROW_RETURN_NOT_OK(poller.Add(socket->fd(), 0));
  ARROW_ASSIGN_OR_RAISE(const auto tokens, poller.Wait(timeout_ns));
  if (tokens.empty()) return RegionError("a fork server does not answer");
  Packet packet;
  ARROW_ASSIGN_OR_RAISE(const auto outcome, socket->Receive(&packet));
  if (outcome != PacketSocket::Outcome::kPacket) return RegionError("a fork server has ended");
  return packet;
}

}  // namespace

ForkServer::ForkServer(ProcessSpec program)
    : program_(std::move(program)), thread_("forks", [this] { Run(program_); }) {}

ForkServer::~ForkServer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

// Children belong to the thread that started the program, and get their parent's death from it: it stays.
void ForkServer::Run(const ProcessSpec& program) {
  std::unique_ptr<ChildProcess> process;
  auto pair = SystemSockets().MakePair();
  if (pair.ok()) {
    ProcessSpec spec = program;
    spec.environment.push_back(fmt::format("{}={}", kForkFdVariable, kControlFd));
    spec.descriptors.emplace_back(pair->theirs.get(), kControlFd);
    auto started = SystemProcesses().Start(spec);
    pair->theirs.Close();
    if (started.ok()) {
      process = std::move(*started);
    } else {
      pair = started.status();
    }
  }
  if (!pair.ok()) Log(LogLevel::kDebug, "platform", "no fork server: {}", pair.status().ToString());
  std::unique_lock lock(mutex_);
  if (process) control_ = std::move(pair->ours);
  begun_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return ending_; });
}

Result<std::unique_ptr<ChildProcess>> ForkServer::Start(const ProcessSpec& spec) {
  const auto& own = program_.environment;
  const bool alike = spec.arguments == program_.arguments && spec.environment.size() == own.size() + 1 &&
                     std::equal(own.begin(), own.end(), spec.environment.begin());
  if (!alike || spec.descriptors.size() + 2 > kPacketDescriptorsMax) return SystemProcesses().Start(spec);
  {
    const std::lock_guard forking(forking_);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return begun_; });
    }
    if (control_ != nullptr) {
      auto child = Fork(spec);
      if (child.ok()) return child;
      // Whatever is wrong with it shows, and is told, where the program runs in the usual way.
      Log(LogLevel::kDebug, "platform", "a fork server is given up: {}", child.status().ToString());
      control_.reset();
    }
  }
  return SystemProcesses().Start(spec);
}

Result<std::unique_ptr<ChildProcess>> ForkServer::Fork(const ProcessSpec& spec) {
  ARROW_ASSIGN_OR_RAISE(OutputPipe output, MakeOutputPipe());
  ARROW_ASSIGN_OR_RAISE(OutputPipe error, MakeOutputPipe());
  std::vector<int> descriptors = {output.write.get(), error.write.get()};
  std::string text = "1 2";
  for (const auto& [ours, theirs] : spec.descriptors) {
    descriptors.push_back(ours);
    text += fmt::format(" {}", theirs);
  }
  ARROW_RETURN_NOT_OK(control_->Send(text + "\n" + spec.environment.back(), descriptors));
  ARROW_ASSIGN_OR_RAISE(const Packet answer, ReceiveWithin(control_.get(), kAnswerNs));
  int64_t id = 0;
  const char* end = answer.bytes.data() + answer.bytes.size();
  const auto read = std::from_chars(answer.bytes.data(), end, id);
  if (read.ec != std::errc() || read.ptr != end || id <= 1) return RegionError("a fork server answers with no child");
  return WatchChild(id, std::move(output.read), std::move(error.read));
}

}  // namespace mainstem
