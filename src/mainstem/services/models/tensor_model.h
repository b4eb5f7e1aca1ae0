// TensorModel: any model of the user, from one column of numbers or images to one of numbers.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/services/host/model.h"
#include "mainstem/services/models/backend.h"
#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/row_block.h"
#include "mainstem/services/models/tensor_column.h"

namespace mainstem {

/// Answers `onnx`: the column (images, tensors, vectors, lists of numbers) is the model's input, `result:
/// fixed_size_list<dtype>[numbers a row]` its first or chosen output. The first side of both is the batch; where it
/// is fixed in the model, calls are cut to it and the last one is filled up with zeros. Null in, null out.
///
/// Options: input, output (names), batch_size (64), mean, scale (of images), output_shape (a row's).
class TensorModel : public Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const Payload& payload, Backend& backend);

  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override;

 private:
  explicit TensorModel(std::unique_ptr<CompiledModel> model) : model_(std::move(model)) {}

  /// Runs rows of one shape and copies what comes back to their places in `result`.
  Status RunTogether(std::span<const TensorRow> rows, char* result);

  std::unique_ptr<CompiledModel> model_;
  size_t output_ = 0;
  int64_t batch_rows_ = 64;
  int64_t fixed_rows_ = 0;   ///< batch side that the model prescribes; 0 where it is free
  int64_t result_count_ = 0; ///< numbers a row of the result
  std::vector<int64_t> row_shape_;  ///< of the column, where its type states one
  RowBlock block_;
};

}  // namespace mainstem
