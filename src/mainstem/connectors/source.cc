#include "mainstem/connectors/source.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <utility>

namespace mainstem {
namespace {

// Hands out the rest of a batch, then what a reader has.
class RestReader : public SplitReader {
 public:
  RestReader(std::shared_ptr<arrow::RecordBatch> rest, std::unique_ptr<SplitReader> reader)
      : rest_(std::move(rest)), reader_(std::move(reader)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (rest_) return std::exchange(rest_, nullptr);
    return reader_->Next();
  }

 private:
  std::shared_ptr<arrow::RecordBatch> rest_;
  const std::unique_ptr<SplitReader> reader_;
};

}  // namespace

Result<std::vector<OriginRun>> Source::Origins(const Split&) const {
  return JobError(fmt::format("{} does not say where its rows come from", Describe()));
}

Result<std::unique_ptr<SplitReader>> Skipping(std::unique_ptr<SplitReader> reader, int64_t rows) {
  if (rows < 0) return JobError(fmt::format("{} rows of a split cannot have been read", rows));
  if (rows == 0) return reader;
  ARROW_ASSIGN_OR_RAISE(int64_t passed, reader->Skip(rows));
  while (passed < rows) {
    ARROW_ASSIGN_OR_RAISE(const auto batch, reader->Next());
    if (!batch) {
      return JobError(fmt::format("a split has {} rows, but {} of it were read before: its data changed since", passed,
                                  rows));
    }
    const int64_t wanted = rows - passed;
    if (batch->num_rows() > wanted) return std::make_unique<RestReader>(batch->Slice(wanted), std::move(reader));
    passed += batch->num_rows();
  }
  return reader;
}

}  // namespace mainstem
