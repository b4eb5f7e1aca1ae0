#include "mainstem/connectors/range/range_source.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/position.h"
#include "mainstem/connectors/projection.h"

namespace mainstem {
namespace {

constexpr int64_t kSplitRows = 1 << 20;
constexpr int64_t kBatchRows = 64 << 10;

// Rows are counted from zero; row i is start + i × step. Both fit: the count was made from them.
struct Range {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

class RangeEnumerator : public SplitEnumerator {
 public:
  RangeEnumerator(int64_t rows, int64_t first) : rows_(rows), first_(first) {}

  Result<std::optional<Split>> Next() override {
    if (first_ >= rows_) return std::nullopt;
    const int64_t count = std::min(kSplitRows, rows_ - first_);
    Split split{.ordinal = first_ / kSplitRows, .content = nlohmann::json{{"first", first_}, {"rows", count}}.dump()};
    first_ += count;
    return split;
  }

  std::string Position() const override { return PositionText({{"next", first_}}); }

 private:
  const int64_t rows_;
  int64_t first_;
};

class RangeReader : public SplitReader {
 public:
  RangeReader(Range range, int64_t first, int64_t rows, ScanRequest request, std::shared_ptr<arrow::Schema> schema)
      : range_(range), next_(first), end_(first + rows), request_(std::move(request)), schema_(std::move(schema)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (next_ >= end_) return nullptr;
    const int64_t rows = std::min(request_.batch_rows > 0 ? request_.batch_rows : kBatchRows, end_ - next_);
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(rows * 8));
    auto* out = buffer->mutable_data_as<int64_t>();
    // Unsigned: the product alone may leave 64 bits, the sum does not.
    const auto start = static_cast<uint64_t>(range_.start);
    const auto step = static_cast<uint64_t>(range_.step);
    for (int64_t i = 0; i < rows; ++i) out[i] = static_cast<int64_t>(start + static_cast<uint64_t>(next_ + i) * step);
    next_ += rows;
    auto ids = std::make_shared<arrow::Int64Array>(rows, std::move(buffer));
    return Projected(arrow::RecordBatch::Make(schema_, rows, {std::move(ids)}), request_);
  }

  Result<int64_t> Skip(int64_t rows) override {
    const int64_t passed = std::min(rows, end_ - next_);
    next_ += passed;
    return passed;
  }

 private:
  const Range range_;
  int64_t next_;
  const int64_t end_;
  const ScanRequest request_;
  const std::shared_ptr<arrow::Schema> schema_;
};

class RangeSource : public Source {
 public:
  explicit RangeSource(Range range) : range_(range), schema_(arrow::schema({arrow::field("id", arrow::int64())})) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  std::string Describe() const override { return fmt::format("range ({} rows)", range_.count); }
  std::optional<int64_t> RowCount() const override { return range_.count; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    const int64_t rows = std::clamp<int64_t>(request.limit.value_or(range_.count), 0, range_.count);
    if (position.empty()) return std::make_unique<RangeEnumerator>(rows, 0);
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("range", "position", position));
    ARROW_ASSIGN_OR_RAISE(const int64_t next, stated.Number("next", 0, rows));
    if (next % kSplitRows != 0 && next != rows) return stated.Bad("no split begins there");
    return std::make_unique<RangeEnumerator>(rows, next);
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("range", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t first, stated.Number("first", 0, range_.count));
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, stated.Number("rows", 0, range_.count - first));
    return std::make_unique<RangeReader>(range_, first, rows, request, schema_);
  }

  // Rows are numbered from the beginning.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("range", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t first, stated.Number("first", 0, range_.count));
    return std::vector<OriginRun>{{.place = "range", .first = first}};
  }

 private:
  const Range range_;
  const std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

std::vector<OptionSpec> RangeSourceOptions() {
  return {{.name = "start", .type = OptionType::kInt, .default_value = 0, .doc = "First number."},
          {.name = "end", .type = OptionType::kInt, .doc = "The numbers stop before it.", .required = true},
          {.name = "step", .type = OptionType::kInt, .default_value = 1, .doc = "Distance; not zero."}};
}

Result<std::shared_ptr<Source>> MakeRangeSource(const Options& options) {
  const int64_t start = options.Int("start");
  const int64_t end = options.Int("end");
  const int64_t step = options.Int("step");
  if (step == 0) return JobError("range: option step=0 would never reach the end");
  // In 128 bits, as Python has it: ceil((end - start) / step), at least 0.
  const __int128 distance = static_cast<__int128>(end) - start;
  const __int128 stride = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  const __int128 count = ((step > 0 ? distance : -distance) + stride - 1) / stride;
  if (count > INT64_MAX) return JobError("range: more rows than 64 bits can count");
  const bool empty = step > 0 ? distance <= 0 : distance >= 0;
  return std::make_shared<RangeSource>(Range{start, step, empty ? 0 : static_cast<int64_t>(count)});
}

}  // namespace mainstem
