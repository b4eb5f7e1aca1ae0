#include "mainstem/runtime/autoscaler.h"

#include <algorithm>

namespace mainstem::runtime {
namespace {

constexpr int kLeastLooks = 4;  // before a decision

bool TooFew(const TaskLook& look) {
  const bool at_work = 2 * look.busy > look.lanes;
  const bool held_up = look.reads_source ? look.readers > 0 && look.readers_waiting_for_input == look.readers
                                         : look.producers_waiting_for_room > 0;
  return at_work && held_up && look.waiting_for_room == 0;
}

bool TooMany(const TaskLook& look) {
  return 2 * look.busy < look.lanes && (look.reads_source || look.producers_waiting_for_room == 0);
}

}  // namespace

std::map<int, int> Autoscaler::Look(const std::vector<TaskLook>& tasks, int64_t now_ns) {
  std::map<int, int> decisions;
  if (settings_.max_parallelism == 0) return decisions;
  for (const TaskLook& look : tasks) {
    auto& watched = watched_.try_emplace(look.task, Watched{.since_ns = now_ns}).first->second;
    ++watched.looks;
    watched.too_few += TooFew(look) ? 1 : 0;
    watched.too_many += TooMany(look) ? 1 : 0;
    if (now_ns - watched.since_ns < settings_.interval_ns || watched.looks < kLeastLooks) continue;
    int lanes = look.lanes;
    if (2 * watched.too_few > watched.looks) lanes *= 2;  // most of the time
    if (10 * watched.too_many > 9 * watched.looks) --lanes;  // nearly always: what comes in bursts keeps its lanes
    lanes = std::clamp(lanes, settings_.min_parallelism, std::max(settings_.min_parallelism, settings_.max_parallelism));
    if (lanes != look.lanes && look.lanes > 0) decisions[look.task] = lanes;
    watched = {.since_ns = now_ns};
  }
  return decisions;
}

}  // namespace mainstem::runtime
