#include "mainstem/connectors/origin_source.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "mainstem/connectors/projection.h"
#include "mainstem/data/logical_type.h"
#include "mainstem/data/row_origin.h"

namespace mainstem {
namespace {

// Changes whenever origins change their meaning: replies that are kept under them are then not found again.
constexpr std::string_view kScheme = "mainstem origin 1";

OriginPlace HashOfPlace(int reading, const std::string& place) {
  const std::string text = fmt::format("{}\n{}\n{}", kScheme, reading, place);
  OriginPlace hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr,
                     0);
  return hash;
}

class OriginReader : public SplitReader {
 public:
  OriginReader(std::unique_ptr<SplitReader> reader, std::vector<OriginRun> runs, int reading,
               std::shared_ptr<arrow::Schema> schema)
      : reader_(std::move(reader)), runs_(std::move(runs)), reading_(reading), schema_(std::move(schema)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    ARROW_ASSIGN_OR_RAISE(const auto batch, reader_->Next());
    if (!batch) return nullptr;
    arrow::ArrayVector columns = batch->columns();
    ARROW_ASSIGN_OR_RAISE(auto origins, OriginsOf(batch->num_rows()));
    const int at = schema_->GetFieldIndex(kOriginColumn);
    columns.insert(columns.begin() + at, std::move(origins));
    return arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(columns));
  }

  Result<int64_t> Skip(int64_t rows) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t passed, reader_->Skip(rows));
    for (int64_t left = passed; left > 0;) {
      ARROW_ASSIGN_OR_RAISE(const int64_t taken, Take(left, nullptr));
      left -= taken;
    }
    return passed;
  }

 private:
  Result<std::shared_ptr<arrow::Array>> OriginsOf(int64_t rows) {
    arrow::ArrayVector parts;
    for (int64_t left = rows; left > 0;) {
      ARROW_ASSIGN_OR_RAISE(const int64_t taken, Take(left, &parts));
      left -= taken;
    }
    if (parts.empty()) return MakeOrigins({}, 0, 0);
    return parts.size() == 1 ? parts.front() : arrow::Concatenate(parts);
  }

  // Goes on by up to `rows` rows of the current run.
  Result<int64_t> Take(int64_t rows, arrow::ArrayVector* parts) {
    while (run_ < runs_.size() && given_ >= runs_[run_].rows) {
      ++run_;
      given_ = 0;
    }
    if (run_ >= runs_.size()) return JobError("a split has more rows than its source said: its data changed since");
    const OriginRun& run = runs_[run_];
    const int64_t taken = std::min(rows, run.rows - given_);
    if (parts != nullptr) {
      if (hashed_ != run_) place_ = HashOfPlace(reading_, run.place);
      hashed_ = run_;
      ARROW_ASSIGN_OR_RAISE(auto origins, MakeOrigins(place_, run.first + given_, taken));
      parts->push_back(std::move(origins));
    }
    given_ += taken;
    return taken;
  }

  const std::unique_ptr<SplitReader> reader_;
  const std::vector<OriginRun> runs_;
  const int reading_;
  const std::shared_ptr<arrow::Schema> schema_;
  size_t run_ = 0;
  int64_t given_ = 0;         // rows of the run
  size_t hashed_ = SIZE_MAX;  // the run that place_ is of
  OriginPlace place_{};
};

class OriginSource : public Source {
 public:
  OriginSource(std::shared_ptr<Source> source, int reading, std::shared_ptr<arrow::Schema> schema)
      : source_(std::move(source)), reading_(reading), schema_(std::move(schema)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  std::string Describe() const override { return source_->Describe(); }
  std::optional<int64_t> RowCount() const override { return source_->RowCount(); }
  bool MayBeRemote() const override { return source_->MayBeRemote(); }
  bool unbounded() const override { return source_->unbounded(); }
  Result<std::vector<OriginRun>> Origins(const Split& split) const override { return source_->Origins(split); }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    return source_->Enumerate(WithoutOrigin(request), position);
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(auto schema, ProjectedSchema(schema_, request));
    ARROW_ASSIGN_OR_RAISE(auto reader, source_->Open(split, WithoutOrigin(request)));
    if (schema->GetFieldIndex(kOriginColumn) < 0) return reader;
    ARROW_ASSIGN_OR_RAISE(auto runs, source_->Origins(split));
    return std::make_unique<OriginReader>(std::move(reader), std::move(runs), reading_, std::move(schema));
  }

 private:
  static ScanRequest WithoutOrigin(ScanRequest request) {
    std::erase(request.columns, kOriginColumn);
    return request;
  }

  const std::shared_ptr<Source> source_;
  const int reading_;
  const std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

Result<std::shared_ptr<Source>> MakeOriginSource(std::shared_ptr<Source> source, int reading) {
  if (sodium_init() < 0) return JobError("libsodium could not be set up");
  if (!source->schema()->GetAllFieldIndices(kOriginColumn).empty()) {
    return JobError(fmt::format("{} has a column '{}', a name that the engine needs here; give it another one",
                                source->Describe(), kOriginColumn));
  }
  ARROW_ASSIGN_OR_RAISE(auto schema, source->schema()->AddField(source->schema()->num_fields(),
                                                                LogicalType::Binary().ToField(kOriginColumn)));
  return std::make_shared<OriginSource>(std::move(source), reading, std::move(schema));
}

}  // namespace mainstem
