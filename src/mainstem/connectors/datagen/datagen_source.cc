#include "mainstem/connectors/datagen/datagen_source.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/datagen/generated_field.h"
#include "mainstem/connectors/position.h"
#include "mainstem/connectors/projection.h"
#include "mainstem/platform/clock.h"

namespace mainstem {
namespace {

constexpr int64_t kSplitRowsMax = 64 << 10;
constexpr int64_t kSplitBytesMax = 8 << 20;
constexpr double kSplitsPerSecond = 10;
constexpr double kCatchUpNs = 100'000'000;

struct Generator {
  std::vector<GeneratedField> fields;
  std::shared_ptr<arrow::Schema> schema;
  int64_t seed = 0;
  int64_t rows = kEndlessRows;
  std::optional<double> rows_per_second;
  int64_t split_rows = kSplitRowsMax;
};

class DatagenEnumerator : public SplitEnumerator {
 public:
  DatagenEnumerator(std::shared_ptr<const Generator> generator, const Clock& clock, int64_t rows)
      : generator_(std::move(generator)), clock_(clock), rows_(rows) {}

  Status GoOnAt(const StatedPosition& position) {
    ARROW_ASSIGN_OR_RAISE(next_, position.Number("next", 0, rows_));
    ARROW_ASSIGN_OR_RAISE(ordinal_, position.Count("ordinal"));
    return Status::OK();
  }

  Result<std::optional<Split>> Next() override {
    if (next_ >= rows_ || !IsDue()) return std::nullopt;
    const int64_t rows = std::min(generator_->split_rows, rows_ - next_);
    Split split{.ordinal = ordinal_++, .content = nlohmann::json{{"first", next_}, {"rows", rows}}.dump()};
    next_ += rows;
    paced_rows_ += static_cast<double>(rows);
    return split;
  }

  std::string Position() const override { return PositionText({{"next", next_}, {"ordinal", ordinal_}}); }

  int64_t retry_after_ns() const override {
    if (next_ >= rows_) return 0;
    const double wait = DueNs() - static_cast<double>(clock_.MonotonicNs());
    return static_cast<int64_t>(std::clamp(wait, 1.0, 1e18));
  }

 private:
  double DueNs() const {
    return paced_from_ns_ + (generator_->rows_per_second ? paced_rows_ / *generator_->rows_per_second * 1e9 : 0);
  }

  // Lateness beyond what is caught up on is forgotten.
  bool IsDue() {
    if (!generator_->rows_per_second) return true;
    const auto now = static_cast<double>(clock_.MonotonicNs());
    if (!is_paced_) paced_from_ns_ = now;
    is_paced_ = true;
    const double late = now - DueNs();
    if (late < 0) return false;
    const double split_ns = static_cast<double>(generator_->split_rows) / *generator_->rows_per_second * 1e9;
    paced_from_ns_ += std::max(0.0, late - std::max(kCatchUpNs, split_ns));
    return true;
  }

  const std::shared_ptr<const Generator> generator_;
  const Clock& clock_;
  const int64_t rows_;
  int64_t next_ = 0;
  int64_t ordinal_ = 0;
  bool is_paced_ = false;        // the first split was asked for
  double paced_from_ns_ = 0;     // when row 0 of `paced_rows_` was due
  double paced_rows_ = 0;
};

class DatagenReader : public SplitReader {
 public:
  DatagenReader(std::shared_ptr<const Generator> generator, std::vector<int> columns,
                std::shared_ptr<arrow::Schema> schema, int64_t first, int64_t rows, int64_t batch_rows)
      : generator_(std::move(generator)),
        columns_(std::move(columns)),
        schema_(std::move(schema)),
        next_(first),
        end_(first + rows),
        batch_rows_(std::min(batch_rows > 0 ? batch_rows : kSplitRowsMax, generator_->split_rows)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (next_ >= end_) return nullptr;
    const int64_t rows = std::min(batch_rows_, end_ - next_);
    arrow::ArrayVector arrays;
    for (const int column : columns_) {
      const GeneratedField& field = generator_->fields[static_cast<size_t>(column)];
      ARROW_ASSIGN_OR_RAISE(auto array, Generate(field, generator_->seed, column, next_, rows));
      arrays.push_back(std::move(array));
    }
    next_ += rows;
    return arrow::RecordBatch::Make(schema_, rows, std::move(arrays));
  }

  Result<int64_t> Skip(int64_t rows) override {
    const int64_t passed = std::min(rows, end_ - next_);
    next_ += passed;
    return passed;
  }

 private:
  const std::shared_ptr<const Generator> generator_;
  const std::vector<int> columns_;
  const std::shared_ptr<arrow::Schema> schema_;
  int64_t next_;
  const int64_t end_;
  const int64_t batch_rows_;
};

class DatagenSource : public Source {
 public:
  explicit DatagenSource(std::shared_ptr<const Generator> generator) : generator_(std::move(generator)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return generator_->schema; }
  std::string Describe() const override {
    const std::string rows = unbounded() ? "rows without end" : fmt::format("{} rows", generator_->rows);
    if (!generator_->rows_per_second) return fmt::format("datagen ({})", rows);
    return fmt::format("datagen ({}, {} per second)", rows, *generator_->rows_per_second);
  }
  std::optional<int64_t> RowCount() const override {
    if (unbounded()) return std::nullopt;
    return generator_->rows;
  }
  bool MayBeRemote() const override { return false; }
  bool unbounded() const override { return generator_->rows == kEndlessRows; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    const int64_t rows = std::clamp<int64_t>(request.limit.value_or(kEndlessRows), 0, generator_->rows);
    const Clock& clock = request.clock ? *request.clock : SystemClock();
    auto splits = std::make_unique<DatagenEnumerator>(generator_, clock, rows);
    if (!position.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("datagen", "position", position));
      ARROW_RETURN_NOT_OK(splits->GoOnAt(stated));
    }
    return splits;
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("datagen", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t first, stated.Number("first", 0, generator_->rows));
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, stated.Number("rows", 0, generator_->rows - first));
    ARROW_ASSIGN_OR_RAISE(auto columns, WantedColumns(*generator_->schema, request));
    ARROW_ASSIGN_OR_RAISE(auto schema, ProjectedSchema(generator_->schema, request));
    return std::make_unique<DatagenReader>(generator_, std::move(columns), std::move(schema), first, rows,
                                           request.batch_rows);
  }

  // Rows are numbered from the beginning.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("datagen", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t first, stated.Number("first", 0, generator_->rows));
    return std::vector<OriginRun>{{.place = "datagen", .first = first}};
  }

 private:
  const std::shared_ptr<const Generator> generator_;
};

}  // namespace

std::vector<OptionSpec> DatagenSourceOptions() {
  return {{.name = "fields", .doc = "Name, type and kind of the columns, as JSON.", .required = true},
          {.name = "rows_per_second", .type = OptionType::kFloat,
           .doc = "Rate at which rows are made; without it they are made as fast as they are read.",
           .minimum = 0.001, .maximum = 1e12},
          {.name = "number_of_rows", .type = OptionType::kInt, .doc = "Rows in all; without it there is no end.",
           .minimum = 0},
          {.name = "seed", .type = OptionType::kInt, .default_value = 0, .doc = "Other seeds make other values."}};
}

Result<std::shared_ptr<Source>> MakeDatagenSource(const Options& options) {
  auto generator = std::make_shared<Generator>();
  ARROW_ASSIGN_OR_RAISE(generator->fields, ParseGeneratedFields(options.String("fields")));
  generator->seed = options.Int("seed");
  generator->rows_per_second = options.MaybeFloat("rows_per_second");
  generator->rows = std::min(kEndlessRows, options.MaybeInt("number_of_rows").value_or(kEndlessRows));
  arrow::FieldVector fields;
  int64_t row_bytes = 1;
  for (const GeneratedField& field : generator->fields) {
    fields.push_back(arrow::field(field.name, field.type));
    row_bytes += field.width();
    generator->rows = std::min(generator->rows, field.rows_max().value_or(kEndlessRows));
  }
  generator->schema = arrow::schema(std::move(fields));
  int64_t split_rows = std::min(kSplitRowsMax, kSplitBytesMax / row_bytes);
  if (generator->rows_per_second) {
    const double share = std::min(*generator->rows_per_second / kSplitsPerSecond, double{kSplitRowsMax});
    split_rows = std::min(split_rows, static_cast<int64_t>(share));
  }
  generator->split_rows = std::max<int64_t>(1, split_rows);
  return std::make_shared<DatagenSource>(std::move(generator));
}

}  // namespace mainstem
