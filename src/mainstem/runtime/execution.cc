#include "mainstem/runtime/execution.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mainstem/runtime/rekeying.h"

namespace mainstem::runtime {
namespace {

std::shared_ptr<arrow::Schema> ScanSchema(const plan::TaskSpec& task) {
  if (task.scan.all_columns) return task.source->schema();
  arrow::FieldVector fields;
  for (const std::string& name : task.scan.columns) fields.push_back(task.source->schema()->GetFieldByName(name));
  return arrow::schema(std::move(fields));
}

// The entries of one task, by lane.
std::map<int, int64_t> LanesOf(const std::map<SubtaskId, int64_t>& taken_at, size_t task) {
  std::map<int, int64_t> lanes;
  for (const auto& [id, barrier] : taken_at) {
    if (id.task == static_cast<int>(task)) lanes[id.lane] = barrier;
  }
  return lanes;
}

// Lanes that a snapshot holds of a task.
int LanesIn(const RestoredState& restored, size_t task) {
  int lanes = 0;
  for (const auto& [id, snapshot] : restored.lanes) {
    if (id.task == static_cast<int>(task)) lanes = std::max(lanes, id.lane + 1);
  }
  return lanes;
}

std::vector<std::pair<int64_t, int>> RouterState(const RestoredState& restored, size_t task) {
  for (const auto& [id, snapshot] : restored.lanes) {
    if (id.task != static_cast<int>(task) || !snapshot.texts.contains("router")) continue;
    const auto json = nlohmann::json::parse(snapshot.Text("router"), nullptr, false);
    if (json.is_array()) return json.get<std::vector<std::pair<int64_t, int>>>();
  }
  return {};
}

// The first order that no batch of the task has had when the snapshot was taken.
int64_t FirstNewOrder(const RestoredState& restored, size_t task) {
  int64_t order = 0;
  for (const auto& [id, snapshot] : restored.lanes) {
    if (id.task == static_cast<int>(task)) order = std::max(order, snapshot.Number("newest_order", -1) + 1);
  }
  return order;
}

}  // namespace

Result<std::unique_ptr<Execution>> Execution::Make(ExecutionParts parts, RestoredState restored) {
  std::unique_ptr<Execution> execution(new Execution(std::move(parts)));
  ARROW_RETURN_NOT_OK(execution->Prepare(restored));
  for (size_t i = 0; i < execution->tasks_.size(); ++i) ARROW_RETURN_NOT_OK(execution->BuildTask(i, restored));
  return execution;
}

Execution::~Execution() = default;

// Slots, routers and queues: everything that lanes of different tasks share.
Status Execution::Prepare(const RestoredState& restored) {
  const auto& specs = graph().tasks;
  tasks_.resize(specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    Task& task = tasks_[i];
    const int lanes = std::max(specs[i].parallelism, LanesIn(restored, i));
    for (int lane = 0; lane < lanes; ++lane) task.slots.push_back(std::make_shared<Slot>());
    task.outputs.resize(task.slots.size());
    for (int lane = 0; graph().keyed(i) && lane < specs[i].parallelism; ++lane) task.owners.push_back(lane);
    for (size_t k = i + 1; k < specs.size(); ++k) {
      if (std::find(specs[k].inputs.begin(), specs[k].inputs.end(), i) != specs[k].inputs.end()) task.reader = k;
    }
    if (specs[i].source) {
      const auto state = restored.sources.find(static_cast<int>(i));
      ScanRequest scan = specs[i].scan;
      scan.clock = parts_.clock;
      ARROW_ASSIGN_OR_RAISE(task.splits, SplitQueue::Make(*specs[i].source, scan,
                                                          state == restored.sources.end() ? "" : state->second));
      task.scan_schema = ScanSchema(specs[i]);
    }
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    const int readers = tasks_[i].reader ? specs[*tasks_[i].reader].parallelism : 1;
    auto lanes_from = RouterState(restored, i);
    if (lanes_from.empty()) {
      lanes_from = {{0, readers}};
    } else if (lanes_from.back().second != readers) {
      lanes_from.emplace_back(FirstNewOrder(restored, i), readers);
    }
    tasks_[i].router = std::make_shared<Router>(std::move(lanes_from));
  }
  return Status::OK();
}

std::function<void()> Execution::WakeSlot(const std::shared_ptr<Slot>& slot) const {
  return [slot, executor = parts_.executor] {
    if (!slot->started.load()) return;
    if (Subtask* subtask = slot->subtask.load()) executor->Wake(subtask);
  };
}

bool Execution::Owns(const Task& task, int lane) {
  return std::find(task.owners.begin(), task.owners.end(), lane) != task.owners.end();
}

InputGate::Reads Execution::ReadsOf(size_t upstream) const {
  return graph().keyed(upstream) ? InputGate::Reads::kAsTheyCome : InputGate::Reads::kInOrder;
}

std::shared_ptr<Channel> Execution::MakeOutput(size_t index, size_t lane, size_t reader_lane) {
  const Task& task = tasks_[index];
  auto channel = MakeChannel(task, index, lane, reader_lane);
  const bool wanted = !task.reader || !graph().keyed(*task.reader) ||
                      Owns(tasks_[*task.reader], static_cast<int>(reader_lane));
  if (!wanted) channel->Close();
  return channel;
}

std::shared_ptr<Channel> Execution::MakeChannel(const Task& task, size_t index, size_t lane, size_t reader_lane) {
  // Where rows are spread by keys, every lane has a channel to every reader.
  const bool spreads = task.reader && graph().keyed(*task.reader);
  const int64_t sharers = std::max<int64_t>(1, graph().tasks[index].parallelism) *
                          (spreads ? std::max<int64_t>(1, graph().tasks[*task.reader].parallelism) : 1);
  const int64_t share = parts_.memory_budget / (32 * sharers);
  const int64_t bytes = std::min(std::max<int64_t>(share, 1 << 20), parts_.channel_bytes_most);
  return std::make_shared<Channel>(
      bytes, WakeSlot(task.slots[lane]),
      task.reader ? WakeSlot(tasks_[*task.reader].slots[reader_lane]) : parts_.wake_reader);
}

// Keys may be divided among other lanes than those that left the snapshots.
Status Execution::RekeyRestored(size_t index, RestoredState& restored) {
  const auto task = static_cast<int>(index);
  std::map<int, Snapshot> lanes;
  for (auto& [id, snapshot] : restored.lanes) {
    if (id.task == task) lanes[id.lane] = std::move(snapshot);
  }
  if (lanes.empty()) return Status::OK();
  ARROW_RETURN_NOT_OK(Rekey(graph().tasks[index].keys, tasks_[index].owners, parts_.plants, &lanes));
  for (auto& [lane, snapshot] : lanes) restored.lanes[{task, lane}] = std::move(snapshot);
  return Status::OK();
}

Status Execution::BuildTask(size_t index, RestoredState& restored) {
  Task& task = tasks_[index];
  const plan::TaskSpec& spec = graph().tasks[index];
  if (graph().keyed(index)) ARROW_RETURN_NOT_OK(RekeyRestored(index, restored));
  const size_t readers = spec.sink ? 0 : task.reader ? tasks_[*task.reader].slots.size() : 1;
  for (size_t lane = 0; lane < task.slots.size(); ++lane) {
    for (size_t r = 0; r < readers; ++r) task.outputs[lane].push_back(MakeOutput(index, lane, r));
  }
  for (size_t lane = 0; lane < task.slots.size(); ++lane) {
    const SubtaskId id{static_cast<int>(index), static_cast<int>(lane)};
    const auto taken_at = restored.taken_at.find(id);
    ARROW_ASSIGN_OR_RAISE(auto subtask, BuildLane(index, id.lane, parts_.attempt,
                                                  taken_at == restored.taken_at.end() ? 0 : taken_at->second,
                                                  id.lane >= spec.parallelism));
    const auto snapshot = restored.lanes.find(id);
    if (snapshot != restored.lanes.end()) ARROW_RETURN_NOT_OK(subtask->Restore(std::move(snapshot->second)));
    task.slots[lane]->subtask = subtask.get();
    subtasks_.push_back(std::move(subtask));
  }
  if (!task.reader && !spec.sink) {
    std::vector<std::shared_ptr<Channel>> channels;
    for (const auto& outputs : task.outputs) channels.push_back(outputs[0]);
    result_ = std::make_unique<InputGate>(std::move(channels), ReadsOf(index));
  }
  return Status::OK();
}

Result<std::unique_ptr<Subtask>> Execution::BuildLane(size_t index, int lane, const std::string& attempt,
                                                      int64_t barrier, bool retiring) {
  const plan::TaskSpec& spec = graph().tasks[index];
  Task& task = tasks_[index];
  const auto position = static_cast<size_t>(lane);
  SubtaskParts parts{.id = {static_cast<int>(index), lane}, .host = parts_.host};
  ChainParts chain{.task = &spec,
                   .services = parts_.services,
                   .fetcher = parts_.fetcher,
                   .target_batch_bytes =
                       std::clamp<int64_t>(parts_.memory_budget / (32 * parts_.threads), 256 << 10, 8 << 20),
                   .holding_limit_bytes = parts_.memory_budget,
                   .set_aside = [set_aside = parts_.set_aside,
                                 id = parts.id](DeadLetter letter) { set_aside(id, std::move(letter)); },
                   .wake = WakeSlot(task.slots[position]),
                   .now_ns = [clock = parts_.clock] { return clock->MonotonicNs(); }};
  ARROW_ASSIGN_OR_RAISE(parts.chain, Chain::Make(std::move(chain)));
  const Subtask* earlier = task.slots[position]->subtask.load();
  if (parts_.plants.accept_stale_replies && earlier != nullptr) parts.chain->AnswerForOld(earlier->chain());
  parts.source = spec.source;
  parts.scan = spec.scan;
  parts.scan_schema = task.scan_schema;
  parts.splits = task.splits;
  parts.concatenates = spec.concatenates;
  parts.renumber = spec.concatenates || graph().keyed(index);
  // A lane that owns no keys any more does what it has and gets nothing new.
  const bool cut_off = graph().keyed(index) && !Owns(task, lane);
  for (const size_t upstream : spec.inputs) {
    parts.renumber |= graph().keyed(upstream);
    if (cut_off) continue;
    std::vector<std::shared_ptr<Channel>> channels;
    for (const auto& producer : tasks_[upstream].outputs) channels.push_back(producer[position]);
    parts.inputs.push_back(std::make_unique<InputGate>(std::move(channels), ReadsOf(upstream)));
  }
  parts.router = task.router;
  if (task.reader) {
    parts.reader_keys = graph().tasks[*task.reader].keys;
    parts.owners = tasks_[*task.reader].owners;
  }
  parts.outputs = task.outputs[position];
  parts.barrier = barrier;
  parts.retiring = retiring;
  parts.plants = parts_.plants;
  if (spec.sink) {
    ARROW_ASSIGN_OR_RAISE(parts.writer, spec.sink->OpenWriter(lane, attempt));
  }
  return std::make_unique<Subtask>(std::move(parts));
}

void Execution::Start() {
  // Those nearest the sink first: they find nothing to do and wait, and no wake is lost.
  const std::lock_guard lock(mutex_);
  for (const Task& task : tasks_) {
    for (const auto& slot : task.slots) slot->started = true;
  }
  for (auto subtask = subtasks_.rbegin(); subtask != subtasks_.rend(); ++subtask) {
    parts_.executor->Wake(subtask->get());
  }
}

void Execution::WakeAll() {
  const std::lock_guard lock(mutex_);
  for (const Task& task : tasks_) {
    for (const auto& slot : task.slots) {
      if (!slot->started.load()) continue;
      if (Subtask* subtask = slot->subtask.load()) parts_.executor->Wake(subtask);
    }
  }
}

void Execution::Request(int64_t checkpoint) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& subtask : subtasks_) subtask->Request(checkpoint);
  }
  WakeAll();
}

Status Execution::RestartLane(SubtaskId id, std::optional<Snapshot> snapshot, int64_t taken_at,
                              const std::string& attempt) {
  const std::lock_guard lock(mutex_);
  const auto index = static_cast<size_t>(id.task);
  Task& task = tasks_[index];
  if (task.splits) task.splits->GiveBack(id.lane, taken_at);
  const Subtask* failed = task.slots[static_cast<size_t>(id.lane)]->subtask.load();
  ARROW_ASSIGN_OR_RAISE(auto subtask, BuildLane(index, id.lane, attempt, taken_at, failed->retiring()));
  if (snapshot) ARROW_RETURN_NOT_OK(subtask->Restore(std::move(*snapshot)));
  task.slots[static_cast<size_t>(id.lane)]->subtask = subtask.get();
  parts_.executor->Wake(subtask.get());
  subtasks_.push_back(std::move(subtask));
  return Status::OK();
}

std::map<int, std::string> Execution::SourceStates(const std::map<SubtaskId, int64_t>& taken_at) const {
  std::map<int, std::string> states;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (!tasks_[i].splits) continue;
    states[static_cast<int>(i)] = tasks_[i].splits->State(LanesOf(taken_at, i));
  }
  return states;
}

void Execution::Covered(const std::map<SubtaskId, int64_t>& taken_at) {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (!tasks_[i].splits) continue;
    tasks_[i].splits->Covered(LanesOf(taken_at, i));
  }
}

std::vector<const Subtask*> Execution::subtasks() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Subtask*> subtasks;
  for (const Task& task : tasks_) {
    for (const auto& slot : task.slots) {
      if (const Subtask* subtask = slot->subtask.load()) subtasks.push_back(subtask);
    }
  }
  return subtasks;
}

std::vector<SubtaskId> Execution::lanes() const {
  std::vector<SubtaskId> lanes;
  for (const Subtask* subtask : subtasks()) lanes.push_back(subtask->id());
  return lanes;
}

int Execution::active_lanes(int task) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(Active(static_cast<size_t>(task)).size());
}

}  // namespace mainstem::runtime
