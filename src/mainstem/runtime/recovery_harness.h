// Test-only: a source that can be read again, a sink whose staging outlives jobs, and jobs that die and go on.
#pragma once

#include <filesystem>
#include <map>
#include <set>

#include "mainstem/runtime/job_harness.h"

namespace mainstem::testing {

/// The numbers from 0 in splits, each of several batches; may be read again from any place.
class ReplayableNumbers : public Source {
 public:
  ReplayableNumbers(int64_t splits, int64_t batches, int64_t rows) : splits_(splits), batches_(batches), rows_(rows) {}
  std::shared_ptr<arrow::Schema> schema() const override { return NumberSchema(); }
  std::string Describe() const override { return "numbers"; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest&, const std::string& position) const override {
    struct Splits : SplitEnumerator {
      Result<std::optional<Split>> Next() override {
        if (next == count) return std::optional<Split>();
        return std::optional<Split>(Split{.content = std::to_string(next++)});
      }
      std::string Position() const override { return std::to_string(next); }
      int64_t next = 0;
      int64_t count = 0;
    };
    auto splits = std::make_unique<Splits>();
    splits->count = splits_;
    splits->next = position.empty() ? 0 : std::stoll(position);
    return splits;
  }
  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest&) const override {
    struct Reader : SplitReader {
      Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
        if (batch == source->batches_) return std::shared_ptr<arrow::RecordBatch>();
        source->rows_read += source->rows_;
        return Numbers((split * source->batches_ + batch++) * source->rows_, source->rows_);
      }
      const ReplayableNumbers* source = nullptr;
      int64_t split = 0;
      int64_t batch = 0;
    };
    auto reader = std::make_unique<Reader>();
    reader->source = this;
    reader->split = std::stoll(split.content);
    return reader;
  }
  int64_t total() const { return splits_ * batches_ * rows_; }
  mutable std::atomic<int64_t> rows_read{0};

 private:
  const int64_t splits_, batches_, rows_;
};

/// What stands behind a sink and outlives the jobs that write to it.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, std::vector<int64_t>> staged;  // guarded by mutex, as are the following
  std::map<std::string, std::vector<int64_t>> visible;
  int64_t commits = 0;

  std::vector<int64_t> Visible() {
    const std::lock_guard lock(mutex);
    std::vector<int64_t> numbers;
    for (const auto& [name, rows] : visible) numbers.insert(numbers.end(), rows.begin(), rows.end());
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
};

class LedgerSink : public Sink {
 public:
  explicit LedgerSink(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
  std::string Describe() const override { return "ledger"; }
  Status Begin(const SinkJob&) override { return Status::OK(); }
  Status Restore(const SinkJob&, const std::vector<Committable>& pending) override {
    const std::lock_guard lock(ledger_->mutex);
    std::set<std::string> kept;
    for (const Committable& committable : pending) {
      kept.insert(committable.content);
      if (!ledger_->staged.contains(committable.content) && !ledger_->visible.contains(committable.content)) {
        return JobError("a staged file is gone: " + committable.content);
      }
    }
    std::erase_if(ledger_->staged, [&](const auto& entry) { return !kept.contains(entry.first); });
    return Status::OK();
  }
  Status Withdraw(const SinkJob&, const std::vector<Committable>& shown, const std::vector<Committable>&) override {
    const std::lock_guard lock(ledger_->mutex);
    for (const Committable& committable : shown) {
      if (auto rows = ledger_->visible.extract(committable.content)) ledger_->staged.insert(std::move(rows));
    }
    return Status::OK();
  }
  Result<std::unique_ptr<SinkWriter>> OpenWriter(int lane, const std::string& attempt) override {
    struct Writer : SinkWriter {
      Status Write(const std::shared_ptr<arrow::RecordBatch>& batch) override {
        const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
        for (int64_t i = 0; i < column.length(); ++i) rows.push_back(column.Value(i));
        return Status::OK();
      }
      Result<std::vector<Committable>> Prepare() override {
        if (rows.empty()) return std::vector<Committable>();
        const std::string name = stem + "-" + std::to_string(next++);
        const std::lock_guard lock(ledger->mutex);
        ledger->staged[name] = std::exchange(rows, {});
        return std::vector<Committable>{{name}};
      }
      int64_t bytes_written() const override { return 0; }
      std::shared_ptr<Ledger> ledger;
      std::string stem;
      int64_t next = 0;
      std::vector<int64_t> rows;
    };
    auto writer = std::make_unique<Writer>();
    writer->ledger = ledger_;
    writer->stem = attempt + "-" + std::to_string(lane);
    return writer;
  }
  Status MakeDurable(const std::vector<Committable>&) override { return Status::OK(); }
  Status Commit(const std::vector<Committable>& committables) override {
    const std::lock_guard lock(ledger_->mutex);
    ++ledger_->commits;
    for (const Committable& committable : committables) {
      const auto staged = ledger_->staged.find(committable.content);
      if (staged == ledger_->staged.end()) continue;
      ledger_->visible[committable.content] = std::move(staged->second);
      ledger_->staged.erase(staged);
    }
    return Status::OK();
  }
  Status Finish(const std::string&) override { return Status::OK(); }
  Status Abort(const std::string&) override {
    const std::lock_guard lock(ledger_->mutex);
    ledger_->staged.clear();
    return Status::OK();
  }

 private:
  std::shared_ptr<Ledger> ledger_;
};

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainstem-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace mainstem::testing
