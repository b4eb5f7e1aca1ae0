#include "mainstem/data/tensor.h"

#include <arrow/type.h>

namespace mainstem {

int64_t Tensor::count() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

Result<Tensor> Tensor::Allocate(std::shared_ptr<arrow::DataType> dtype, std::vector<int64_t> shape) {
  Tensor tensor{.dtype = std::move(dtype), .shape = std::move(shape)};
  const int64_t width = tensor.dtype->id() == arrow::Type::BOOL ? 1 : tensor.dtype->byte_width();
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(tensor.count() * width));
  tensor.values = std::move(buffer);
  return tensor;
}

}  // namespace mainstem
