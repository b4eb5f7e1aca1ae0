#include "mainstem/simulation/topology.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "mainstem/operators/call.h"
#include "mainstem/operators/over.h"

namespace mainstem::simulation {
namespace {

constexpr std::string_view kNames[] = {"pointwise", "keyed", "spread", "union", "calls", "rescaling"};

std::shared_ptr<arrow::Schema> KeySchema() {
  return arrow::schema({arrow::field("id", arrow::int64()), arrow::field("key", arrow::int64())});
}

std::shared_ptr<arrow::Schema> CountSchema() {
  return arrow::schema({arrow::field("id", arrow::int64()), arrow::field("count", arrow::int64())});
}

/// Passes rows on, unless it is time to fail.
class Flaky : public Operator {
 public:
  explicit Flaky(std::shared_ptr<FlakyRows> flaky) : flaky_(std::move(flaky)) {}
  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    if (flaky_->failures_left > 0 && batch.rows->num_rows() > 0) {
      --flaky_->failures_left;
      return RetryError("a busy server");
    }
    output.Emit(batch);
    return Progress::kDone;
  }

 private:
  std::shared_ptr<FlakyRows> flaky_;
};

/// id, content → id, key
class KeyOf : public Operator {
 public:
  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    std::vector<int64_t> keys;
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    for (int64_t i = 0; i < ids.length(); ++i) keys.push_back(ids.Value(i) % kKeys);
    Batch keyed = batch;
    keyed.rows = arrow::RecordBatch::Make(KeySchema(), ids.length(), {batch.rows->column(0), Int64s(keys)});
    output.Emit(std::move(keyed));
    return Progress::kDone;
  }
};

/// id, key, count → id, count
class WithoutKey : public Operator {
 public:
  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    Batch counted = batch;
    counted.rows = arrow::RecordBatch::Make(CountSchema(), batch.rows->num_rows(),
                                            {batch.rows->column(0), batch.rows->column(2)});
    output.Emit(std::move(counted));
    return Progress::kDone;
  }
};

plan::OperatorSpec FlakySpec(std::shared_ptr<FlakyRows> flaky) {
  return {.name = "flaky",
          .make = [flaky = std::move(flaky)]() -> Result<std::unique_ptr<Operator>> {
            return std::make_unique<Flaky>(flaky);
          },
          .output = RowSchema()};
}

template <typename Made>
plan::OperatorSpec Spec(std::string name, std::shared_ptr<arrow::Schema> output) {
  return {.name = std::move(name),
          .make = []() -> Result<std::unique_ptr<Operator>> { return std::make_unique<Made>(); },
          .output = std::move(output)};
}

plan::TaskSpec CountTask(int parallelism, plan::OperatorSpec flaky) {
  auto counted = KeySchema()->AddField(2, arrow::field("count", arrow::int64())).ValueOrDie();
  const auto make = [counted]() -> Result<std::unique_ptr<Operator>> {
    return MakeOver({1}, {{.function = "row_number"}}, counted);
  };
  return {.name = "count", .parallelism = parallelism, .inputs = {0}, .keys = {1},
          .operators = {{.name = "over", .make = make, .output = counted}, std::move(flaky),
                        Spec<WithoutKey>("without key", CountSchema())},
          .output = CountSchema()};
}

std::shared_ptr<arrow::Schema> AnsweredSchema() {
  return RowSchema()->AddField(2, arrow::field("answer", arrow::int64())).ValueOrDie();
}

plan::OperatorSpec CallSpec() {
  return {.name = "call",
          .make = []() -> Result<std::unique_ptr<Operator>> {
            CallOptions options{.name = "price", .arguments = {0}};
            options.call = arrow::schema({arrow::field("id", arrow::int64())});
            return MakeCall(options, {{"id", LogicalType::Int64()}, {"content", LogicalType::Int64()}},
                            AnsweredSchema());
          },
          .service = 0,
          .output = AnsweredSchema()};
}

}  // namespace

std::string_view ToString(Topology topology) { return kNames[static_cast<size_t>(topology)]; }

std::optional<Topology> ParseTopology(std::string_view name) {
  for (const Topology topology : kTopologies) {
    if (ToString(topology) == name) return topology;
  }
  return {};
}

JobShape DrawShape(World& world, Topology topology) {
  SeededRandom& random = world.random;
  JobShape shape{.topology = topology};
  SourceShape source{.splits = random.Between(4, 10), .rows = random.Between(2, 8), .unbounded = random.OneIn(2)};
  // A union reads its first input to its end.
  if (topology == Topology::kUnion) source.unbounded = false;
  shape.sources.push_back(source);
  if (topology == Topology::kUnion) {
    source.first = 1000;
    source.splits = random.Between(2, 6);
    shape.sources.push_back(source);
  }
  return shape;
}

plan::JobGraph MakeGraph(World& world, const JobShape& shape, int parallelism, std::shared_ptr<Sink> sink,
                         std::shared_ptr<FlakyRows> flaky) {
  plan::JobGraph graph;
  for (const SourceShape& source : shape.sources) {
    graph.tasks.push_back({.name = "source", .parallelism = parallelism,
                           .source = MakeSimulatedSource(world, source), .operators = {FlakySpec(flaky)},
                           .output = RowSchema()});
  }
  switch (shape.topology) {
    case Topology::kPointwise:
    case Topology::kRescaling: break;
    case Topology::kCalls:
      graph.tasks[0].operators.push_back(CallSpec());
      graph.tasks[0].output = AnsweredSchema();
      graph.services.push_back({.name = "price",
                                .payload = "price",
                                .input = arrow::schema({arrow::field("id", arrow::int64())}),
                                .output = arrow::schema({arrow::field("answer", arrow::int64())}),
                                .journal_identity = "price-1"});
      break;
    case Topology::kKeyed:
      graph.tasks[0].operators.push_back(Spec<KeyOf>("key", KeySchema()));
      graph.tasks[0].output = KeySchema();
      graph.tasks.push_back(CountTask(parallelism, FlakySpec(flaky)));
      break;
    case Topology::kSpread:
      graph.tasks.push_back({.name = "gather", .parallelism = 1, .inputs = {0}, .operators = {FlakySpec(flaky)},
                             .output = RowSchema()});
      graph.tasks.push_back({.name = "spread", .parallelism = parallelism, .inputs = {1},
                             .operators = {FlakySpec(flaky)}, .output = RowSchema()});
      break;
    case Topology::kUnion:
      graph.tasks.push_back({.name = "union", .parallelism = 1, .inputs = {0, 1}, .concatenates = true,
                             .operators = {FlakySpec(flaky)}, .output = RowSchema()});
      break;
  }
  graph.tasks.back().sink = std::move(sink);
  return graph;
}

std::vector<std::string> ExpectedLines(const JobShape& shape) {
  std::vector<std::string> lines;
  for (const SourceShape& source : shape.sources) {
    for (int64_t id = source.first; id < source.first + source.splits * source.rows; ++id) {
      std::string line = std::to_string(id);
      if (shape.topology != Topology::kKeyed) line += " " + std::to_string(ContentOf(id));
      if (shape.topology == Topology::kCalls) line += " " + std::to_string(AnswerOf(id));
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::map<int64_t, int64_t> ExpectedCounts(const JobShape& shape) {
  std::map<int64_t, int64_t> counts;
  if (shape.topology != Topology::kKeyed) return counts;
  for (const SourceShape& source : shape.sources) {
    for (int64_t id = source.first; id < source.first + source.splits * source.rows; ++id) ++counts[id % kKeys];
  }
  return counts;
}

}  // namespace mainstem::simulation
