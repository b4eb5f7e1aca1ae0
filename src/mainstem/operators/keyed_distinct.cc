#include "mainstem/operators/keyed_distinct.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "mainstem/state/keyed_rows.h"
#include "mainstem/state/keyed_state.h"

namespace mainstem {
namespace {

class KeyedDistinct : public Operator {
 public:
  explicit KeyedDistinct(std::vector<int> keys) : keys_(std::move(keys)) {}

  Status Open(OperatorContext& context) override {
    bytes_most_ = context.holding_limit_bytes() / 2;
    seen_.DeclareIn(context.state(), "seen");
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    ARROW_ASSIGN_OR_RAISE(const KeyedRows keys, KeyedRows::Make(*batch.rows, keys_));
    arrow::BooleanBuilder is_first;
    ARROW_RETURN_NOT_OK(is_first.Reserve(keys.size()));
    for (int64_t row = 0; row < keys.size(); ++row) {
      bool is_new = false;
      seen_.At(keys[row], &is_new);
      is_first.UnsafeAppend(is_new);
    }
    ARROW_RETURN_NOT_OK(seen_.CheckBytes(bytes_most_, "drop_duplicates"));
    ARROW_ASSIGN_OR_RAISE(const auto mask, is_first.Finish());
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum kept, arrow::compute::Filter(arrow::Datum(batch.rows), arrow::Datum(mask)));
    output.Emit({.rows = kept.record_batch(), .order = batch.order, .last_of_order = batch.last_of_order});
    return Progress::kDone;
  }

 private:
  const std::vector<int> keys_;
  KeyedState seen_{0};
  int64_t bytes_most_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeKeyedDistinct(std::vector<int> keys) {
  return std::make_unique<KeyedDistinct>(std::move(keys));
}

}  // namespace mainstem
