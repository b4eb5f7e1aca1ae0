#include "mainstem/runtime/scheduler.h"

namespace mainstem::runtime {

Scheduler::Scheduler(int threads, std::function<void()> when_idle) : when_idle_(std::move(when_idle)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() { Stop(); }

void Scheduler::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Scheduler::Wake(Runnable* runnable) {
  int state = runnable->state_.load();
  while (true) {
    if (state == Runnable::kQueued || state == Runnable::kRunningAndWoken) return;
    const int next = state == Runnable::kIdle ? Runnable::kQueued : Runnable::kRunningAndWoken;
    if (!runnable->state_.compare_exchange_weak(state, next)) continue;
    if (next == Runnable::kQueued) {
      ++busy_;
      Enqueue(runnable);
    }
    return;
  }
}

void Scheduler::Enqueue(Runnable* runnable) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push({runnable->depth(), sequence_++, runnable});
  }
  ready_.notify_one();
}

void Scheduler::Work() {
  while (true) {
    Runnable* runnable = nullptr;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      runnable = queue_.top().runnable;
      queue_.pop();
    }
    runnable->state_.store(Runnable::kRunning);
    const bool more = runnable->Run();
    int expected = Runnable::kRunning;
    if (more || !runnable->state_.compare_exchange_strong(expected, Runnable::kIdle)) {
      runnable->state_.store(Runnable::kQueued);
      Enqueue(runnable);
    } else if (--busy_ == 0 && when_idle_) {
      when_idle_();
    }
  }
}

}  // namespace mainstem::runtime
