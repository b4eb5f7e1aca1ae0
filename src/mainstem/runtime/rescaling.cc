// How lanes come and go while a job runs.
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/operators/key_partition.h"
#include "mainstem/runtime/execution.h"
#include "mainstem/runtime/rekeying.h"

namespace mainstem::runtime {

Result<int> Execution::Rescale(int task_index, int lanes, int64_t barrier, const Announce& announce,
                               const WhileIdle& while_idle) {
  const std::lock_guard one_at_a_time(rescaling_);
  const auto index = static_cast<size_t>(task_index);
  if (task_index < 0 || index >= tasks_.size()) return JobError(fmt::format("there is no task {}", task_index));
  const plan::TaskSpec& spec = graph().tasks[index];
  const auto refused = [&](const char* why) {
    return JobError(fmt::format("task {} ({}) cannot be rescaled while it runs: {}", task_index, spec.name, why));
  };
  if (!spec.source && spec.keys.empty()) {
    return refused("only a task that reads a source, or takes its keys of another, can");
  }
  if (!spec.keys.empty() && lanes > kKeyGroups) return refused("there are 128 key groups, so 128 subtasks at most");
  if (!tasks_[index].reader && !spec.sink) return refused("its rows are being read; write them");
  return pointwise() ? RescaleAlone(index, lanes, barrier, announce) : RescaleJoined(index, lanes, barrier, while_idle);
}

std::vector<const Subtask*> Execution::Active(size_t index) const {
  const Task& task = tasks_[index];
  std::vector<const Subtask*> active;
  for (const auto& slot : task.slots) {
    const Subtask* subtask = slot->subtask.load();
    if (subtask == nullptr || subtask->wait() == Wait::kEnded || subtask->retiring()) continue;
    if (!graph().keyed(index) || Owns(task, subtask->id().lane)) active.push_back(subtask);
  }
  return active;
}

std::vector<TaskLook> Execution::Look() const {
  const std::lock_guard lock(mutex_);
  const auto waiting = [&](size_t task, Wait wait) {
    const auto active = Active(task);
    return static_cast<int>(std::count_if(active.begin(), active.end(), [&](const Subtask* s) { return s->wait() == wait; }));
  };
  std::vector<TaskLook> looks;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const plan::TaskSpec& spec = graph().tasks[i];
    const bool can_be = (spec.source || !spec.keys.empty()) && (tasks_[i].reader || spec.sink);
    if (!can_be) continue;
    TaskLook look{.task = static_cast<int>(i), .reads_source = spec.source != nullptr,
                  .lanes = static_cast<int>(Active(i).size()),
                  .busy = waiting(i, Wait::kNothing) + waiting(i, Wait::kReply),
                  .waiting_for_room = waiting(i, Wait::kRoom)};
    for (const size_t input : spec.inputs) look.producers_waiting_for_room += waiting(input, Wait::kRoom);
    if (tasks_[i].reader) {
      look.readers = static_cast<int>(Active(*tasks_[i].reader).size());
      look.readers_waiting_for_input = waiting(*tasks_[i].reader, Wait::kInput);
    }
    looks.push_back(look);
  }
  return looks;
}

// The lanes of a task share nothing but their splits.
Result<int> Execution::RescaleAlone(size_t index, int lanes, int64_t barrier, const Announce& announce) {
  Task& task = tasks_[index];
  std::vector<std::shared_ptr<Slot>> added;
  {
    const std::lock_guard lock(mutex_);
    // A lane that retires, or has, keeps its number: its snapshots and its splits go by it. New ones come behind.
    int active = 0;
    for (const auto& slot : task.slots) {
      Subtask* subtask = slot->subtask.load();
      if (subtask->retiring() || subtask->wait() == Wait::kEnded) continue;
      if (++active <= lanes) continue;
      subtask->Retire();
      parts_.executor->Wake(subtask);
    }
    for (; active < lanes; ++active) {
      const auto lane = static_cast<int>(task.slots.size());
      task.slots.push_back(std::make_shared<Slot>());
      task.outputs.emplace_back();
      ARROW_ASSIGN_OR_RAISE(auto subtask, BuildLane(index, lane, parts_.attempt, barrier, /*retiring=*/false));
      task.slots.back()->subtask = subtask.get();
      subtasks_.push_back(std::move(subtask));  // barriers reach it from here on
      added.push_back(task.slots.back());
    }
  }
  // Without the lock: whoever hears of them may be waiting for it.
  int came = 0;
  for (const auto& slot : added) {
    Subtask* subtask = slot->subtask.load();
    if (!announce(subtask->id())) {
      subtask->CallOff();
      continue;
    }
    slot->started = true;
    parts_.executor->Wake(subtask);
    ++came;
  }
  return came;
}

// Everybody whom the change concerns is paused between two steps; what stands in channels is moved as it stands.
Result<int> Execution::RescaleJoined(size_t index, int lanes, int64_t barrier, const WhileIdle& while_idle) {
  std::vector<std::unique_lock<std::mutex>> paused;
  for (Subtask* subtask : Around(index)) paused.push_back(subtask->Pause());
  int came = 0;
  const Status status = while_idle([&](const Announce& announce) -> Status {
    ARROW_ASSIGN_OR_RAISE(came, Change(index, lanes, barrier, announce));
    return Status::OK();
  });
  paused.clear();
  WakeAll();
  ARROW_RETURN_NOT_OK(status);
  return came;
}

// The lanes of a task, of those that it reads, and of the one that reads it.
std::vector<Subtask*> Execution::Around(size_t index) const {
  const std::lock_guard lock(mutex_);
  std::vector<size_t> tasks = graph().tasks[index].inputs;
  tasks.push_back(index);
  if (tasks_[index].reader) tasks.push_back(*tasks_[index].reader);
  std::vector<Subtask*> around;
  for (const size_t task : tasks) {
    for (const auto& slot : tasks_[task].slots) around.push_back(slot->subtask.load());
  }
  return around;
}

Status Execution::CheckMayChange(size_t index) const {
  for (const Subtask* subtask : Around(index)) {
    if (!subtask->AtRest()) return RetryError("barriers of an earlier checkpoint are on their way");
  }
  const std::lock_guard lock(mutex_);
  const Task& task = tasks_[index];
  for (const int lane : task.owners) {
    if (task.slots[static_cast<size_t>(lane)]->subtask.load()->input_ended()) {
      return JobError(fmt::format("task {} has read all its input", index));
    }
  }
  if (!task.reader) return Status::OK();
  for (const auto& slot : tasks_[*task.reader].slots) {
    const Subtask* reader = slot->subtask.load();
    const bool reads = !graph().keyed(*task.reader) || Owns(tasks_[*task.reader], reader->id().lane);
    if (reads && reader->input_ended()) return JobError(fmt::format("nothing is read of task {} any more", index));
  }
  return Status::OK();
}

Result<int> Execution::Change(size_t index, int lanes, int64_t barrier, const Announce& announce) {
  ARROW_RETURN_NOT_OK(CheckMayChange(index));
  Task& task = tasks_[index];
  const bool keyed = graph().keyed(index);
  std::vector<int> active;
  for (const auto& slot : task.slots) {
    const Subtask* subtask = slot->subtask.load();
    const bool takes = keyed ? Owns(task, subtask->id().lane) : !subtask->retiring() && !subtask->input_ended();
    if (takes) active.push_back(subtask->id().lane);
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<Subtask*> added,
                        BuildAdded(index, std::max(0, lanes - static_cast<int>(active.size())), barrier));
  // Without the lock: whoever hears of them may be waiting for it.
  size_t announced = 0;
  while (announced < added.size() && announce(added[announced]->id())) ++announced;
  if (announced < added.size()) {
    // The job is being stopped: who was announced is waited for, and ends as soon as it runs.
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < added.size(); ++i) {
      const int lane = added[i]->id().lane;
      std::erase(task.owners, lane);
      if (i < announced) {
        task.slots[static_cast<size_t>(lane)]->started = true;
      } else {
        added[i]->CallOff();
      }
    }
    return JobError("the job is about to end");
  }
  const std::lock_guard lock(mutex_);
  Join(index, added);
  if (keyed) {
    std::vector<int> owners = active;
    for (const Subtask* subtask : added) owners.push_back(subtask->id().lane);
    owners.resize(static_cast<size_t>(lanes));
    ARROW_RETURN_NOT_OK(MoveKeys(index, active, owners));
    return static_cast<int>(added.size());
  }
  for (size_t i = static_cast<size_t>(lanes); i < active.size(); ++i) {
    task.slots[static_cast<size_t>(active[i])]->subtask.load()->Retire();
  }
  return static_cast<int>(added.size());
}

// New lanes with their channels, which nobody writes or reads yet.
Result<std::vector<Subtask*>> Execution::BuildAdded(size_t index, int count, int64_t barrier) {
  const std::lock_guard lock(mutex_);
  Task& task = tasks_[index];
  const size_t readers = task.reader ? tasks_[*task.reader].slots.size() : 0;
  std::vector<Subtask*> added;
  for (int i = 0; i < count; ++i) {
    const size_t lane = task.slots.size();
    task.slots.push_back(std::make_shared<Slot>());
    if (graph().keyed(index)) task.owners.push_back(static_cast<int>(lane));
    task.outputs.emplace_back();
    for (size_t r = 0; r < readers; ++r) task.outputs[lane].push_back(MakeOutput(index, lane, r));
    for (const size_t upstream : graph().tasks[index].inputs) {
      for (size_t p = 0; p < tasks_[upstream].outputs.size(); ++p) {
        tasks_[upstream].outputs[p].push_back(MakeOutput(upstream, p, lane));
        const Subtask* producer = tasks_[upstream].slots[p]->subtask.load();
        if (producer->wait() == Wait::kEnded) tasks_[upstream].outputs[p].back()->End();
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto subtask, BuildLane(index, static_cast<int>(lane), parts_.attempt, barrier,
                                                  /*retiring=*/false));
    task.slots[lane]->subtask = subtask.get();
    added.push_back(subtask.get());
    subtasks_.push_back(std::move(subtask));  // barriers reach it from here on
  }
  return added;
}

// Readers of the task read the new lanes as well.
void Execution::Join(size_t index, const std::vector<Subtask*>& added) {
  Task& task = tasks_[index];
  for (Subtask* subtask : added) {
    const auto lane = static_cast<size_t>(subtask->id().lane);
    task.slots[lane]->started = true;
    if (!task.reader) continue;
    const auto& inputs = graph().tasks[*task.reader].inputs;
    const auto input = static_cast<size_t>(std::find(inputs.begin(), inputs.end(), index) - inputs.begin());
    for (size_t r = 0; r < tasks_[*task.reader].slots.size(); ++r) {
      Subtask* reader = tasks_[*task.reader].slots[r]->subtask.load();
      if (!reader->cut_off()) reader->AddInput(input, task.outputs[lane][r]);
    }
  }
}

// Divides the keys anew. Lanes that own none afterwards do what they have and end.
Status Execution::MoveKeys(size_t index, const std::vector<int>& from, const std::vector<int>& owners) {
  Task& task = tasks_[index];
  const auto lane_of = [&](int lane) { return task.slots[static_cast<size_t>(lane)]->subtask.load(); };
  std::map<int, Snapshot> lanes;
  for (const int lane : from) lanes[lane] = lane_of(lane)->TakeKeyed();
  Status status = Rekey(graph().tasks[index].keys, owners, parts_.plants, &lanes);
  task.owners = owners;
  for (auto& [lane, snapshot] : lanes) {
    if (status.ok()) status = lane_of(lane)->GiveKeyed(std::move(snapshot));
    if (Owns(task, lane)) continue;
    lane_of(lane)->CutOff();
    for (const size_t upstream : graph().tasks[index].inputs) {
      for (const auto& outputs : tasks_[upstream].outputs) outputs[static_cast<size_t>(lane)]->Close();
    }
  }
  for (const size_t upstream : graph().tasks[index].inputs) {
    for (size_t p = 0; p < tasks_[upstream].slots.size(); ++p) {
      tasks_[upstream].slots[p]->subtask.load()->SetOutputs(tasks_[upstream].outputs[p], task.owners);
    }
  }
  // What was taken out is lost then.
  for (const int lane : task.owners) {
    if (!status.ok()) lane_of(lane)->Spoil(status);
  }
  return status;
}

}  // namespace mainstem::runtime
