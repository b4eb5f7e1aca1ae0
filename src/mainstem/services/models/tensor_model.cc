#include "mainstem/services/models/tensor_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mainstem/services/models/columns.h"

namespace mainstem {

namespace {

constexpr int64_t kResultCountMax = 1 << 28;  // numbers a row

/// What the payload says of the column: {"kind": "image" | "tensor" | "vector" | "list", "shape": […]}.
struct InputColumn {
  bool image = false;
  std::vector<int64_t> shape;
};

Result<std::vector<int64_t>> ReadShape(const nlohmann::json& json) {
  std::vector<int64_t> shape;
  if (json.is_array()) {
    for (const auto& side : json) {
      if (!side.is_number_integer() || side.get<int64_t>() <= 0 || side.get<int64_t>() > kResultCountMax) {
        return JobError("the sides of a shape are positive integers");
      }
      shape.push_back(side.get<int64_t>());
    }
  }
  return shape;
}

Result<InputColumn> ReadInputColumn(const Payload& payload) {
  InputColumn column;
  if (payload.inputs.is_array() && !payload.inputs.empty() && payload.inputs[0].is_object()) {
    const auto& input = payload.inputs[0];
    column.image = input.value("kind", nlohmann::json()) == "image";
    ARROW_ASSIGN_OR_RAISE(column.shape, ReadShape(input.value("shape", nlohmann::json())));
  }
  return column;
}

/// Index of the chosen input. A model with several inputs cannot be fed from one column.
Result<size_t> ChooseInput(const CompiledModel& model, const std::string& name) {
  if (model.inputs().size() != 1) {
    std::string ports;
    for (const Port& port : model.inputs()) {
      ports += (ports.empty() ? "" : "; ") + ToString(port);
    }
    return JobError(fmt::format("the model has {} inputs ({}), one column feeds models with one input",
                                model.inputs().size(), ports));
  }
  return name.empty() ? size_t{0} : FindPort(model.inputs(), name, "input");
}

}  // namespace

Result<std::unique_ptr<Model>> TensorModel::Load(const Payload& payload, Backend& backend) {
  ARROW_ASSIGN_OR_RAISE(const std::string path, payload.File("model"));
  ARROW_ASSIGN_OR_RAISE(CompileOptions compile, payload.Compile());
  ARROW_ASSIGN_OR_RAISE(InputColumn column, ReadInputColumn(payload));
  if (column.image) {
    PixelInput pixels;
    ARROW_ASSIGN_OR_RAISE(pixels.mean, payload.Numbers("mean"));
    ARROW_ASSIGN_OR_RAISE(pixels.scale, payload.Numbers("scale"));
    compile.pixels = std::move(pixels);
  }
  ARROW_ASSIGN_OR_RAISE(auto compiled, backend.Compile(path, compile));
  std::unique_ptr<TensorModel> model(new TensorModel(std::move(compiled)));
  ARROW_ASSIGN_OR_RAISE(const std::string input_name, payload.Text("input", ""));
  ARROW_RETURN_NOT_OK(ChooseInput(*model->model_, input_name).status());
  ARROW_ASSIGN_OR_RAISE(const std::string output_name, payload.Text("output", ""));
  if (!output_name.empty()) {
    ARROW_ASSIGN_OR_RAISE(model->output_, FindPort(model->model_->outputs(), output_name, "output"));
  }
  const Port& input = model->model_->inputs().front();
  const Port& output = model->model_->outputs()[model->output_];
  if (input.shape.empty() || output.shape.empty()) {
    return JobError(fmt::format("input and output of the model need a batch side first; they are {} and {}",
                                ToString(input), ToString(output)));
  }
  ARROW_ASSIGN_OR_RAISE(model->batch_rows_, payload.Int("batch_size", 64, 1, 1 << 20));
  model->fixed_rows_ = std::max<int64_t>(0, input.shape[0]);
  model->row_shape_ = std::move(column.shape);
  ARROW_ASSIGN_OR_RAISE(std::vector<int64_t> shape,
                        ReadShape(payload.options.value("output_shape", nlohmann::json())));
  if (shape.empty()) {
    shape.assign(output.shape.begin() + 1, output.shape.end());
  }
  model->result_count_ = 1;
  for (const int64_t side : shape) {
    if (side <= 0 || __builtin_mul_overflow(model->result_count_, side, &model->result_count_) ||
        model->result_count_ > kResultCountMax) {
      return JobError(fmt::format("the output {} has free or too large sides: state output_shape, the shape of one "
                                  "row", ToString(output)));
    }
  }
  return model;
}

Result<std::shared_ptr<arrow::RecordBatch>> TensorModel::Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                             std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const TensorColumn column,
                        TensorColumn::Read(*rows, model_->inputs().front(), row_shape_, failures));
  const auto& dtype = model_->outputs()[output_].dtype;
  const int64_t row_bytes = result_count_ * dtype->byte_width();
  int64_t bytes = 0;
  if (__builtin_mul_overflow(row_bytes, rows->num_rows(), &bytes)) {
    return JobError("the model's results do not fit into memory: choose a smaller batch_size");
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values, arrow::AllocateBuffer(bytes));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> valid,
                        arrow::AllocateBuffer(arrow::bit_util::BytesForBits(rows->num_rows())));
  std::memset(values->mutable_data(), 0, static_cast<size_t>(bytes));
  std::memset(valid->mutable_data(), 0, static_cast<size_t>(valid->size()));
  const auto batch = static_cast<size_t>(fixed_rows_ > 0 ? fixed_rows_ : batch_rows_);
  const std::span<const TensorRow> all(column.rows);
  for (size_t from = 0; from < all.size();) {
    size_t to = from + 1;
    while (to < all.size() && to - from < batch && all[to].shape == all[from].shape) {
      ++to;
    }
    ARROW_RETURN_NOT_OK(RunTogether(all.subspan(from, to - from), reinterpret_cast<char*>(values->mutable_data())));
    from = to;
  }
  for (const TensorRow& row : all) {
    arrow::bit_util::SetBit(valid->mutable_data(), row.row);
  }
  const auto numbers = arrow::ArrayData::Make(dtype, rows->num_rows() * result_count_, {nullptr, values}, 0);
  const auto type = arrow::fixed_size_list(arrow::field("item", dtype), static_cast<int32_t>(result_count_));
  return ResultBatch(arrow::MakeArray(arrow::ArrayData::Make(type, rows->num_rows(), {valid}, {numbers})));
}

Status TensorModel::RunTogether(std::span<const TensorRow> rows, char* result) {
  std::vector<std::string_view> bytes;
  bytes.reserve(rows.size());
  for (const TensorRow& row : rows) {
    bytes.push_back(row.bytes);
  }
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t padded = std::max(count, fixed_rows_);
  TensorView input = {model_->inputs().front().dtype, {padded}, nullptr};
  input.shape.insert(input.shape.end(), rows.front().shape.begin(), rows.front().shape.end());
  input.data = block_.Gather(bytes, rows.front().bytes.size(), static_cast<size_t>(padded));
  ARROW_ASSIGN_OR_RAISE(const auto outputs, model_->Infer({&input, 1}));
  const TensorView& output = outputs[output_];
  int64_t numbers = 1;
  for (size_t d = 1; d < output.shape.size(); ++d) {
    numbers *= output.shape[d];
  }
  if (output.shape[0] != padded || numbers != result_count_) {
    return JobError(fmt::format("the model returned {} for {} rows, {} numbers a row were expected",
                                ShapeToString(output.shape), padded, result_count_));
  }
  const auto row_bytes = static_cast<size_t>(result_count_ * output.dtype->byte_width());
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(result + static_cast<size_t>(rows[i].row) * row_bytes,
                static_cast<const char*>(output.data) + i * row_bytes, row_bytes);
  }
  return Status::OK();
}

}  // namespace mainstem
