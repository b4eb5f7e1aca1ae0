#include "mainstem/services/models/columns.h"

#include <arrow/buffer.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>

#include <cstring>

namespace mainstem {

namespace {

constexpr int64_t kStartMsMax = int64_t{1} << 53;  // leaves room to add times to it

Status WrongType(std::string_view wanted, const arrow::Array& column) {
  return JobError(fmt::format("the model reads {}, the column is {}", wanted, Escaped(column.type()->ToString())));
}

/// A field of a struct column with the expected type, as the array class; null where it does not fit.
template <typename ArrayType>
std::shared_ptr<ArrayType> Field(const arrow::StructArray& rows, const std::string& name) {
  const auto& type = static_cast<const arrow::StructType&>(*rows.type());
  const int index = type.GetFieldIndex(name);
  return index < 0 ? nullptr : std::dynamic_pointer_cast<ArrayType>(rows.field(index));
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> FirstColumn(const arrow::RecordBatch& rows) {
  if (rows.num_columns() < 1) {
    return JobError("a model was called without a column");
  }
  return rows.column(0);
}

Result<TextColumn> TextColumn::Of(const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto column, FirstColumn(rows));
  TextColumn texts;
  if (column->type_id() == arrow::Type::STRING) {
    texts.array_ = static_cast<const arrow::StringArray*>(column.get());
  } else if (column->type_id() == arrow::Type::LARGE_STRING) {
    texts.array_ = static_cast<const arrow::LargeStringArray*>(column.get());
  } else {
    return WrongType("texts", *column);
  }
  return texts;
}

bool TextColumn::IsNull(int64_t row) const {
  return std::visit([row](const auto* array) { return array->IsNull(row); }, array_);
}

std::string_view TextColumn::At(int64_t row) const {
  return std::visit([row](const auto* array) -> std::string_view { return array->GetView(row); }, array_);
}

Result<ImageColumn> ImageColumn::Of(const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto column, FirstColumn(rows));
  ImageColumn images;
  images.rows_ = dynamic_cast<const arrow::StructArray*>(column.get());
  if (images.rows_ != nullptr) {
    images.data_ = Field<arrow::LargeBinaryArray>(*images.rows_, "data");
    images.heights_ = Field<arrow::Int32Array>(*images.rows_, "height");
    images.widths_ = Field<arrow::Int32Array>(*images.rows_, "width");
    images.modes_ = Field<arrow::UInt8Array>(*images.rows_, "mode");
  }
  if (!images.data_ || !images.heights_ || !images.widths_ || !images.modes_) {
    return WrongType("decoded images", *column);
  }
  return images;
}

Result<ImageColumn::Picture> ImageColumn::At(int64_t row) const {
  if (data_->IsNull(row) || heights_->IsNull(row) || widths_->IsNull(row) || modes_->IsNull(row)) {
    return RowError("the image has no pixels, sides or mode");
  }
  const uint8_t mode = modes_->Value(row);
  if (mode > static_cast<uint8_t>(ImageMode::kL16)) {
    return RowError(fmt::format("the image has the unknown mode {}", mode));
  }
  const Picture picture = {heights_->Value(row), widths_->Value(row), static_cast<ImageMode>(mode),
                           data_->GetView(row)};
  const int64_t pixel_bytes = int64_t{Channels(picture.mode)} * BytesPerSample(picture.mode);
  // Two positive 31-bit sides and 4 bytes a pixel fit 64 bits.
  if (picture.height <= 0 || picture.width <= 0 ||
      int64_t{picture.height} * picture.width * pixel_bytes != static_cast<int64_t>(picture.pixels.size())) {
    return RowError(fmt::format("the image says {} × {} {} and has {} bytes", picture.height, picture.width,
                                ToString(picture.mode), picture.pixels.size()));
  }
  return picture;
}

Result<SoundColumn> SoundColumn::Of(const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto column, FirstColumn(rows));
  SoundColumn sounds;
  sounds.rows_ = dynamic_cast<const arrow::StructArray*>(column.get());
  if (sounds.rows_ != nullptr) {
    sounds.samples_ = Field<arrow::LargeListArray>(*sounds.rows_, "data");
    sounds.rates_ = Field<arrow::Int32Array>(*sounds.rows_, "sample_rate");
    sounds.channels_ = Field<arrow::Int32Array>(*sounds.rows_, "channels");
    sounds.starts_ = Field<arrow::Int64Array>(*sounds.rows_, "start_time_ms");
    if (sounds.samples_) {
      sounds.values_ = std::dynamic_pointer_cast<arrow::FloatArray>(sounds.samples_->values());
    }
  }
  if (!sounds.values_ || !sounds.rates_ || !sounds.channels_ || !sounds.starts_) {
    return WrongType("decoded sound", *column);
  }
  return sounds;
}

Result<SoundColumn::Sound> SoundColumn::At(int64_t row) const {
  if (samples_->IsNull(row) || rates_->IsNull(row) || channels_->IsNull(row)) {
    return RowError("the sound has no samples, rate or channels");
  }
  Sound sound;
  sound.sample_rate = rates_->Value(row);
  sound.channels = channels_->Value(row);
  sound.start_ms = starts_->IsNull(row) ? 0 : starts_->Value(row);
  if (sound.start_ms < 0 || sound.start_ms > kStartMsMax) {
    return RowError(fmt::format("the sound says that it starts at {} ms", sound.start_ms));
  }
  sound.samples = {values_->raw_values() + samples_->value_offset(row),
                   static_cast<size_t>(samples_->value_length(row))};
  return sound;
}

Result<VectorResult> VectorResult::Make(int64_t rows, int64_t dimension) {
  VectorResult result;
  result.rows_ = rows;
  result.dimension_ = dimension;
  ARROW_ASSIGN_OR_RAISE(result.values_, arrow::AllocateBuffer(rows * dimension * int64_t{sizeof(float)}));
  ARROW_ASSIGN_OR_RAISE(result.valid_, arrow::AllocateBuffer(arrow::bit_util::BytesForBits(rows)));
  // Null rows are never written; nothing of this process's memory leaves in them.
  std::memset(result.values_->mutable_data(), 0, static_cast<size_t>(result.values_->size()));
  std::memset(result.valid_->mutable_data(), 0, static_cast<size_t>(result.valid_->size()));
  return result;
}

void VectorResult::SetValid(int64_t row) { arrow::bit_util::SetBit(valid_->mutable_data(), row); }

std::shared_ptr<arrow::Array> VectorResult::Finish() const {
  const auto values = arrow::ArrayData::Make(arrow::float32(), rows_ * dimension_, {nullptr, values_}, 0);
  const auto type = arrow::fixed_size_list(arrow::field("item", arrow::float32()), static_cast<int32_t>(dimension_));
  return arrow::MakeArray(arrow::ArrayData::Make(type, rows_, {valid_}, {values}));
}

std::shared_ptr<arrow::RecordBatch> ResultBatch(std::shared_ptr<arrow::Array> result) {
  const auto schema = arrow::schema({arrow::field("result", result->type())});
  const int64_t rows = result->length();
  return arrow::RecordBatch::Make(schema, rows, {std::move(result)});
}

}  // namespace mainstem
