// What people watch of a job: who waits for what, the bottleneck, and the figures of the report.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mainstem/platform/process.h"
#include "mainstem/runtime/job.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;

// Sums over the lanes of a task.
struct OperatorSums {
  int64_t rows_in = 0;
  int64_t rows_out = 0;
  int64_t busy_ns = 0;
  int64_t open = 0;
};

// By task and operator.
using Sums = std::vector<std::vector<OperatorSums>>;

Sums SumsOf(const plan::JobGraph& graph, const std::vector<const Subtask*>& subtasks) {
  Sums sums(graph.tasks.size());
  for (size_t t = 0; t < graph.tasks.size(); ++t) sums[t].resize(graph.tasks[t].operators.size());
  for (const Subtask* subtask : subtasks) {
    auto& of_task = sums[static_cast<size_t>(subtask->id().task)];
    for (size_t o = 0; o < of_task.size(); ++o) {
      const OperatorFigures& figures = *subtask->chain().figures()[o];
      of_task[o].rows_in += figures.rows_in;
      of_task[o].rows_out += figures.rows_out;
      of_task[o].busy_ns += figures.busy_ns;
      of_task[o].open += figures.calls_open;
    }
  }
  return sums;
}

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

// Why the lanes of each task wait: "2 × input, 1 × replies".
std::vector<std::string> WaitsOf(size_t tasks, const std::vector<const Subtask*>& subtasks) {
  std::vector<std::map<std::string, int>> counts(tasks);
  for (const Subtask* subtask : subtasks) {
    ++counts[static_cast<size_t>(subtask->id().task)][std::string(ToString(subtask->wait()))];
  }
  std::vector<std::string> texts(tasks);
  for (size_t t = 0; t < tasks; ++t) {
    for (const auto& [reason, count] : counts[t]) {
      if (reason == "running" || reason == "ended") continue;
      texts[t] += fmt::format("{}{} × {}", texts[t].empty() ? "" : ", ", count, reason);
    }
  }
  return texts;
}

Json ServicesJson(const plan::JobGraph& graph, const std::vector<std::shared_ptr<Endpoint>>& services) {
  Json list = Json::array();
  for (size_t i = 0; i < services.size(); ++i) {
    const ServiceStats stats = services[i]->Stats();
    list.push_back({{"name", graph.services[i].name},
                    {"calls", stats.calls},
                    {"rows", stats.rows},
                    {"failures", stats.failures},
                    {"busy_s", Seconds(stats.busy_ns)},
                    {"replicas_started", stats.replicas_started},
                    {"replicas_lost", stats.replicas_lost},
                    {"journal_hits", stats.journal_hits},
                    {"journal_writes", stats.journal_writes}});
  }
  return list;
}

Json CheckpointsJson(const CheckpointFigures& figures) {
  Json json = {{"completed", figures.completed},
               {"failed", figures.failed},
               {"last", figures.last},
               {"last_duration_s", Seconds(figures.last_duration_ns)},
               {"last_bytes", figures.last_bytes},
               {"last_in_flight_bytes", figures.last_in_flight_bytes}};
  if (!figures.last_failure.empty()) json["last_failure"] = figures.last_failure;
  return json;
}

}  // namespace

std::string Job::Waiting() const {
  std::string text;
  const auto running = execution();
  for (const Subtask* subtask : running->subtasks()) {
    if (subtask->wait() == Wait::kEnded) continue;
    const auto [task, lane] = subtask->id();
    text += fmt::format("{}task {} ({}) subtask {} waits for {}", text.empty() ? "" : "; ", task,
                        graph_.tasks[static_cast<size_t>(task)].name, lane, ToString(subtask->wait()));
  }
  return text;
}

// The operator that is busiest, or the service that most of the flow waits for.
std::string Job::Bottleneck(const Execution& execution) const {
  std::string name;
  double most = 0;
  const auto elapsed =
      static_cast<double>(std::max<int64_t>(1, environment_.clock->MonotonicNs() - started_ns_));
  const Sums sums = SumsOf(graph_, execution.subtasks());
  for (size_t t = 0; t < sums.size(); ++t) {
    const int lanes = std::max(1, graph_.tasks[t].parallelism);
    for (size_t o = 0; o < sums[t].size(); ++o) {
      const double share = static_cast<double>(sums[t][o].busy_ns) / elapsed / lanes;
      if (share <= most) continue;
      most = share;
      name = fmt::format("{} (computing {:.0f} % of the time)", graph_.tasks[t].operators[o].name, share * 100);
    }
  }
  for (size_t i = 0; i < services_.size(); ++i) {
    const double replicas = std::max(1, graph_.services[i].max_replicas);
    const double share = static_cast<double>(services_[i]->Stats().busy_ns) / elapsed / replicas;
    if (share <= most) continue;
    most = share;
    name = fmt::format("{} (its processes are busy {:.0f} % of the time)", graph_.services[i].name, share * 100);
  }
  return name;
}

std::string Job::FiguresJson() const {
  Status status;
  bool finished = false;
  bool stopped = false;
  int64_t ended_ns = 0;
  int restarts = 0;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
    finished = finished_;
    stopped = stopped_;
    ended_ns = ended_ns_;
    restarts = restarts_;
  }
  const int64_t now = ended_ns != 0 ? ended_ns : environment_.clock->MonotonicNs();
  const int64_t allocated = AllocatedBytes();
  const auto running = execution();
  const std::vector<const Subtask*> subtasks = running ? running->subtasks() : std::vector<const Subtask*>();
  int64_t source_rows = 0, source_bytes = 0, rows = rows_read_, bytes = bytes_read_;
  for (const Subtask* subtask : subtasks) {
    source_rows += subtask->figures().source_rows;
    source_bytes += subtask->figures().source_bytes;
    rows += subtask->figures().rows_written;
    bytes += subtask->figures().bytes_written;
  }
  if (!running) rows = restored_rows_;
  Json json = {{"name", settings_.name},
               {"state", !finished                                     ? "running"
                         : stopped                                     ? "stopped"
                         : status.ok()                                 ? "finished"
                         : ClassOf(status) == ErrorClass::kCancelled ? "cancelled"
                                                                       : "failed"},
               {"seconds", Seconds(now - started_ns_)},
               {"source_rows", source_rows},
               {"source_bytes", source_bytes},
               {"rows", rows},
               {"bytes", bytes},
               {"dead_letters", letters_->count()},
               {"memory_bytes", allocated},
               {"peak_memory_bytes", peak_bytes_.load()},
               {"peak_process_bytes", PeakResidentBytes()},
               {"memory_budget_bytes", settings_.memory_budget}};
  if (!status.ok() && !stopped) json["error"] = status.message();
  json["bottleneck"] = running ? Bottleneck(*running) : "";
  if (checkpointing_) {
    json["restored_from"] = restored_from_;
    json["restored_rows"] = restored_rows_;
    json["restarts"] = restarts;
    json["checkpoints"] = CheckpointsJson(checkpointing_->figures());
  }
  json["operators"] = Json::array();
  const Sums sums = SumsOf(graph_, subtasks);
  const std::vector<std::string> waits = WaitsOf(graph_.tasks.size(), subtasks);
  for (size_t t = 0; t < sums.size() && running; ++t) {
    for (size_t o = 0; o < sums[t].size(); ++o) {
      json["operators"].push_back({{"task", t},
                                   {"name", graph_.tasks[t].operators[o].name},
                                   {"subtasks", running->active_lanes(static_cast<int>(t))},
                                   {"rows_in", sums[t][o].rows_in},
                                   {"rows_out", sums[t][o].rows_out},
                                   {"busy_s", Seconds(sums[t][o].busy_ns)},
                                   {"open", sums[t][o].open},
                                   {"waiting", finished ? "" : waits[t]}});
    }
  }
  json["services"] = ServicesJson(graph_, services_);
  if (!settings_.journal_folder.empty()) {
    for (const char* name : {"journal_hits", "journal_writes"}) {
      int64_t sum = 0;
      for (const Json& service : json["services"]) sum += service[name].get<int64_t>();
      json[name] = sum;
    }
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mainstem::runtime
