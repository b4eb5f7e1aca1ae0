// Autoscaler: decides from who waits for what in how many subtasks a task should run. Looks in, decisions out.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace mainstem::runtime {

struct AutoscalerSettings {
  int min_parallelism = 1;
  int max_parallelism = 0;                 ///< 0: no task is rescaled
  int64_t interval_ns = 5'000'000'000;     ///< between two decisions about a task
};

/// What the lanes of a task and its neighbours were doing at one moment.
struct TaskLook {
  int task = 0;
  bool reads_source = false;               ///< else it takes its keys of others
  int lanes = 0;                           ///< that take splits, or own keys
  int busy = 0;                            ///< of these: at work, or with calls open
  int waiting_for_room = 0;                ///< of these
  int producers_waiting_for_room = 0;      ///< of all that it reads
  int readers = 0;
  int readers_waiting_for_input = 0;
};

/// A pure state machine: no clock, no threads. A task that holds others up (backpressure in front of it, or hunger behind
/// it) while its own lanes are at work gets twice as many; one whose lanes have nothing to do, or no room for what they
/// make, loses one.
class Autoscaler {
 public:
  explicit Autoscaler(AutoscalerSettings settings) : settings_(settings) {}

  /// Takes note of a look at every task that can be rescaled; returns which are to be rescaled now: task → lanes.
  std::map<int, int> Look(const std::vector<TaskLook>& tasks, int64_t now_ns);

 private:
  struct Watched {
    int64_t since_ns = 0;
    int looks = 0;
    int too_few = 0;
    int too_many = 0;
  };

  const AutoscalerSettings settings_;
  std::map<int, Watched> watched_;
};

}  // namespace mainstem::runtime
