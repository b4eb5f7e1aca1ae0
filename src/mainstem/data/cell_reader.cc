#include "mainstem/data/cell_reader.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>

#include <cstring>

namespace mainstem {
namespace {

using arrow::internal::checked_cast;

// The bytes of a list's numbers as a buffer that shares the column's memory. Dense numbers have no place for nulls.
Result<std::shared_ptr<arrow::Buffer>> NumberSlice(const arrow::Array& numbers, int64_t offset, int64_t count) {
  if (numbers.null_count() > 0) {
    for (int64_t i = 0; i < count; ++i) {
      if (numbers.IsNull(offset + i)) return RowError("a number inside a vector, tensor or waveform is missing");
    }
  }
  const int width = numbers.type()->byte_width();
  return arrow::SliceBuffer(numbers.data()->buffers[1], (numbers.offset() + offset) * width, count * width);
}

std::optional<int64_t> MaybeInt64(const arrow::StructArray& row_group, int field, int64_t row) {
  const auto& column = checked_cast<const arrow::Int64Array&>(*row_group.field(field));
  if (column.IsNull(row)) return {};
  return column.Value(row);
}

std::string TextField(const arrow::StructArray& row_group, int field, int64_t row) {
  const auto& column = checked_cast<const arrow::StringArray&>(*row_group.field(field));
  return column.IsNull(row) ? std::string() : column.GetString(row);
}

Result<Value> ReadImage(const arrow::StructArray& images, int64_t row) {
  const auto& data = checked_cast<const arrow::LargeBinaryArray&>(*images.field(0));
  const uint8_t mode = checked_cast<const arrow::UInt8Array&>(*images.field(3)).Value(row);
  if (data.IsNull(row) || mode > static_cast<uint8_t>(ImageMode::kL16)) {
    return RowError("an image cell has no pixels or an unknown mode");
  }
  Image image{.height = checked_cast<const arrow::Int32Array&>(*images.field(1)).Value(row),
              .width = checked_cast<const arrow::Int32Array&>(*images.field(2)).Value(row),
              .mode = static_cast<ImageMode>(mode)};
  const int64_t start = data.value_offset(row);
  const int64_t length = data.value_length(row);
  if (image.height <= 0 || image.width <= 0 || length % image.row_bytes() != 0 ||
      length / image.row_bytes() != image.height) {  // divided, because a product of hostile sides overflows
    return RowError(fmt::format("an image cell of {} × {} {} has {} bytes", image.width, image.height,
                                ToString(image.mode), length));
  }
  image.pixels = arrow::SliceBuffer(data.value_data(), start, length);
  if (image.mode == ImageMode::kL16 && reinterpret_cast<uintptr_t>(image.pixels->data()) % 2 != 0) {
    ARROW_ASSIGN_OR_RAISE(image.pixels, image.pixels->CopySlice(0, length));
  }
  return Value(std::move(image));
}

Result<Value> ReadAudio(const arrow::StructArray& sounds, int64_t row) {
  const auto& data = checked_cast<const arrow::LargeListArray&>(*sounds.field(0));
  Waveform waveform{.frames = checked_cast<const arrow::Int64Array&>(*sounds.field(3)).Value(row),
                    .channels = checked_cast<const arrow::Int32Array&>(*sounds.field(2)).Value(row),
                    .sample_rate = checked_cast<const arrow::Int32Array&>(*sounds.field(1)).Value(row)};
  const int64_t count = data.value_length(row);
  if (data.IsNull(row) || waveform.channels <= 0 || waveform.frames < 0 || waveform.sample_rate <= 0 ||
      waveform.frames != count / waveform.channels || count % waveform.channels != 0) {
    return RowError("an audio cell's samples do not match its frames and channels");
  }
  ARROW_ASSIGN_OR_RAISE(waveform.samples, NumberSlice(*data.values(), data.value_offset(row), count));
  waveform.source_uri = TextField(sounds, 7, row);
  waveform.start_time_ms = MaybeInt64(sounds, 8, row);
  waveform.end_time_ms = MaybeInt64(sounds, 9, row);
  return Value(std::move(waveform));
}

Result<Value> ReadTensor(const LogicalType& type, const std::shared_ptr<arrow::Array>& column, int64_t row) {
  Tensor tensor{.dtype = type.dtype()};
  if (type.dtype()->id() == arrow::Type::BOOL) return RowError("tensors of bit-packed booleans have no row form");
  if (column->type_id() == arrow::Type::FIXED_SIZE_LIST) {
    const auto& list = checked_cast<const arrow::FixedSizeListArray&>(*column);
    tensor.shape = type.shape();
    ARROW_ASSIGN_OR_RAISE(tensor.values, NumberSlice(*list.values(), list.value_offset(row), list.value_length()));
    return Value(std::move(tensor));
  }
  const auto& rows = checked_cast<const arrow::StructArray&>(*column);
  const auto& data = checked_cast<const arrow::LargeListArray&>(*rows.field(0));
  const auto& shapes = checked_cast<const arrow::ListArray&>(*rows.field(1));
  const auto& sides = checked_cast<const arrow::Int32Array&>(*shapes.values());
  int64_t count = 1;
  for (int64_t i = 0; i < shapes.value_length(row); ++i) {
    const int32_t side = sides.Value(shapes.value_offset(row) + i);
    if (side < 0) return RowError("a tensor cell has a negative side");
    if (count != 0 && side > (int64_t{1} << 40) / count) return RowError("a tensor cell's shape is out of range");
    count *= side;
    tensor.shape.push_back(side);
  }
  if (tensor.count() != data.value_length(row)) {
    return RowError(fmt::format("a tensor cell of {} numbers has {}", tensor.count(), data.value_length(row)));
  }
  ARROW_ASSIGN_OR_RAISE(tensor.values, NumberSlice(*data.values(), data.value_offset(row), data.value_length(row)));
  return Value(std::move(tensor));
}

Result<Value> ReadFile(const std::shared_ptr<arrow::Array>& column, int64_t row) {
  const auto& files = checked_cast<const arrow::StructArray&>(*column);
  FileReference file{.uri = TextField(files, 0, row), .version = TextField(files, 3, row)};
  file.offset = MaybeInt64(files, 1, row).value_or(0);
  file.length = MaybeInt64(files, 2, row).value_or(-1);
  const auto& data = checked_cast<const arrow::LargeBinaryArray&>(*files.field(4));
  if (!data.IsNull(row)) file.data = Bytes(data.GetView(row), column);
  return Value(std::move(file));
}

Result<Value> ReadClip(const arrow::StructArray& clips, int64_t row) {
  return Value(MediaClip{.uri = TextField(clips, 0, row),
                         .start_time_ms = MaybeInt64(clips, 1, row),
                         .end_time_ms = MaybeInt64(clips, 2, row)});
}

template <typename ArrayType>
int64_t Integer(const arrow::Array& column, int64_t row) {
  return static_cast<int64_t>(checked_cast<const ArrayType&>(column).Value(row));
}

}  // namespace

Result<CellReader> CellReader::Make(const LogicalType& type) {
  CellReader reader(type);
  if (type.kind() != TypeKind::kPlain) return reader;
  switch (type.storage()->id()) {
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::STRUCT:
      for (const auto& field : type.storage()->fields()) {
        ARROW_ASSIGN_OR_RAISE(LogicalType child, LogicalType::FromField(*field));
        ARROW_ASSIGN_OR_RAISE(CellReader child_reader, Make(child));
        reader.children_.push_back(std::move(child_reader));
      }
      return reader;
    case arrow::Type::MAP:
    case arrow::Type::SPARSE_UNION:
    case arrow::Type::DENSE_UNION:
    case arrow::Type::DICTIONARY:
    case arrow::Type::INTERVAL_MONTHS:
    case arrow::Type::INTERVAL_DAY_TIME:
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return JobError(fmt::format("a column of type {} cannot be used by row functions; cast it first",
                                  type.ToString()));
    default: return reader;
  }
}

Result<Value> CellReader::Read(const std::shared_ptr<arrow::Array>& column, int64_t row) const {
  if (column->IsNull(row)) return Value();
  switch (type_.kind()) {
    case TypeKind::kPlain: return ReadPlain(column, row);
    case TypeKind::kImage: return ReadImage(checked_cast<const arrow::StructArray&>(*column), row);
    case TypeKind::kAudio: return ReadAudio(checked_cast<const arrow::StructArray&>(*column), row);
    case TypeKind::kTensor:
    case TypeKind::kVector: return ReadTensor(type_, column, row);
    case TypeKind::kFile: return ReadFile(column, row);
    case TypeKind::kAudioClip:
    case TypeKind::kVideoClip: return ReadClip(checked_cast<const arrow::StructArray&>(*column), row);
  }
  return Value();
}

Result<Value> CellReader::ReadPlain(const std::shared_ptr<arrow::Array>& column, int64_t row) const {
  const arrow::Array& array = *column;
  switch (array.type_id()) {
    case arrow::Type::NA: return Value();
    case arrow::Type::BOOL: return Value(checked_cast<const arrow::BooleanArray&>(array).Value(row));
    case arrow::Type::INT8: return Value(Integer<arrow::Int8Array>(array, row));
    case arrow::Type::INT16: return Value(Integer<arrow::Int16Array>(array, row));
    case arrow::Type::INT32: return Value(Integer<arrow::Int32Array>(array, row));
    case arrow::Type::INT64: return Value(Integer<arrow::Int64Array>(array, row));
    case arrow::Type::UINT8: return Value(Integer<arrow::UInt8Array>(array, row));
    case arrow::Type::UINT16: return Value(Integer<arrow::UInt16Array>(array, row));
    case arrow::Type::UINT32: return Value(Integer<arrow::UInt32Array>(array, row));
    case arrow::Type::UINT64: return Value(Integer<arrow::UInt64Array>(array, row));
    case arrow::Type::DATE32: return Value(Integer<arrow::Date32Array>(array, row));
    case arrow::Type::DATE64: return Value(Integer<arrow::Date64Array>(array, row));
    case arrow::Type::TIME32: return Value(Integer<arrow::Time32Array>(array, row));
    case arrow::Type::TIME64: return Value(Integer<arrow::Time64Array>(array, row));
    case arrow::Type::TIMESTAMP: return Value(Integer<arrow::TimestampArray>(array, row));
    case arrow::Type::DURATION: return Value(Integer<arrow::DurationArray>(array, row));
    case arrow::Type::HALF_FLOAT:
      return Value(static_cast<double>(
          arrow::util::Float16::FromBits(checked_cast<const arrow::HalfFloatArray&>(array).Value(row)).ToFloat()));
    case arrow::Type::FLOAT:
      return Value(static_cast<double>(checked_cast<const arrow::FloatArray&>(array).Value(row)));
    case arrow::Type::DOUBLE: return Value(checked_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return Value(Bytes(checked_cast<const arrow::BinaryArray&>(array).GetView(row), column));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return Value(Bytes(checked_cast<const arrow::LargeBinaryArray&>(array).GetView(row), column));
    case arrow::Type::FIXED_SIZE_BINARY:
      return Value(Bytes(checked_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(row), column));
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST: return ReadList(column, row);
    case arrow::Type::STRUCT: {
      const auto& rows = checked_cast<const arrow::StructArray&>(array);
      StructValue value;
      for (size_t i = 0; i < children_.size(); ++i) {
        ARROW_ASSIGN_OR_RAISE(Value field, children_[i].Read(rows.field(static_cast<int>(i)), row));
        value.fields.push_back(std::move(field));
      }
      return Value(std::move(value));
    }
    default: return JobError(fmt::format("no row form for {}", array.type()->ToString()));
  }
}

Result<Value> CellReader::ReadList(const std::shared_ptr<arrow::Array>& column, int64_t row) const {
  std::shared_ptr<arrow::Array> items;
  int64_t start = 0;
  int64_t count = 0;
  if (column->type_id() == arrow::Type::LIST) {
    const auto& list = checked_cast<const arrow::ListArray&>(*column);
    items = list.values();
    start = list.value_offset(row);
    count = list.value_length(row);
  } else if (column->type_id() == arrow::Type::LARGE_LIST) {
    const auto& list = checked_cast<const arrow::LargeListArray&>(*column);
    items = list.values();
    start = list.value_offset(row);
    count = list.value_length(row);
  } else {
    const auto& list = checked_cast<const arrow::FixedSizeListArray&>(*column);
    items = list.values();
    start = list.value_offset(row);
    count = list.value_length();
  }
  ListValue value;
  value.items.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    ARROW_ASSIGN_OR_RAISE(Value item, children_[0].Read(items, start + i));
    value.items.push_back(std::move(item));
  }
  return Value(std::move(value));
}

}  // namespace mainstem
