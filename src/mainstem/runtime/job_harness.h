// Test-only: sources, sinks and services that a job can be run on without the world.
#pragma once

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "mainstem/operators/call.h"
#include "mainstem/runtime/job.h"

namespace mainstem::testing {

using runtime::Job;
using runtime::JobEnvironment;
using runtime::JobSettings;

inline std::shared_ptr<arrow::Schema> NumberSchema() { return arrow::schema({arrow::field("n", arrow::int64())}); }

inline std::shared_ptr<arrow::RecordBatch> Numbers(int64_t first, int64_t count) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < count; ++i) EXPECT_TRUE(builder.Append(first + i).ok());
  return arrow::RecordBatch::Make(NumberSchema(), count, {*builder.Finish()});
}

/// The numbers from 0, cut into splits of two batches. Counts what is read of it.
class NumberSource : public Source {
 public:
  NumberSource(int64_t splits, int64_t rows_a_batch) : splits_(splits), rows_(rows_a_batch) {}
  std::shared_ptr<arrow::Schema> schema() const override { return NumberSchema(); }
  std::string Describe() const override { return "numbers"; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest&, const std::string&) const override {
    struct Splits : SplitEnumerator {
      Result<std::optional<Split>> Next() override {
        if (next == count) return std::optional<Split>();
        return std::optional<Split>(Split{.content = std::to_string(next++)});
      }
      int64_t next = 0;
      int64_t count = 0;
    };
    auto splits = std::make_unique<Splits>();
    splits->count = splits_;
    return splits;
  }
  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest&) const override {
    struct Reader : SplitReader {
      Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
        if (batch == 2) return std::shared_ptr<arrow::RecordBatch>();
        ++source->batches_read;
        for (int64_t i = 0; i < ordinal * 7 % 5; ++i) std::this_thread::yield();
        return Numbers((ordinal * 2 + batch++) * source->rows_, source->rows_);
      }
      const NumberSource* source = nullptr;
      int64_t ordinal = 0;
      int64_t batch = 0;
    };
    auto reader = std::make_unique<Reader>();
    reader->source = this;
    reader->ordinal = split.ordinal;
    return reader;
  }

  mutable std::atomic<int64_t> batches_read{0};

 private:
  const int64_t splits_;
  const int64_t rows_;
};

/// Passes batches on, after `look` has seen them.
class Looking : public Operator {
 public:
  using Look = std::function<Status(const Batch&, Output&)>;
  explicit Looking(Look look) : look_(std::move(look)) {}
  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    ARROW_RETURN_NOT_OK(look_(batch, output));
    output.Emit(batch);
    return Progress::kDone;
  }

 private:
  Look look_;
};

inline plan::OperatorSpec Look(Looking::Look look) {
  return {.name = "look",
          .make = [look = std::move(look)]() -> Result<std::unique_ptr<Operator>> {
            return std::make_unique<Looking>(look);
          },
          .output = NumberSchema()};
}

/// Counts what becomes of what is written.
class CountingSink : public Sink {
 public:
  std::string Describe() const override { return "counting"; }
  Status Begin(const SinkJob&) override { return begin_status; }
  Status Restore(const SinkJob&, const std::vector<Committable>&) override { return Status::OK(); }
  Result<std::unique_ptr<SinkWriter>> OpenWriter(int, const std::string&) override {
    struct Writer : SinkWriter {
      Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
        sink->rows += rows->num_rows();
        bytes += rows->num_rows() * 8;
        return sink->write_status;
      }
      Result<std::vector<Committable>> Prepare() override { return std::vector<Committable>{{"staged"}}; }
      int64_t bytes_written() const override { return bytes; }
      CountingSink* sink = nullptr;
      int64_t bytes = 0;
    };
    auto writer = std::make_unique<Writer>();
    writer->sink = this;
    return writer;
  }
  Status MakeDurable(const std::vector<Committable>&) override { return Status::OK(); }
  Status Commit(const std::vector<Committable>& committables) override {
    ++commits;
    committed = committables.size();
    return commit_status;
  }
  Status Finish(const std::string&) override { return Status::OK(); }
  Status Abort(const std::string&) override {
    ++aborts;
    return Status::OK();
  }

  Status begin_status;
  Status write_status;
  Status commit_status;
  std::atomic<int64_t> rows{0};
  std::atomic<int> commits{0};
  std::atomic<int> aborts{0};
  std::atomic<size_t> committed{0};
};

/// Answers calls with the sent rows by `answer`, on a thread of its own each; Stop answers what is open.
class FakeService : public Endpoint, public ServiceStarter, public std::enable_shared_from_this<FakeService> {
 public:
  using Answer = std::function<std::optional<Reply>(const Call&, int64_t number)>;
  explicit FakeService(Answer answer) : answer_(std::move(answer)) {}
  ~FakeService() override { Stop(); }

  Result<std::shared_ptr<Endpoint>> Start(const ServiceSpec&) override { return shared_from_this(); }
  void Submit(Call call, std::function<void(Reply)> done) override {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      threads_.emplace_back([done] { done({.status = CancelledError("stopped")}); });
      return;
    }
    threads_.emplace_back([this, call, done, number = calls_++] {
      std::optional<Reply> reply = answer_(call, number);
      if (reply) return done(std::move(*reply));
      const std::lock_guard lock(mutex_);
      open_.push_back(done);
    });
  }
  int SuggestedInFlight() const override { return 4; }
  int64_t SuggestedRows() const override { return 100; }
  ServiceStats Stats() const override { return {.calls = calls_.load()}; }
  void Stop() override {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      threads.swap(threads_);
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::function<void(Reply)>> open;
    {
      const std::lock_guard lock(mutex_);
      open.swap(open_);
    }
    for (const auto& done : open) done({.status = CancelledError("stopped")});
  }

 private:
  const Answer answer_;
  std::atomic<int64_t> calls_{0};
  std::mutex mutex_;
  bool stopped_ = false;                            // guarded by mutex_, as are the following
  std::vector<std::thread> threads_;
  std::vector<std::function<void(Reply)>> open_;
};

constexpr int64_t kLongNs = 60'000'000'000;

/// Reads a job to its end and returns its numbers.
inline Result<std::vector<int64_t>> Read(Job& job) {
  std::vector<int64_t> numbers;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(auto rows, job.Next(kLongNs));
    if (!rows) {
      if (!job.finished()) return Status::Invalid("nothing came for a minute");
      return numbers;
    }
    const auto& column = static_cast<const arrow::Int64Array&>(*rows->column(0));
    for (int64_t i = 0; i < column.length(); ++i) numbers.push_back(column.Value(i));
  }
}

}  // namespace mainstem::testing
