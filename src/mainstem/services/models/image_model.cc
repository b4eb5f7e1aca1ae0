#include "mainstem/services/models/image_model.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace mainstem {

namespace {

constexpr int64_t kLabelBytesMax = 16 << 20;

size_t OutputFor(const std::vector<Port>& outputs, std::string_view name, size_t otherwise) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name == name) {
      return i;
    }
  }
  return otherwise;
}

/// exp(logit − largest) / sum, in double: exact enough to print and safe from overflow.
std::vector<double> Softmax(const float* logits, int64_t count) {
  const double largest = *std::max_element(logits, logits + count);
  std::vector<double> scores(static_cast<size_t>(count));
  std::transform(logits, logits + count, scores.begin(), [&](float logit) { return std::exp(logit - largest); });
  const double total = std::accumulate(scores.begin(), scores.end(), 0.0);
  for (double& score : scores) {
    score /= total;
  }
  return scores;
}

}  // namespace

Result<std::unique_ptr<Model>> ImageModel::Load(const Payload& payload, Backend& backend) {
  ARROW_ASSIGN_OR_RAISE(const std::string path, payload.File("model"));
  ARROW_ASSIGN_OR_RAISE(CompileOptions compile, payload.Compile());
  PixelInput pixels;
  ARROW_ASSIGN_OR_RAISE(pixels.mean, payload.Numbers("mean"));
  ARROW_ASSIGN_OR_RAISE(pixels.scale, payload.Numbers("scale"));
  compile.pixels = std::move(pixels);
  ARROW_ASSIGN_OR_RAISE(auto compiled, backend.Compile(path, compile));
  std::unique_ptr<ImageModel> model(new ImageModel(std::move(compiled)));

  const auto& inputs = model->model_->inputs();
  const Port& input = inputs.front();
  if (inputs.size() != 1 || input.shape[0] != -1 || input.shape[1] <= 0 || input.shape[2] <= 0 ||
      input.shape[3] != 3) {
    return JobError(fmt::format("an image model has one input with a free batch side and a fixed RGB size; this one "
                                "has {} inputs, the first is {}. ai.onnx() runs other models", inputs.size(),
                                ToString(input)));
  }
  model->height_ = input.shape[1];
  model->width_ = input.shape[2];
  ARROW_ASSIGN_OR_RAISE(model->batch_rows_, payload.Int("batch_size", 32, 1, 1 << 20));
  const auto& outputs = model->model_->outputs();
  const bool classify = payload.task == "classify_image";
  model->output_ = classify ? OutputFor(outputs, "logits", 0) : OutputFor(outputs, "embedding", outputs.size() - 1);
  const Port& output = outputs[model->output_];
  if (output.shape.size() != 2 || output.shape[1] <= 0 || output.dtype->id() != arrow::Type::FLOAT) {
    return JobError(fmt::format("an image model has float outputs [N, numbers]; this one has {}", ToString(output)));
  }
  model->dimension_ = output.shape[1];
  if (classify) {
    ARROW_RETURN_NOT_OK(model->PrepareClasses(payload));
  }
  return model;
}

Status ImageModel::PrepareClasses(const Payload& payload) {
  ARROW_ASSIGN_OR_RAISE(const std::string path, payload.File("labels"));
  ARROW_ASSIGN_OR_RAISE(labels_, ReadLines(path, kLabelBytesMax));
  if (static_cast<int64_t>(labels_.size()) != dimension_) {
    return JobError(fmt::format("{} has {} labels, the model has {} classes", Escaped(path), labels_.size(),
                                dimension_));
  }
  ARROW_ASSIGN_OR_RAISE(top_k_, payload.Int("top_k", 1, 1, 1 << 20));
  if (top_k_ > dimension_) {
    return JobError(fmt::format("top_k is {}, the model has {} classes", top_k_, dimension_));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string output, payload.Text("output", "label"));
  if (output != "label" && output != "scores") {
    return JobError(fmt::format("option 'output' must be 'label' or 'scores', not '{}'", Escaped(output)));
  }
  answer_ = output == "label" ? Answer::kLabel : Answer::kScores;
  return Status::OK();
}

Result<std::shared_ptr<arrow::RecordBatch>> ImageModel::Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                            std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const ImageColumn images, ImageColumn::Of(*rows));
  std::vector<int64_t> valid;
  std::vector<std::string_view> pictures;
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (images.IsNull(row)) {
      continue;
    }
    const auto picture = images.At(row);
    if (!picture.ok()) {
      failures->push_back({row, picture.status().message()});
    } else if (picture->mode != ImageMode::kRGB || picture->height != height_ || picture->width != width_) {
      failures->push_back({row, fmt::format("the model reads {} × {} RGB images, got {} × {} {}: use image.resize({}, "
                                            "{}) and image.convert_mode('RGB')", height_, width_, picture->height,
                                            picture->width, ToString(picture->mode), width_, height_)});
    } else {
      valid.push_back(row);
      pictures.push_back(picture->pixels);
    }
  }
  if (answer_ == Answer::kVector) {
    ARROW_ASSIGN_OR_RAISE(auto vectors, VectorResult::Make(rows->num_rows(), dimension_));
    std::vector<float> dense;
    // Without gaps the model's vectors have the places that the result gives them.
    const bool direct = static_cast<int64_t>(valid.size()) == rows->num_rows();
    dense.resize(direct ? 0 : valid.size() * static_cast<size_t>(dimension_));
    ARROW_RETURN_NOT_OK(RunPictures(pictures, direct ? vectors.data() : dense.data()));
    for (size_t i = 0; i < valid.size(); ++i) {
      vectors.SetValid(valid[i]);
      if (!direct) {
        std::memcpy(vectors.data() + valid[i] * dimension_, dense.data() + static_cast<int64_t>(i) * dimension_,
                    static_cast<size_t>(dimension_) * sizeof(float));
      }
    }
    return ResultBatch(vectors.Finish());
  }
  std::vector<float> logits(valid.size() * static_cast<size_t>(dimension_));
  ARROW_RETURN_NOT_OK(RunPictures(pictures, logits.data()));
  ARROW_ASSIGN_OR_RAISE(auto result, answer_ == Answer::kLabel ? Labels(rows->num_rows(), valid, logits.data())
                                                               : Scores(rows->num_rows(), valid, logits.data()));
  return ResultBatch(std::move(result));
}

Status ImageModel::RunPictures(std::span<const std::string_view> pictures, float* vectors) {
  const auto batch = static_cast<size_t>(batch_rows_);
  const auto picture_bytes = static_cast<size_t>(height_ * width_ * 3);
  for (size_t from = 0; from < pictures.size(); from += batch) {
    const auto part = pictures.subspan(from, std::min(batch, pictures.size() - from));
    const auto count = static_cast<int64_t>(part.size());
    const TensorView input = {model_->inputs().front().dtype, {count, height_, width_, 3},
                              block_.Gather(part, picture_bytes, part.size())};
    ARROW_ASSIGN_OR_RAISE(const auto outputs, model_->Infer({&input, 1}));
    const TensorView& output = outputs[output_];
    if (output.shape != std::vector<int64_t>{count, dimension_}) {
      return JobError(fmt::format("the model returned {} for {} images of {} numbers", ShapeToString(output.shape),
                                  count, dimension_));
    }
    std::memcpy(vectors + static_cast<int64_t>(from) * dimension_, output.data,
                static_cast<size_t>(count * dimension_) * sizeof(float));
  }
  return Status::OK();
}

Result<std::shared_ptr<arrow::Array>> ImageModel::Labels(int64_t rows, const std::vector<int64_t>& valid,
                                                         const float* logits) {
  arrow::StringBuilder builder;
  size_t next = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (next == valid.size() || valid[next] != row) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    const float* scores = logits + static_cast<int64_t>(next++) * dimension_;
    ARROW_RETURN_NOT_OK(builder.Append(labels_[std::max_element(scores, scores + dimension_) - scores]));
  }
  return builder.Finish();
}

Result<std::shared_ptr<arrow::Array>> ImageModel::Scores(int64_t rows, const std::vector<int64_t>& valid,
                                                         const float* logits) {
  auto label = std::make_shared<arrow::StringBuilder>();
  auto score = std::make_shared<arrow::FloatBuilder>();
  const auto type = arrow::struct_({arrow::field("label", arrow::utf8()), arrow::field("score", arrow::float32())});
  auto item = std::make_shared<arrow::StructBuilder>(type, arrow::default_memory_pool(),
                                                     std::vector<std::shared_ptr<arrow::ArrayBuilder>>{label, score});
  arrow::ListBuilder builder(arrow::default_memory_pool(), item, arrow::list(type));
  std::vector<int64_t> order(static_cast<size_t>(dimension_));
  size_t next = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (next == valid.size() || valid[next] != row) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    const auto scores = Softmax(logits + static_cast<int64_t>(next++) * dimension_, dimension_);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + top_k_, order.end(),
                      [&](int64_t a, int64_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
    ARROW_RETURN_NOT_OK(builder.Append());
    for (int64_t k = 0; k < top_k_; ++k) {
      ARROW_RETURN_NOT_OK(item->Append());
      ARROW_RETURN_NOT_OK(label->Append(labels_[static_cast<size_t>(order[k])]));
      ARROW_RETURN_NOT_OK(score->Append(static_cast<float>(scores[order[k]])));
    }
  }
  return builder.Finish();
}

}  // namespace mainstem
