// Thread: a named thread that the operating system's signals do not reach.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace mainstem {

/// Runs a function; joined when it goes. Signals of the process (Ctrl-C) are left to the threads of the program
/// that the engine is embedded in.
class Thread {
 public:
  Thread() = default;
  /// `name` is cut to 15 bytes, what the operating system keeps.
  Thread(const std::string& name, std::function<void()> run);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = delete;
  ~Thread();

  bool IsCurrent() const { return thread_.get_id() == std::this_thread::get_id(); }
  void Join();
  /// Lets it run on alone; for the case that it is about to end and is itself the caller.
  void Detach();

 private:
  std::thread thread_;
};

}  // namespace mainstem
