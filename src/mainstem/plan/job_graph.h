// Job graph: what runs: tasks, each a chain of operators in so many subtasks, joined by channels.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/operators/operator.h"
#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// One operator of a task's chain.
struct OperatorSpec {
  std::string name;                        ///< for progress and errors: "project", "call ai.embed_text"
  std::string detail;                      ///< for explain
  OperatorFactory make;
  std::optional<size_t> service;           ///< index into JobGraph::services
  std::shared_ptr<arrow::Schema> output;
};

/// A chain that runs in `parallelism` subtasks. Exactly one of `source` and `inputs` says where rows come from.
struct TaskSpec {
  std::string name;
  int parallelism = 1;
  std::shared_ptr<Source> source;
  ScanRequest scan;
  std::vector<size_t> inputs;              ///< upstream tasks; the position is the operator's input number
  bool concatenates = false;               ///< a union: one input after the other, in one order of its own
  std::vector<int> keys;                   ///< columns of the one input by whose values its rows are spread; else none
  std::vector<OperatorSpec> operators;
  std::shared_ptr<Sink> sink;              ///< of the last task, where rows are written
  std::shared_ptr<arrow::Schema> output;
};

/// Edges: equal parallelism is never joined but by keys; one to many spreads batches by their order, many to one gathers
/// them in order. A task with keys gets each row in the subtask that owns the row's key, every key's rows in the order of
/// the source; what it makes is read as it comes. Tasks stand in topological order; the last one is the root.
struct JobGraph {
  bool keyed(size_t task) const { return !tasks[task].keys.empty(); }
  std::vector<TaskSpec> tasks;
  std::vector<ServiceSpec> services;
  Columns output;
};

/// Cuts an optimised plan into tasks.
Result<JobGraph> MakeJobGraph(const LogicalNode& root, const Registry& registry, int parallelism);

/// What restarts together when a part of a job with checkpoints fails, as a line for people.
std::string DescribeRegions(const JobGraph& graph);

/// The graph as text, one paragraph a task.
std::string ToString(const JobGraph& graph);

}  // namespace mainstem::plan
