// Background: runs pieces of work in order, beside the data flow: disk writes, commits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace mainstem::runtime {

/// Runs pieces of work one after the other. Thread-safe.
class Background {
 public:
  virtual ~Background() = default;
  virtual void Post(std::function<void()> work) = 0;
  /// Waits until nothing is left to do. Not from a piece of work.
  virtual void Drain() = 0;
};

/// What was posted before Stop is run.
class BackgroundThread : public Background {
 public:
  BackgroundThread() : thread_([this] { Work(); }) {}
  ~BackgroundThread() override { Stop(); }

  void Post(std::function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
    }
    changed_.notify_all();
  }
  void Drain() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return work_.empty() && !busy_; });
  }
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !work_.empty(); });
      if (work_.empty()) return;
      const std::function<void()> next = std::move(work_.front());
      work_.pop_front();
      busy_ = true;
      lock.unlock();
      next();
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;  // guarded by mutex_, as are the following
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mainstem::runtime
