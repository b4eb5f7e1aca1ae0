#include "mainstem/simulation/rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

namespace mainstem::simulation {
namespace {

class NumberReader : public SplitReader {
 public:
  NumberReader(World& world, int64_t first, int64_t count) : world_(world), next_(first), end_(first + count) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (next_ == end_) return std::shared_ptr<arrow::RecordBatch>();
    const int64_t count = std::min(end_ - next_, world_.random.Between(1, 4));
    std::vector<int64_t> ids;
    std::vector<int64_t> contents;
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(next_);
      contents.push_back(ContentOf(next_++));
    }
    return arrow::RecordBatch::Make(RowSchema(), count, {Int64s(ids), Int64s(contents)});
  }

 private:
  World& world_;
  int64_t next_;
  const int64_t end_;
};

class NumberSplits : public SplitEnumerator {
 public:
  NumberSplits(World& world, const SourceShape& shape, int64_t next) : world_(world), shape_(shape), next_(next) {}

  Result<std::optional<Split>> Next() override {
    if (next_ == shape_.splits || !ThereYet()) return std::optional<Split>();
    return std::optional<Split>(Split{.content = std::to_string(next_++)});
  }
  std::string Position() const override { return std::to_string(next_); }
  int64_t retry_after_ns() const override { return shape_.unbounded ? shape_.split_every_ns / 2 : 0; }

 private:
  bool ThereYet() const {
    return !shape_.unbounded || world_.clock.MonotonicNs() >= next_ * shape_.split_every_ns;
  }

  World& world_;
  const SourceShape shape_;
  int64_t next_;
};

class NumberSource : public Source {
 public:
  NumberSource(World& world, const SourceShape& shape) : world_(world), shape_(shape) {}

  std::shared_ptr<arrow::Schema> schema() const override { return RowSchema(); }
  std::string Describe() const override { return "numbers from " + std::to_string(shape_.first); }
  bool unbounded() const override { return shape_.unbounded; }
  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest&, const std::string& position) const override {
    return std::make_unique<NumberSplits>(world_, shape_, position.empty() ? 0 : std::stoll(position));
  }
  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest&) const override {
    return std::make_unique<NumberReader>(world_, shape_.first + std::stoll(split.content) * shape_.rows, shape_.rows);
  }

 private:
  World& world_;
  const SourceShape shape_;
};

class LinesEncoder : public PartEncoder {
 public:
  explicit LinesEncoder(std::shared_ptr<arrow::io::OutputStream> stream) : stream_(std::move(stream)) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    std::string text;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      for (int column = 0; column < rows->num_columns(); ++column) {
        if (column > 0) text += ' ';
        text += std::to_string(static_cast<const arrow::Int64Array&>(*rows->column(column)).Value(row));
      }
      text += '\n';
    }
    size_ += static_cast<int64_t>(text.size());
    return stream_->Write(text);
  }
  Result<int64_t> SizeSoFar() const override { return size_; }
  Status Finish() override { return Status::OK(); }

 private:
  const std::shared_ptr<arrow::io::OutputStream> stream_;
  int64_t size_ = 0;
};

class Lines : public PartFormat {
 public:
  std::string name() const override { return "lines"; }
  std::string extension() const override { return ".txt"; }
  bool empty_file_is_useful() const override { return false; }
  Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const override {
    return std::make_unique<LinesEncoder>(std::move(stream));
  }
};

int64_t Mixed(uint64_t value) {
  SeededRandom mixer(value);
  return static_cast<int64_t>(mixer.Next() % 1'000'000'000);
}

}  // namespace

int64_t ContentOf(int64_t id) { return Mixed(static_cast<uint64_t>(id) * 2 + 1); }
int64_t AnswerOf(int64_t id) { return Mixed(static_cast<uint64_t>(id) * 2 + 2'000'000); }

std::shared_ptr<arrow::Schema> RowSchema() {
  static const auto& schema =
      *new auto(arrow::schema({arrow::field("id", arrow::int64()), arrow::field("content", arrow::int64())}));
  return schema;
}

std::shared_ptr<arrow::Array> Int64s(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  if (!builder.AppendValues(values).ok()) return nullptr;
  return builder.Finish().ValueOr(nullptr);
}

std::shared_ptr<Source> MakeSimulatedSource(World& world, const SourceShape& shape) {
  return std::make_shared<NumberSource>(world, shape);
}

std::shared_ptr<const PartFormat> LinesFormat() { return std::make_shared<Lines>(); }

}  // namespace mainstem::simulation
