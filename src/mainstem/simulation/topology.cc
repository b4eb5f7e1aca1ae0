#include "mainstem/simulation/topology.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <array>

#include "mainstem/operators/call.h"

namespace mainstem::simulation {
namespace {

constexpr std::string_view kNames[] = {"pointwise", "keyed", "spread", "union", "calls", "rescaling"};

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

/// id, content → id, how many rows of the id's key have come, this one included.
class CountKeys : public Operator {
 public:
  Status Open(OperatorContext& context) override {
    for (size_t key = 0; key < counts_.size(); ++key) {
      context.state().Number("count/" + std::to_string(key), &counts_[key]);
    }
    return Status::OK();
  }
  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    std::vector<int64_t> counts;
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    for (int64_t i = 0; i < ids.length(); ++i) counts.push_back(++counts_[static_cast<size_t>(ids.Value(i) % kKeys)]);
    Batch counted = batch;
    counted.rows = arrow::RecordBatch::Make(RowSchema(), ids.length(), {batch.rows->column(0), Int64s(counts)});
    output.Emit(std::move(counted));
    return Progress::kDone;
  }

 private:
  std::array<int64_t, kKeys> counts_{};
};

plan::OperatorSpec FlakySpec(std::shared_ptr<FlakyRows> flaky) {
  return {.name = "flaky",
          .make = [flaky = std::move(flaky)]() -> Result<std::unique_ptr<Operator>> {
            return std::make_unique<Flaky>(flaky);
          },
          .output = RowSchema()};
}

plan::OperatorSpec CountSpec() {
  return {.name = "count",
          .make = []() -> Result<std::unique_ptr<Operator>> { return std::make_unique<CountKeys>(); },
          .output = RowSchema()};
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
    case Topology::kSpread:
      graph.tasks.push_back({.name = "gather", .parallelism = 1, .inputs = {0}, .output = RowSchema()});
      graph.tasks.back().operators.push_back(shape.topology == Topology::kKeyed ? CountSpec() : FlakySpec(flaky));
      if (shape.topology == Topology::kSpread) {
        graph.tasks.push_back({.name = "spread", .parallelism = parallelism, .inputs = {1},
                               .operators = {FlakySpec(flaky)}, .output = RowSchema()});
      }
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
