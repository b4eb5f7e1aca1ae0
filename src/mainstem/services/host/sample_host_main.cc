// A host with models small enough to check on paper, for the tests of the protocol.
#include <arrow/api.h>
#include <arrow/array/util.h>

#include <cstdlib>
#include <stdexcept>

#include "mainstem/services/host/model.h"

namespace mainstem {
namespace {

const arrow::Int64Array& Column(const arrow::RecordBatch& rows) {
  return static_cast<const arrow::Int64Array&>(*rows.column(0));
}

// y = x + 1; 13 fails its row, 14 the batch, 15 throws, 16 ends the process.
class Increment final : public Model {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override {
    arrow::Int64Builder builder;
    for (int64_t i = 0; i < rows->num_rows(); ++i) {
      const int64_t x = Column(*rows).Value(i);
      if (x == 14) return RowError("fourteen");
      if (x == 15) throw std::runtime_error("fifteen");
      if (x == 16) std::_Exit(16);
      if (x == 13) {
        failures->push_back({i, "thirteen"});
        ARROW_RETURN_NOT_OK(builder.AppendNull());
      } else {
        ARROW_RETURN_NOT_OK(builder.Append(x + 1));
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto column, builder.Finish());
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("y", arrow::int64())}), rows->num_rows(), {column});
  }
};

// Gives back its first argument for ever.
class Keeper final : public Model {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override {
    if (first_ == nullptr) first_ = rows;
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("y", arrow::int64())}), rows->num_rows(),
                                    {first_->column(0)->Slice(0, rows->num_rows())});
  }

 private:
  std::shared_ptr<arrow::RecordBatch> first_;
};

Result<std::unique_ptr<Model>> Load(const std::string& payload) {
  if (payload == "increment") return std::make_unique<Increment>();
  if (payload == "keeper") return std::make_unique<Keeper>();
  return JobError("there is no model '" + payload + "'");
}

}  // namespace
}  // namespace mainstem

int main() { return mainstem::ServeModel(mainstem::Load); }
