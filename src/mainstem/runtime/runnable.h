// Runnable: something that makes progress when it is run; the executor decides when.
#pragma once

#include <atomic>

namespace mainstem::runtime {

/// Says nothing when it cannot go on: whoever changes that wakes it. Never run by two threads at once.
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

/// Runs runnables. A woken runnable is run at least once after the wake.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Wake(Runnable* runnable) = 0;
  /// Says whether nothing but the caller runs and nobody waits to.
  virtual bool OnlyCallerRuns() const = 0;
};

}  // namespace mainstem::runtime
