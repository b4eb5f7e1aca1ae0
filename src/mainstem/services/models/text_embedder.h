// TextEmbedder: texts to vectors with a BERT-like model and its WordPiece vocabulary.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/services/host/model.h"
#include "mainstem/services/models/backend.h"
#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/wordpiece.h"

namespace mainstem {

/// Answers `embed_text`: a column of texts in, `result: fixed_size_list<float>[dimension]` out. The model has the
/// inputs `input_ids` and `attention_mask` (and `token_type_ids`, fed with zeros) and an output [N, dimension].
/// Texts beyond `max_tokens` pieces (256) are cut. A null text has a null vector.
class TextEmbedder : public Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const Payload& payload, Backend& backend);

  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures) override;

 private:
  struct Sequence {
    int64_t row = 0;
    std::vector<int64_t> tokens;
  };

  TextEmbedder(WordPiece tokenizer, std::unique_ptr<CompiledModel> model)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

  /// Embeds sequences of similar length in one inference and writes each vector to its row of `vectors`.
  Status EmbedTogether(std::span<const Sequence> sequences, float* vectors);

  WordPiece tokenizer_;
  std::unique_ptr<CompiledModel> model_;
  int64_t max_tokens_ = 0;
  int64_t batch_rows_ = 0;
  int64_t dimension_ = 0;
  std::vector<int64_t> ids_;   // kept between inferences
  std::vector<int64_t> mask_;
  std::vector<int64_t> types_;
};

}  // namespace mainstem
