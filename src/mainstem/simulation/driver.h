// Driver: runs what a job's threads would run, one piece at a time, in an order drawn from the seed.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "mainstem/runtime/background.h"
#include "mainstem/runtime/runnable.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

/// Holds runnables that were woken. Whoever waits longest has no advantage: any may be next.
class SimulatedExecutor : public runtime::Executor {
 public:
  void Wake(runtime::Runnable* runnable) override {
    if (std::find(ready_.begin(), ready_.end(), runnable) == ready_.end()) ready_.push_back(runnable);
  }
  bool OnlyCallerRuns() const override { return ready_.empty(); }

  bool idle() const { return ready_.empty(); }
  void RunOne(SeededRandom& random) {
    const auto chosen = ready_.begin() + random.Below(static_cast<int64_t>(ready_.size()));
    runtime::Runnable* runnable = *chosen;
    ready_.erase(chosen);
    if (runnable->Run()) Wake(runnable);
  }

 private:
  std::vector<runtime::Runnable*> ready_;
};

/// Holds work in the order in which it was posted. After each piece `look` is called.
class SimulatedBackground : public runtime::Background {
 public:
  explicit SimulatedBackground(std::function<void()> look) : look_(std::move(look)) {}

  void Post(std::function<void()> work) override { work_.push_back(std::move(work)); }
  void Drain() override {
    while (!idle()) RunOne();
  }

  bool idle() const { return work_.empty(); }
  void RunOne() {
    const auto work = std::move(work_.front());
    work_.pop_front();
    work();
    look_();
  }

 private:
  std::function<void()> look_;
  std::deque<std::function<void()>> work_;
};

}  // namespace mainstem::simulation
