#include "mainstem/services/models/text_embedder.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mainstem/services/models/columns.h"

namespace mainstem {

namespace {

constexpr int64_t kVocabularyBytesMax = 16 << 20;
constexpr int64_t kTokensPerInference = 4096;  // bounds the activations: 4096 tokens × 1536 × 4 bytes = 25 MB a layer
constexpr int64_t kLengthStep = 8;             // lengths are rounded up, so that compiled shapes are used again

}  // namespace

Result<std::unique_ptr<Model>> TextEmbedder::Load(const Payload& payload, Backend& backend) {
  ARROW_ASSIGN_OR_RAISE(const std::string vocabulary_path, payload.File("vocabulary"));
  ARROW_ASSIGN_OR_RAISE(const auto vocabulary, ReadLines(vocabulary_path, kVocabularyBytesMax));
  ARROW_ASSIGN_OR_RAISE(WordPiece tokenizer, WordPiece::Make(vocabulary));
  ARROW_ASSIGN_OR_RAISE(const std::string model_path, payload.File("model"));
  ARROW_ASSIGN_OR_RAISE(const CompileOptions compile, payload.Compile());
  ARROW_ASSIGN_OR_RAISE(auto model, backend.Compile(model_path, compile));
  for (const Port& port : model->inputs()) {
    if (port.name != "input_ids" && port.name != "attention_mask" && port.name != "token_type_ids") {
      return JobError(fmt::format("an embedding model has the inputs input_ids, attention_mask and, at most, "
                                  "token_type_ids; this one has {}", ToString(port)));
    }
    if (port.dtype->id() != arrow::Type::INT64) {
      return JobError(fmt::format("the input {} must be int64", ToString(port)));
    }
  }
  const Port& output = model->outputs().front();
  if (output.shape.size() != 2 || output.shape[1] <= 0 || output.dtype->id() != arrow::Type::FLOAT) {
    return JobError(fmt::format("an embedding model has one float vector a text as its first output; this one has {}",
                                ToString(output)));
  }
  std::unique_ptr<TextEmbedder> embedder(new TextEmbedder(std::move(tokenizer), std::move(model)));
  embedder->dimension_ = output.shape[1];
  ARROW_ASSIGN_OR_RAISE(embedder->max_tokens_, payload.Int("max_tokens", 256, 2, 8192));
  ARROW_ASSIGN_OR_RAISE(embedder->batch_rows_, payload.Int("batch_size", 32, 1, 1 << 20));
  return embedder;
}

Result<std::shared_ptr<arrow::RecordBatch>> TextEmbedder::Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                              std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const TextColumn texts, TextColumn::Of(*rows));
  std::vector<Sequence> sequences;
  sequences.reserve(static_cast<size_t>(rows->num_rows()));
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (!texts.IsNull(row)) {
      sequences.push_back({row, tokenizer_.Encode(texts.At(row), static_cast<size_t>(max_tokens_))});
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto vectors, VectorResult::Make(rows->num_rows(), dimension_));
  for (const Sequence& sequence : sequences) {
    vectors.SetValid(sequence.row);
  }
  // Neighbours in length share an inference, so that little of it is padding.
  std::sort(sequences.begin(), sequences.end(),
            [](const Sequence& a, const Sequence& b) { return a.tokens.size() < b.tokens.size(); });
  for (size_t from = 0; from < sequences.size();) {
    size_t to = from + 1;
    while (to < sequences.size() && static_cast<int64_t>(to - from) < batch_rows_ &&
           static_cast<int64_t>((to - from + 1) * sequences[to].tokens.size()) <= kTokensPerInference) {
      ++to;
    }
    ARROW_RETURN_NOT_OK(EmbedTogether(std::span(sequences).subspan(from, to - from), vectors.data()));
    from = to;
  }
  return ResultBatch(vectors.Finish());
}

Status TextEmbedder::EmbedTogether(std::span<const Sequence> sequences, float* vectors) {
  const auto count = static_cast<int64_t>(sequences.size());
  const auto longest = static_cast<int64_t>(sequences.back().tokens.size());
  const int64_t length = std::min(max_tokens_, (longest + kLengthStep - 1) / kLengthStep * kLengthStep);
  ids_.assign(static_cast<size_t>(count * length), tokenizer_.pad());
  mask_.assign(ids_.size(), 0);
  types_.assign(ids_.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    const auto& tokens = sequences[static_cast<size_t>(i)].tokens;
    std::copy(tokens.begin(), tokens.end(), ids_.begin() + i * length);
    std::fill_n(mask_.begin() + i * length, tokens.size(), 1);
  }
  std::vector<TensorView> inputs;
  for (const Port& port : model_->inputs()) {
    const auto& values = port.name == "input_ids" ? ids_ : port.name == "attention_mask" ? mask_ : types_;
    inputs.push_back({port.dtype, {count, length}, values.data()});
  }
  ARROW_ASSIGN_OR_RAISE(const auto outputs, model_->Infer(inputs));
  const TensorView& output = outputs.front();
  if (output.shape != std::vector<int64_t>{count, dimension_}) {
    return JobError(fmt::format("the model returned {} for {} texts of {} numbers", ShapeToString(output.shape), count,
                                dimension_));
  }
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(vectors + sequences[static_cast<size_t>(i)].row * dimension_, output.floats() + i * dimension_,
                static_cast<size_t>(dimension_) * sizeof(float));
  }
  return Status::OK();
}

}  // namespace mainstem
