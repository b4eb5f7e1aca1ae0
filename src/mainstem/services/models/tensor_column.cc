#include "mainstem/services/models/tensor_column.h"

#include <arrow/compute/cast.h>
#include <arrow/compute/initialize.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "mainstem/services/models/columns.h"

namespace mainstem {

namespace {

/// Fits a row of `count` numbers to the port: the shape it states, or the port's with at most one free side.
std::optional<std::vector<int64_t>> FitShape(const Port& port, const std::vector<int64_t>& stated, int64_t count) {
  std::vector<int64_t> wanted(port.shape.begin() + 1, port.shape.end());
  if (!stated.empty() && stated.size() == wanted.size()) {
    for (size_t d = 0; d < wanted.size(); ++d) {
      if (wanted[d] != -1 && wanted[d] != stated[d]) {
        return std::nullopt;
      }
    }
    wanted = stated;
  } else if (stated.size() > 1) {
    return std::nullopt;  // a tensor keeps its shape; plain numbers take the model's
  }
  int64_t known = 1;
  for (const int64_t side : wanted) {
    if (side != -1 && (__builtin_mul_overflow(known, side, &known) || known > count)) {
      return std::nullopt;
    }
  }
  const auto free = std::count(wanted.begin(), wanted.end(), -1);
  if (free > 1 || known <= 0 || count <= 0 || count % known != 0 || (free == 0 && count != known)) {
    return std::nullopt;
  }
  std::replace(wanted.begin(), wanted.end(), int64_t{-1}, count / known);
  return wanted;
}

std::string Mismatch(const Port& port, const std::vector<int64_t>& stated, int64_t count) {
  const std::vector<int64_t> wanted(port.shape.begin() + 1, port.shape.end());
  const std::string got = stated.empty() ? fmt::format("{} numbers", count) : ShapeToString(stated);
  return fmt::format("the model's input '{}' takes {} a row, got {}", Escaped(port.name), ShapeToString(wanted), got);
}

Result<TensorColumn> ReadImages(const arrow::RecordBatch& batch, const Port& port, std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const ImageColumn images, ImageColumn::Of(batch));
  TensorColumn column;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (images.IsNull(row)) {
      continue;
    }
    const auto picture = images.At(row);
    if (!picture.ok()) {
      failures->push_back({row, picture.status().message()});
      continue;
    }
    const std::vector<int64_t> shape = {picture->height, picture->width, Channels(picture->mode)};
    const bool fits = BytesPerSample(picture->mode) == 1 &&
                      FitShape(port, shape, static_cast<int64_t>(picture->pixels.size())).has_value();
    if (!fits) {
      failures->push_back({row, fmt::format("{} ({}): use image.resize() and image.convert_mode()",
                                            Mismatch(port, shape, 0), ToString(picture->mode))});
      continue;
    }
    column.rows.push_back({row, shape, picture->pixels});
  }
  return column;
}

/// Numbers of the rows end to end, and which of them are a row's.
struct Numbers {
  std::shared_ptr<arrow::Array> values;
  std::function<std::pair<int64_t, int64_t>(int64_t)> range;  ///< row → offset, count
};

Result<Numbers> NumbersOf(const std::shared_ptr<arrow::Array>& array) {
  if (const auto fixed = std::dynamic_pointer_cast<arrow::FixedSizeListArray>(array)) {
    return Numbers{fixed->values(),
                   [fixed](int64_t row) { return std::pair{fixed->value_offset(row), int64_t{fixed->value_length(row)}}; }};
  }
  if (const auto list = std::dynamic_pointer_cast<arrow::ListArray>(array)) {
    return Numbers{list->values(), [list](int64_t row) {
                     return std::pair{int64_t{list->value_offset(row)}, int64_t{list->value_length(row)}};
                   }};
  }
  if (const auto list = std::dynamic_pointer_cast<arrow::LargeListArray>(array)) {
    return Numbers{list->values(),
                   [list](int64_t row) { return std::pair{list->value_offset(row), list->value_length(row)}; }};
  }
  return JobError(fmt::format("a model reads images, tensors, vectors and lists of numbers; the column is {}",
                              Escaped(array->type()->ToString())));
}

/// The numbers in the model's type, dense and without nulls between them.
Result<std::shared_ptr<arrow::Array>> Convert(std::shared_ptr<arrow::Array> values, const Port& port) {
  if (values->type()->Equals(*port.dtype)) {
    return values;
  }
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  auto cast = arrow::compute::Cast(*values, port.dtype);
  if (!cast.ok()) {
    return JobError(fmt::format("the model's input {} cannot take numbers of type {}: {}", ToString(port),
                                Escaped(values->type()->ToString()), Escaped(cast.status().message())));
  }
  return cast;
}

}  // namespace

Result<TensorColumn> TensorColumn::Read(const arrow::RecordBatch& batch, const Port& port,
                                        const std::vector<int64_t>& shape, std::vector<RowFailure>* failures) {
  ARROW_ASSIGN_OR_RAISE(const auto array, FirstColumn(batch));
  const auto rows = std::dynamic_pointer_cast<arrow::StructArray>(array);
  if (rows != nullptr && rows->struct_type()->GetFieldIndex("mode") >= 0) {
    return ReadImages(batch, port, failures);
  }
  std::shared_ptr<arrow::Array> numbers_array = array;
  std::shared_ptr<arrow::ListArray> shapes;
  if (rows != nullptr) {  // tensors with a shape of their own
    const auto data = rows->GetFieldByName("data");
    shapes = std::dynamic_pointer_cast<arrow::ListArray>(rows->GetFieldByName("shape"));
    if (data == nullptr || shapes == nullptr || shapes->value_type()->id() != arrow::Type::INT32) {
      return NumbersOf(array).status();
    }
    numbers_array = data;
  }
  ARROW_ASSIGN_OR_RAISE(Numbers numbers, NumbersOf(numbers_array));
  ARROW_ASSIGN_OR_RAISE(const auto values, Convert(numbers.values, port));
  const int width = port.dtype->byte_width();
  const auto* bytes = values->data()->GetValues<char>(1, values->offset() * width);

  TensorColumn column;
  column.storage = values;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (array->IsNull(row)) {
      continue;
    }
    if (numbers_array->IsNull(row) || (shapes != nullptr && shapes->IsNull(row))) {
      failures->push_back({row, "the tensor has no numbers or no shape"});
      continue;
    }
    const auto [offset, count] = numbers.range(row);
    if (values->null_count() > 0 && values->Slice(offset, count)->null_count() > 0) {
      failures->push_back({row, "there are nulls among the numbers"});
      continue;
    }
    std::vector<int64_t> stated = shape;
    if (shapes != nullptr) {
      const auto sides = std::static_pointer_cast<arrow::Int32Array>(shapes->value_slice(row));
      stated.clear();
      for (int64_t d = 0; d < sides->length(); ++d) {
        stated.push_back(sides->IsNull(d) ? -2 : sides->Value(d));
      }
    }
    auto fitted = FitShape(port, stated, count);
    if (!fitted.has_value() || std::any_of(fitted->begin(), fitted->end(), [](int64_t side) { return side <= 0; })) {
      failures->push_back({row, Mismatch(port, stated, count)});
      continue;
    }
    column.rows.push_back({row, std::move(*fitted),
                           {bytes + offset * width, static_cast<size_t>(count) * static_cast<size_t>(width)}});
  }
  return column;
}

}  // namespace mainstem
