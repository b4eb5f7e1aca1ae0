// Columns: reads the rows of a call and writes the column of its reply.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/image.h"

namespace mainstem {

/// The first column of a call as texts. Borrows the batch.
class TextColumn {
 public:
  static Result<TextColumn> Of(const arrow::RecordBatch& rows);
  bool IsNull(int64_t row) const;
  std::string_view At(int64_t row) const;

 private:
  std::variant<const arrow::StringArray*, const arrow::LargeStringArray*> array_;
};

/// The first column of a call as decoded images (storage of the image type). Borrows the batch.
class ImageColumn {
 public:
  /// A picture's bytes, checked against its sides and mode.
  struct Picture {
    int32_t height = 0;
    int32_t width = 0;
    ImageMode mode = ImageMode::kRGB;
    std::string_view pixels;
  };

  static Result<ImageColumn> Of(const arrow::RecordBatch& rows);
  bool IsNull(int64_t row) const { return rows_->IsNull(row); }
  /// A picture that is not null; a RowError where bytes, sides and mode do not agree.
  Result<Picture> At(int64_t row) const;

 private:
  const arrow::StructArray* rows_ = nullptr;
  std::shared_ptr<arrow::LargeBinaryArray> data_;
  std::shared_ptr<arrow::Int32Array> heights_;
  std::shared_ptr<arrow::Int32Array> widths_;
  std::shared_ptr<arrow::UInt8Array> modes_;
};

/// The first column of a call as sound (storage of the audio type). Borrows the batch.
class SoundColumn {
 public:
  struct Sound {
    int32_t sample_rate = 0;
    int32_t channels = 0;
    int64_t start_ms = 0;  ///< place in its source; 0 where not known
    std::span<const float> samples;
  };

  static Result<SoundColumn> Of(const arrow::RecordBatch& rows);
  bool IsNull(int64_t row) const { return rows_->IsNull(row); }
  Result<Sound> At(int64_t row) const;

 private:
  const arrow::StructArray* rows_ = nullptr;
  std::shared_ptr<arrow::LargeListArray> samples_;
  std::shared_ptr<arrow::FloatArray> values_;
  std::shared_ptr<arrow::Int32Array> rates_;
  std::shared_ptr<arrow::Int32Array> channels_;
  std::shared_ptr<arrow::Int64Array> starts_;
};

/// A column of vectors being filled: rows × dimension floats. Rows are null until SetValid.
class VectorResult {
 public:
  static Result<VectorResult> Make(int64_t rows, int64_t dimension);
  float* data() { return reinterpret_cast<float*>(values_->mutable_data()); }
  void SetValid(int64_t row);
  std::shared_ptr<arrow::Array> Finish() const;

 private:
  int64_t rows_ = 0;
  int64_t dimension_ = 0;
  std::shared_ptr<arrow::Buffer> values_;
  std::shared_ptr<arrow::Buffer> valid_;
};

/// A batch with the one column `result`.
std::shared_ptr<arrow::RecordBatch> ResultBatch(std::shared_ptr<arrow::Array> result);

/// The first column of a call; fails where there is none.
Result<std::shared_ptr<arrow::Array>> FirstColumn(const arrow::RecordBatch& rows);

}  // namespace mainstem
