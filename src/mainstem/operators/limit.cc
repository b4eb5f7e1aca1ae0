#include "mainstem/operators/limit.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <limits>

namespace mainstem {
namespace {

class Limit : public Operator {
 public:
  Limit(int64_t count, int64_t offset) : remaining_(count), to_skip_(offset) {}

  Status Open(OperatorContext& context) override {
    context.state().Number("remaining", &remaining_);
    context.state().Number("to_skip", &to_skip_);
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    const int64_t rows = batch.rows->num_rows();
    const int64_t skipped = std::min(to_skip_, rows);
    const int64_t taken = std::min(remaining_, rows - skipped);
    to_skip_ -= skipped;
    remaining_ -= taken;
    output.Emit({.rows = batch.rows->Slice(skipped, taken), .order = batch.order, .last_of_order = batch.last_of_order});
    return remaining_ == 0 ? Progress::kSatisfied : Progress::kDone;
  }

 private:
  int64_t remaining_;
  int64_t to_skip_;
};

}  // namespace

std::unique_ptr<Operator> MakeLimit(std::optional<int64_t> count, int64_t offset) {
  return std::make_unique<Limit>(count.value_or(std::numeric_limits<int64_t>::max()), offset);
}

}  // namespace mainstem
