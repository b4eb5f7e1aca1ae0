// ImageModel: decoded images to classes or vectors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mainstem/services/host/model.h"
#include "mainstem/services/models/backend.h"
#include "mainstem/services/models/columns.h"
#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/row_block.h"

namespace mainstem {

/// Answers `classify_image` and `embed_image` for pictures that already have the model's size and mode RGB; a
/// picture of another size or mode is a failure of its row. A null image has a null result.
///
/// classify_image: `result: string`, the name of the best class, or with the option output="scores"
/// `result: list<struct<label: string, score: float>>`, the `top_k` best first (softmax of the logits).
/// embed_image: `result: fixed_size_list<float>[dimension]`.
///
/// Classes come from the output named `logits` (else the first), vectors from `embedding` (else the last).
class ImageModel : public Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const Payload& payload, Backend& backend);

  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override;

 private:
  explicit ImageModel(std::unique_ptr<CompiledModel> model) : model_(std::move(model)) {}

  Status PrepareClasses(const Payload& payload);
  /// Runs the model on the pictures of `valid` rows and stores their outputs in `vectors`, in the same order.
  Status RunPictures(std::span<const std::string_view> pictures, float* vectors);
  Result<std::shared_ptr<arrow::Array>> Labels(int64_t rows, const std::vector<int64_t>& valid, const float* logits);
  Result<std::shared_ptr<arrow::Array>> Scores(int64_t rows, const std::vector<int64_t>& valid, const float* logits);

  enum class Answer { kVector, kLabel, kScores };

  std::unique_ptr<CompiledModel> model_;
  Answer answer_ = Answer::kVector;
  size_t output_ = 0;
  int64_t dimension_ = 0;
  int64_t height_ = 0;
  int64_t width_ = 0;
  int64_t batch_rows_ = 0;
  int64_t top_k_ = 1;
  std::vector<std::string> labels_;
  RowBlock block_;
};

}  // namespace mainstem
