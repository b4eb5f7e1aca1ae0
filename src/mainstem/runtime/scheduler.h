// Scheduler: a fixed set of threads that run whoever is ready, the one nearest the sink first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace mainstem::runtime {

class Scheduler;

/// Something that makes progress when it is run and says nothing when it cannot. Never run by two threads at once.
class Runnable {
 public:
  virtual ~Runnable() = default;
  /// Works for a while. Returns true where more could be done at once.
  virtual bool Run() = 0;
  /// Larger is nearer the sink.
  virtual int depth() const = 0;

 private:
  friend class Scheduler;
  enum State { kIdle, kQueued, kRunning, kRunningAndWoken };
  std::atomic<int> state_{kIdle};
};

/// Runs runnables. A woken runnable is run at least once after the wake. Thread-safe.
class Scheduler {
 public:
  /// `when_idle` is called by a thread of the scheduler whenever nobody runs and nobody waits to.
  explicit Scheduler(int threads, std::function<void()> when_idle = {});
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;

  /// Makes sure that the runnable is run after this call.
  void Wake(Runnable* runnable);
  /// Says whether nothing but the caller runs and nobody waits to.
  bool OnlyCallerRuns() const { return busy_.load() <= 1; }
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
