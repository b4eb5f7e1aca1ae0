// A service behind a journal: hits, misses, duplicates, failures and stops, against a service that counts.
#include "mainstem/services/journal/journaled_endpoint.h"

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "mainstem/services/journal/journal_harness.h"

namespace mainstem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<arrow::Array> Int64s(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> Numbers(const std::vector<int64_t>& values, const std::string& name = "x") {
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, arrow::int64())}),
                                  static_cast<int64_t>(values.size()), {Int64s(values)});
}

std::vector<int64_t> Values(const arrow::RecordBatch& rows, int column = 0) {
  const auto& array = static_cast<const arrow::Int64Array&>(*rows.column(column));
  std::vector<int64_t> values;
  for (int64_t i = 0; i < array.length(); ++i) values.push_back(array.IsNull(i) ? -1 : array.Value(i));
  return values;
}

/// Answers x with 10 x (a table service: x rows of x), 13 with a failure; notes what it was asked. While it is held,
/// calls wait.
class CountingService final : public Endpoint {
 public:
  explicit CountingService(bool table = false) : table_(table) {}

  void Submit(Call call, std::function<void(Reply)> done) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!stopped_) {
        asked_.push_back(Values(*call.rows));
        if (held_) {
          waiting_.emplace_back(std::move(call), std::move(done));
          return;
        }
      }
    }
    done(stopped_ ? Reply{.status = CancelledError("stopped")} : ReplyTo(call));
  }
  void Hold() {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    std::vector<std::pair<Call, std::function<void(Reply)>>> calls;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      held_ = false;
      calls.swap(waiting_);
    }
    for (auto& [call, done] : calls) done(ReplyTo(call));
  }
  void Stop() override {
    std::vector<std::pair<Call, std::function<void(Reply)>>> calls;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      calls.swap(waiting_);
    }
    for (auto& [call, done] : calls) done(Reply{.status = CancelledError("stopped")});
  }
  int SuggestedInFlight() const override { return 4; }
  int64_t SuggestedRows() const override { return 5; }
  ServiceStats Stats() const override { return {}; }

  std::vector<std::vector<int64_t>> asked() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return asked_;
  }

 private:
  Reply ReplyTo(const Call& call) const {
    Reply reply;
    std::vector<int64_t> parents;
    std::vector<int64_t> values;
    const std::vector<int64_t> asked = Values(*call.rows);
    for (size_t row = 0; row < asked.size(); ++row) {
      if (asked[row] == 13) reply.failures.push_back({static_cast<int64_t>(row), "unlucky"});
      if (asked[row] == 13 && table_) continue;
      for (int64_t i = 0; i < (table_ ? asked[row] : 1); ++i) {
        parents.push_back(static_cast<int64_t>(row));
        values.push_back(table_ ? asked[row] : asked[row] * 10);
      }
    }
    reply.rows = Numbers(values, "y");
    if (table_) reply.rows = *reply.rows->AddColumn(0, arrow::field("__row", arrow::int64(), false), Int64s(parents));
    return reply;
  }

  const bool table_;
  std::mutex mutex_;
  bool held_ = false;
  std::atomic<bool> stopped_{false};
  std::vector<std::vector<int64_t>> asked_;
  std::vector<std::pair<Call, std::function<void(Reply)>>> waiting_;
};

class JournaledEndpointTest : public JournalHarness {
 protected:
  JournaledEndpointTest() {
    spec_.name = "f";
    spec_.journal_identity = "v1";
    spec_.input = arrow::schema({arrow::field("x", arrow::int64())});
    spec_.output = arrow::schema({arrow::field("y", arrow::int64())});
  }
  ~JournaledEndpointTest() override {
    if (endpoint_ != nullptr) endpoint_->Stop();
    endpoint_.reset();
  }

  /// A new service before the journal, as in the next run.
  void Start() {
    if (endpoint_ != nullptr) endpoint_->Stop();
    service_ = std::make_shared<CountingService>(spec_.shape == ReplyShape::kTable);
    auto made = MakeJournaledEndpoint(spec_, service_, Open());
    ASSERT_TRUE(made.ok()) << made.status();
    endpoint_ = *made;
  }

  std::future<Reply> Submit(const std::vector<int64_t>& values) {
    auto promise = std::make_shared<std::promise<Reply>>();  // throws when it is set twice
    auto future = promise->get_future();
    endpoint_->Submit({Numbers(values)}, [promise](Reply reply) { promise->set_value(std::move(reply)); });
    return future;
  }
  Reply Ask(const std::vector<int64_t>& values) { return Submit(values).get(); }

  ServiceSpec spec_;
  std::shared_ptr<CountingService> service_;
  std::shared_ptr<Endpoint> endpoint_;
};

TEST_F(JournaledEndpointTest, AsksForWhatIsNotThereAndAnswersTheRest) {
  Start();
  EXPECT_THAT(Values(*Ask({1, 2, 3}).rows), ElementsAre(10, 20, 30));
  EXPECT_THAT(Values(*Ask({5, 2, 4, 1}).rows), ElementsAre(50, 20, 40, 10));
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(1, 2, 3), ElementsAre(5, 4)));
  EXPECT_EQ(endpoint_->Stats().journal_hits, 2);
  EXPECT_EQ(endpoint_->Stats().journal_writes, 5);
}

TEST_F(JournaledEndpointTest, AnswersInTheNextRunWithoutTheService) {
  Start();
  Ask({1, 2, 3});
  Start();
  EXPECT_THAT(Values(*Ask({3, 1}).rows), ElementsAre(30, 10));
  EXPECT_THAT(service_->asked(), ElementsAre());
}

TEST_F(JournaledEndpointTest, AChangedServiceIsAskedAgain) {
  Start();
  Ask({1});
  spec_.journal_identity = "v2";
  Start();
  Ask({1});
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(1)));
}

TEST_F(JournaledEndpointTest, AsksOnceForDuplicatesInACall) {
  Start();
  EXPECT_THAT(Values(*Ask({7, 7, 8, 7}).rows), ElementsAre(70, 70, 80, 70));
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(7, 8)));
}

TEST_F(JournaledEndpointTest, AsksOnceForDuplicatesInCallsThatAreOpen) {
  Start();
  service_->Hold();
  auto first = Submit({1, 2});
  auto second = Submit({2, 3});
  auto third = Submit({1});
  while (service_->asked().size() < 2) std::this_thread::yield();
  service_->LetGo();
  EXPECT_THAT(Values(*first.get().rows), ElementsAre(10, 20));
  EXPECT_THAT(Values(*second.get().rows), ElementsAre(20, 30));
  EXPECT_THAT(Values(*third.get().rows), ElementsAre(10));
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
}

TEST_F(JournaledEndpointTest, DoesNotKeepFailures) {
  Start();
  for (int run = 0; run < 2; ++run) {
    const Reply reply = Ask({1, 13, 2, 13});
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    ASSERT_EQ(reply.failures.size(), 2u);
    EXPECT_EQ(reply.failures[0].row, 1);
    EXPECT_EQ(reply.failures[1].row, 3);
    EXPECT_EQ(reply.failures[1].reason, "unlucky");
    EXPECT_EQ(Values(*reply.rows)[2], 20);
  }
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(1, 13, 2), ElementsAre(13)));
}

TEST_F(JournaledEndpointTest, KeepsAllRowsOfATableFunction) {
  spec_.shape = ReplyShape::kTable;
  Start();
  Ask({2, 0, 3});
  Start();
  const Reply reply = Ask({3, 13, 0, 1, 2, 3});
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.rows->schema()->field(0)->name(), "__row");
  EXPECT_THAT(Values(*reply.rows, 0), ElementsAre(0, 0, 0, 3, 4, 4, 5, 5, 5));
  EXPECT_THAT(Values(*reply.rows, 1), ElementsAre(3, 3, 3, 1, 2, 2, 3, 3, 3));
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_EQ(reply.failures[0].row, 1);
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(13, 1)));
}

TEST_F(JournaledEndpointTest, SendsPiecesSoThatFinishedRowsAreKeptBeforeTheLastOne) {
  Start();
  EXPECT_THAT(Values(*Ask({1, 2, 3, 4, 5, 6, 7, 1}).rows), ElementsAre(10, 20, 30, 40, 50, 60, 70, 10));
  EXPECT_THAT(service_->asked(), ElementsAre(ElementsAre(1, 2, 3, 4, 5), ElementsAre(6, 7)));
}

TEST_F(JournaledEndpointTest, AnswersCallsWithoutRows) {
  Start();
  const Reply reply = Ask({});
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.rows->num_rows(), 0);
}

TEST_F(JournaledEndpointTest, StopAnswersWhatIsOpenAndClosesTheFolder) {
  Start();
  service_->Hold();
  auto open = Submit({1});
  while (service_->asked().empty()) std::this_thread::yield();
  endpoint_->Stop();
  EXPECT_EQ(ClassOf(open.get().status), ErrorClass::kCancelled);
  EXPECT_EQ(ClassOf(Ask({2}).status), ErrorClass::kCancelled);
  const auto journal = Open();  // nobody else holds it any more
  EXPECT_EQ(journal.use_count(), 1);
}

TEST_F(JournaledEndpointTest, ManyThreadsPayOnceForEachKey) {
  Start();
  constexpr int kThreads = 4;
  constexpr int kCalls = 100;
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &right] {
      for (int64_t i = 0; i < kCalls; ++i) {
        const Reply reply = Ask({i, i + t, i});
        right += reply.status.ok() && reply.failures.size() == 0 + 2u * (i == 13) + (i + t == 13);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kCalls);
  std::vector<int> times(kCalls + kThreads);
  for (const auto& call : service_->asked()) {
    for (const int64_t value : call) ++times[static_cast<size_t>(value)];
  }
  for (size_t value = 0; value < times.size() - 1; ++value) {
    EXPECT_TRUE(times[value] == 1 || value == 13) << value << " was asked " << times[value] << " times";
  }
}

TEST_F(JournaledEndpointTest, EqualRowsOfTwoOriginsAreAskedTwiceAndFoundAgain) {
  spec_.deterministic = false;
  spec_.by_origin = true;
  const auto rows = [](const std::vector<int64_t>& values, const std::vector<std::string>& places) {
    arrow::LargeBinaryBuilder origins;
    for (const std::string& place : places) EXPECT_TRUE(origins.Append(place).ok());
    const auto numbers = Numbers(values);
    return *numbers->AddColumn(1, arrow::field("a1", arrow::large_binary()), origins.Finish().ValueOrDie());
  };
  const auto ask = [this](std::shared_ptr<Endpoint> endpoint, std::shared_ptr<arrow::RecordBatch> asked) {
    std::promise<Reply> promise;
    endpoint->Submit({std::move(asked)}, [&promise](Reply reply) { promise.set_value(std::move(reply)); });
    return promise.get_future().get();
  };
  const auto first = std::make_shared<CountingService>();
  auto endpoint = *MakeJournaledEndpoint(spec_, first, Open());
  const Reply reply = ask(endpoint, rows({7, 7, 7}, {"a", "b", "a"}));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_THAT(Values(*reply.rows), ElementsAre(70, 70, 70));
  EXPECT_THAT(first->asked(), ElementsAre(ElementsAre(7, 7))) << "without the origins";
  endpoint->Stop();
  endpoint.reset();
  const auto second = std::make_shared<CountingService>();
  endpoint = *MakeJournaledEndpoint(spec_, second, Open());
  EXPECT_TRUE(ask(endpoint, rows({7, 7, 7}, {"b", "c", "a"})).status.ok());
  EXPECT_THAT(second->asked(), ElementsAre(ElementsAre(7)));
  endpoint->Stop();
}

/// A journal on a disk that is full.
class FullJournal final : public Journal {
 public:
  const std::string& folder() const override { return folder_; }
  Result<std::vector<std::optional<std::string>>> Lookup(const std::vector<JournalKey>& keys) override {
    return std::vector<std::optional<std::string>>(keys.size());
  }
  Status Append(const std::vector<JournalEntry>&) override { return JobError("the journal in /f cannot be written"); }
  Result<JournalStats> Stats() override { return JournalStats{}; }
  Result<JournalCollection> Collect(const JournalBounds&) override { return JournalCollection{}; }
  Status StartTrims(const JournalBounds&) override { return Status::OK(); }
  Result<JournalCollection> Trim(const JournalBounds&, const std::atomic<bool>&) override { return JournalCollection{}; }

 private:
  const std::string folder_ = "/f";
};

TEST_F(JournaledEndpointTest, AReplyThatCannotBeKeptIsNotUsed) {
  auto endpoint = MakeJournaledEndpoint(spec_, std::make_shared<CountingService>(), std::make_shared<FullJournal>());
  endpoint_ = *endpoint;
  const Reply reply = Ask({1, 1, 2});
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("/f"));
  EXPECT_EQ(reply.rows, nullptr);
}

}  // namespace
}  // namespace mainstem
