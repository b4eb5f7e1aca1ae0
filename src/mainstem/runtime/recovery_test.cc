#include <gmock/gmock.h>

#include <chrono>
#include <numeric>

#include "mainstem/operators/keyed_distinct.h"
#include "mainstem/runtime/recovery_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;
using runtime::CheckpointOptions;

// How a job is built, and what its tasks look like.
enum class Topology { kPointwise, kGather, kSpread, kCalls, kKeyed };

struct Case {
  Topology topology = Topology::kPointwise;
  int64_t unaligned_after_ns = checkpoint::kNever;
  int parallelism_before = 3;
  int parallelism_after = 3;
};

std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  static const char* kNames[] = {"Pointwise", "Gather", "Spread", "Calls", "Keyed"};
  return std::string(kNames[static_cast<int>(info.param.topology)]) +
         (info.param.unaligned_after_ns == 0 ? "Unaligned" : "Aligned") + "From" +
         std::to_string(info.param.parallelism_before) + "To" + std::to_string(info.param.parallelism_after);
}

std::vector<int64_t> FromZero(int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Stops every now and then, so that snapshots find something in flight.
plan::OperatorSpec Slow() {
  return Look([](const Batch& batch, Output&) {
    if (batch.order % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
    return Status::OK();
  });
}

class Recovery : public ::testing::TestWithParam<Case> {
 protected:
  plan::JobGraph Graph(int parallelism, std::vector<plan::OperatorSpec> extra = {}) {
    plan::TaskSpec source{.name = "source", .parallelism = parallelism, .source = source_,
                          .operators = {Slow()}, .output = NumberSchema()};
    for (auto& spec : extra) source.operators.push_back(spec);
    plan::JobGraph graph{.tasks = {std::move(source)}, .services = {}, .output = {{"n", LogicalType::Int64()}}};
    switch (GetParam().topology) {
      case Topology::kPointwise: break;
      case Topology::kCalls:
        graph.tasks[0].operators.push_back(
            {.name = "call",
             .make = []() -> Result<std::unique_ptr<Operator>> {
               CallOptions options{.name = "add", .arguments = {0}};
               options.call = NumberSchema();
               return MakeCall(options, {{"n", LogicalType::Int64()}},
                               arrow::schema({arrow::field("m", arrow::int64())}));
             },
             .service = 0,
             .output = NumberSchema()});
        graph.services.push_back({.name = "add"});
        break;
      case Topology::kKeyed:
        // Every number is a key of its own: one that came twice would be dropped, and one that was lost be missed.
        graph.tasks.push_back({.name = "keyed", .parallelism = parallelism, .inputs = {0}, .keys = {0},
                               .operators = {{.name = "distinct",
                                              .make = []() -> Result<std::unique_ptr<Operator>> {
                                                return MakeKeyedDistinct({0});
                                              },
                                              .output = NumberSchema()},
                                             Slow()},
                               .output = NumberSchema()});
        break;
      case Topology::kSpread:
      case Topology::kGather:
        graph.tasks.push_back({.name = "gather", .parallelism = 1, .inputs = {0}, .operators = {Slow()},
                               .output = NumberSchema()});
        if (GetParam().topology == Topology::kSpread) {
          graph.tasks.push_back({.name = "spread", .parallelism = parallelism, .inputs = {1}, .operators = {Slow()},
                                 .output = NumberSchema()});
        }
    }
    graph.tasks.back().sink = std::make_shared<LedgerSink>(ledger_);
    return graph;
  }

  Result<std::shared_ptr<Job>> Start(plan::JobGraph graph, int parallelism) {
    CheckpointOptions options{.folder = folder_.path()};
    options.coordinator.interval_ns = 2'000'000;
    options.coordinator.unaligned_after_ns = GetParam().unaligned_after_ns;
    options.restart_delay_ns = 1'000'000;
    JobSettings settings{.name = "job", .parallelism = parallelism, .memory_budget = 64 << 20};
    settings.checkpoint = options;
    // Answers with the number itself, some calls later than others. A job stops its services at its end.
    services_.push_back(std::make_shared<FakeService>([](const Call& call, int64_t number) {
      std::this_thread::sleep_for(std::chrono::microseconds(100 + number % 5 * 400));
      return Reply{.rows = call.rows};
    }));
    return Job::Start(std::move(graph), settings, {.services = services_.back().get()});
  }

  static int64_t Completed(const Job& job) {
    const std::string json = job.FiguresJson();
    const std::string key = "\"checkpoints\":{\"completed\":";
    const auto at = json.find(key);
    return at == std::string::npos ? -1 : std::stoll(json.substr(at + key.size()));
  }

  std::vector<std::shared_ptr<FakeService>> services_;
  TemporaryFolder folder_;
  std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();
  std::shared_ptr<ReplayableNumbers> source_ = std::make_shared<ReplayableNumbers>(120, 3, 5);
};

TEST_P(Recovery, EveryRowStandsOnceAfterManyDeaths) {
  int deaths = 0;
  for (int run = 0; run < 200; ++run) {
    const int parallelism = run % 2 == 0 ? GetParam().parallelism_before : GetParam().parallelism_after;
    const auto job = *Start(Graph(parallelism), parallelism);
    const bool last = run > 8;
    while (!job->finished() && (last || Completed(*job) < 2)) (void)job->WaitEnd(500'000);
    if (job->finished()) {
      ASSERT_TRUE(job->WaitEnd(kLongNs).ok()) << job->WaitEnd(kLongNs).status();
      break;
    }
    const size_t visible = ledger_->Visible().size();
    EXPECT_TRUE(visible == 0 || visible == static_cast<size_t>(source_->total())) << "a bounded job shows all or nothing";
    job->Cancel();
    (void)job->WaitEnd(kLongNs);
    ++deaths;
  }
  EXPECT_GE(deaths, 1);
  EXPECT_EQ(ledger_->Visible(), FromZero(source_->total()));
  EXPECT_TRUE(ledger_->staged.empty());
}

TEST_P(Recovery, AFailureThatMayPassIsTriedAgain) {
  auto failures = std::make_shared<std::atomic<int>>(0);
  auto graph = Graph(3, {Look([failures](const Batch& batch, Output&) {
                       if (batch.order % 40 == 39 && failures->fetch_add(1) < 3) return RetryError("a busy server");
                       return Status::OK();
                     })});
  const auto job = *Start(std::move(graph), 3);
  const auto ended = job->WaitEnd(kLongNs);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ledger_->Visible(), FromZero(source_->total()));
  EXPECT_THAT(job->FiguresJson(), HasSubstr("\"restarts\":"));
  EXPECT_THAT(job->FiguresJson(), ::testing::Not(HasSubstr("\"restarts\":0")));
}

TEST_P(Recovery, ASavepointEndsTheJobAndTheNextRunGoesOn) {
  const auto job = *Start(Graph(3), 3);
  const auto path = job->Savepoint(/*stop=*/true, kLongNs);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(**path, HasSubstr("savepoint-"));
  ASSERT_TRUE(job->WaitEnd(kLongNs).ok());
  EXPECT_THAT(job->FiguresJson(), HasSubstr("\"state\":\"stopped\""));
  const int64_t before = source_->rows_read;
  const auto next = *Start(Graph(2), 2);
  ASSERT_TRUE(next->WaitEnd(kLongNs).ok()) << next->WaitEnd(0).status();
  EXPECT_EQ(ledger_->Visible(), FromZero(source_->total()));
  // Splits that were under way are read again from their beginning here, finished ones are not.
  EXPECT_LE(source_->rows_read - before, source_->total());
  // A third run finds that all is done.
  const int64_t read = source_->rows_read;
  const auto third = *Start(Graph(3), 3);
  ASSERT_TRUE(third->WaitEnd(kLongNs).ok());
  EXPECT_EQ(source_->rows_read, read);
  EXPECT_EQ(ledger_->Visible(), FromZero(source_->total()));
}

TEST_P(Recovery, AChangedJobIsRefusedAndSaysWhatDiffers) {
  {
    const auto job = *Start(Graph(3), 3);
    ASSERT_TRUE(job->Savepoint(true, kLongNs).ok());
    ASSERT_TRUE(job->WaitEnd(kLongNs).ok());
  }
  auto graph = Graph(3);
  graph.tasks[0].operators[0].name = "another";
  const auto job = Start(std::move(graph), 3);
  ASSERT_FALSE(job.ok());
  EXPECT_THAT(job.status().message(), HasSubstr("another"));
  EXPECT_THAT(job.status().message(), HasSubstr("resume=False"));
}

TEST_P(Recovery, LanesComeAndGoWhileItRuns) {
  const auto job = *Start(Graph(2), 4);
  for (const int lanes : {4, 1, 3, 2, 5, 1, 4}) {
    const bool keyed = GetParam().topology == Topology::kKeyed;
    const Status status = job->Rescale(keyed && lanes % 2 == 0 ? 1 : 0, lanes);
    const bool about_to_end = status.message().find("has read all its input") != std::string::npos ||
                              status.message().find("nothing is read of task") != std::string::npos;
    if (job->finished() || about_to_end) break;
    ASSERT_TRUE(status.ok()) << status;
    const int64_t completed = Completed(*job);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!job->finished() && Completed(*job) == completed) {
      (void)job->WaitEnd(500'000);
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << job->FiguresJson();
    }
  }
  if (!job->finished()) {
    job->Cancel();
    (void)job->WaitEnd(kLongNs);
  }
  const auto next = *Start(Graph(3), 3);
  ASSERT_TRUE(next->WaitEnd(kLongNs).ok()) << next->WaitEnd(0).status();
  EXPECT_EQ(ledger_->Visible(), FromZero(source_->total()));
}

// A slow task with keys behind a quick source gets more lanes by itself, and every row stands once.
TEST(Autoscaling, ATaskThatHoldsItsProducersUpGetsMoreLanes) {
  auto ledger = std::make_shared<Ledger>();
  auto source = std::make_shared<ReplayableNumbers>(3'000, 2, 5);
  auto slow = std::make_shared<std::atomic<bool>>(true);
  plan::TaskSpec reading{.name = "source", .parallelism = 1, .source = source, .output = NumberSchema()};
  plan::TaskSpec keyed{.name = "keyed", .parallelism = 1, .inputs = {0}, .keys = {0}, .output = NumberSchema()};
  keyed.operators.push_back(Look([slow](const Batch&, Output&) {
    if (*slow) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return Status::OK();
  }));
  keyed.sink = std::make_shared<LedgerSink>(ledger);
  plan::JobGraph graph{.tasks = {std::move(reading), std::move(keyed)}, .services = {},
                       .output = {{"n", LogicalType::Int64()}}};
  TemporaryFolder folder;
  JobSettings settings{.name = "job", .parallelism = 4, .memory_budget = 64 << 20};
  settings.checkpoint = CheckpointOptions{.folder = folder.path()};
  settings.checkpoint->coordinator.interval_ns = 50'000'000;
  settings.autoscaler = {.max_parallelism = 3, .interval_ns = 1};
  FakeService service([](const Call& call, int64_t) { return Reply{.rows = call.rows}; });
  const auto job = *Job::Start(std::move(graph), settings, {.services = &service});
  while (!job->finished() && job->FiguresJson().find("\"name\":\"look\",\"subtasks\":3") == std::string::npos) {
    (void)job->WaitEnd(5'000'000);
  }
  EXPECT_FALSE(job->finished()) << "it had no reason to rescale";
  *slow = false;
  ASSERT_TRUE(job->WaitEnd(kLongNs).ok()) << job->WaitEnd(0).status();
  EXPECT_EQ(ledger->Visible(), FromZero(source->total()));
}

INSTANTIATE_TEST_SUITE_P(
    Topologies, Recovery,
    ::testing::Values(Case{Topology::kPointwise}, Case{Topology::kPointwise, checkpoint::kNever, 4, 2},
                      Case{Topology::kPointwise, checkpoint::kNever, 2, 4}, Case{Topology::kGather},
                      Case{Topology::kGather, 0}, Case{Topology::kGather, 0, 4, 2}, Case{Topology::kSpread},
                      Case{Topology::kSpread, 0}, Case{Topology::kSpread, 0, 4, 2},
                      Case{Topology::kSpread, checkpoint::kNever, 2, 4}, Case{Topology::kCalls},
                      Case{Topology::kCalls, 0, 4, 2}, Case{Topology::kKeyed}, Case{Topology::kKeyed, 0},
                      Case{Topology::kKeyed, 0, 4, 2}, Case{Topology::kKeyed, checkpoint::kNever, 2, 5}),
    NameOf);

}  // namespace
}  // namespace mainstem
