// Scheduler: a fixed set of threads that run whoever is ready, the one nearest the sink first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "mainstem/runtime/runnable.h"

namespace mainstem::runtime {

/// Thread-safe.
class Scheduler : public Executor {
 public:
  /// `when_idle` is called by a thread of the scheduler whenever nobody runs and nobody waits to.
  explicit Scheduler(int threads, std::function<void()> when_idle = {});
  ~Scheduler() override;
  Scheduler(const Scheduler&) = delete;

  void Wake(Runnable* runnable) override;
  bool OnlyCallerRuns() const override { return busy_.load() <= 1; }
  /// Lets running work end and joins the threads; nothing is run afterwards. Idempotent.
  void Stop();

 private:
  struct Entry {
    int depth;
    uint64_t sequence;
    Runnable* runnable;
    bool operator<(const Entry& other) const {
      return depth != other.depth ? depth < other.depth : sequence > other.sequence;
    }
  };
  void Enqueue(Runnable* runnable);
  void Work();

  const std::function<void()> when_idle_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::priority_queue<Entry> queue_;  // guarded by mutex_
  uint64_t sequence_ = 0;             // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::atomic<int> busy_{0};          // running or queued
  std::vector<std::thread> threads_;
};

}  // namespace mainstem::runtime
