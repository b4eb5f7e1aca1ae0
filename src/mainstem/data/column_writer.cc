#include "mainstem/data/column_writer.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>

#include <limits>

namespace mainstem {

using arrow::internal::checked_cast;

// A type resolved once, with the builders of its parts.
struct ColumnWriter::Node {
  LogicalType type;
  arrow::ArrayBuilder* builder = nullptr;
  std::vector<std::unique_ptr<Node>> children;

  Status Append(const Value& value, int64_t* bytes);
  Status AppendPlain(const Value& value, int64_t* bytes);
  Status AppendStructFields(const Value& value, int64_t* bytes);
  Status AppendNumbers(arrow::ArrayBuilder* numbers, const uint8_t* data, int64_t count, int64_t* bytes);
  Status AppendTensor(const Tensor& tensor, int64_t* bytes);
  Status Mismatch(const Value& value) const;

  template <typename Builder>
  Builder* Part(int field) const {
    return checked_cast<Builder*>(checked_cast<arrow::StructBuilder*>(builder)->field_builder(field));
  }
};

namespace {

template <typename Builder>
Status AppendInteger(arrow::ArrayBuilder* builder, int64_t value) {
  using T = typename Builder::value_type;
  if constexpr (!std::is_same_v<T, int64_t> && !std::is_same_v<T, uint64_t>) {
    if (value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<int64_t>(std::numeric_limits<T>::max())) {
      return RowError(fmt::format("{} does not fit the type {}", value, builder->type()->ToString()));
    }
  }
  return checked_cast<Builder*>(builder)->Append(static_cast<T>(value));
}

Status AppendMaybe(arrow::Int64Builder* builder, const std::optional<int64_t>& value) {
  return value ? builder->Append(*value) : builder->AppendNull();
}

const char* KindName(const Value& value) {
  static constexpr const char* kNames[] = {"null",   "bool",       "integer", "number", "bytes", "image", "audio",
                                           "tensor", "media clip", "file",    "struct", "list"};
  return kNames[value.variant().index()];
}

}  // namespace

Status ColumnWriter::Node::Mismatch(const Value& value) const {
  return RowError(fmt::format("a function gave a {} where the column is {}", KindName(value), type.ToString()));
}

Status ColumnWriter::Node::AppendNumbers(arrow::ArrayBuilder* numbers, const uint8_t* data, int64_t count,
                                         int64_t* bytes) {
  *bytes += count * numbers->type()->byte_width();
  switch (numbers->type()->id()) {
#define MAINSTEM_APPEND(ID, NAME, T) \
  case arrow::Type::ID:              \
    return checked_cast<arrow::NAME##Builder*>(numbers)->AppendValues(reinterpret_cast<const T*>(data), count);
    MAINSTEM_APPEND(INT8, Int8, int8_t)
    MAINSTEM_APPEND(INT16, Int16, int16_t)
    MAINSTEM_APPEND(INT32, Int32, int32_t)
    MAINSTEM_APPEND(INT64, Int64, int64_t)
    MAINSTEM_APPEND(UINT8, UInt8, uint8_t)
    MAINSTEM_APPEND(UINT16, UInt16, uint16_t)
    MAINSTEM_APPEND(UINT32, UInt32, uint32_t)
    MAINSTEM_APPEND(UINT64, UInt64, uint64_t)
    MAINSTEM_APPEND(HALF_FLOAT, HalfFloat, uint16_t)
    MAINSTEM_APPEND(FLOAT, Float, float)
    MAINSTEM_APPEND(DOUBLE, Double, double)
#undef MAINSTEM_APPEND
    default: return JobError(fmt::format("tensors of {} are not supported", numbers->type()->ToString()));
  }
}

Status ColumnWriter::Node::AppendTensor(const Tensor& tensor, int64_t* bytes) {
  if (!tensor.dtype->Equals(*type.dtype())) {
    return RowError(fmt::format("a tensor of {} where the column is {}", tensor.dtype->ToString(), type.ToString()));
  }
  if (!type.shape().empty()) {
    if (tensor.shape != type.shape()) {
      return RowError(fmt::format("a tensor of {} numbers where the column is {}", tensor.count(), type.ToString()));
    }
    auto* list = checked_cast<arrow::FixedSizeListBuilder*>(builder);
    ARROW_RETURN_NOT_OK(list->Append());
    return AppendNumbers(list->value_builder(), tensor.values->data(), tensor.count(), bytes);
  }
  auto* rows = checked_cast<arrow::StructBuilder*>(builder);
  ARROW_RETURN_NOT_OK(rows->Append());
  auto* data = Part<arrow::LargeListBuilder>(0);
  ARROW_RETURN_NOT_OK(data->Append());
  ARROW_RETURN_NOT_OK(AppendNumbers(data->value_builder(), tensor.values->data(), tensor.count(), bytes));
  auto* shape = Part<arrow::ListBuilder>(1);
  ARROW_RETURN_NOT_OK(shape->Append());
  for (const int64_t side : tensor.shape) {
    ARROW_RETURN_NOT_OK(
        checked_cast<arrow::Int32Builder*>(shape->value_builder())->Append(static_cast<int32_t>(side)));
  }
  return Status::OK();
}

Status ColumnWriter::Node::Append(const Value& value, int64_t* bytes) {
  if (value.is_null()) return builder->AppendNull();
  switch (type.kind()) {
    case TypeKind::kPlain: return AppendPlain(value, bytes);
    case TypeKind::kImage: {
      if (!value.Is<Image>()) return Mismatch(value);
      const Image& image = value.As<Image>();
      if ((type.image_mode() && *type.image_mode() != image.mode) ||
          (type.image_height() && *type.image_height() != image.height) ||
          (type.image_width() && *type.image_width() != image.width)) {
        return RowError(fmt::format("a picture of {} × {} {} where the column is {}", image.width, image.height,
                                    ToString(image.mode), type.ToString()));
      }
      ARROW_RETURN_NOT_OK(checked_cast<arrow::StructBuilder*>(builder)->Append());
      ARROW_RETURN_NOT_OK(Part<arrow::LargeBinaryBuilder>(0)->Append(image.data(), image.size_bytes()));
      ARROW_RETURN_NOT_OK(Part<arrow::Int32Builder>(1)->Append(image.height));
      ARROW_RETURN_NOT_OK(Part<arrow::Int32Builder>(2)->Append(image.width));
      *bytes += image.size_bytes();
      return Part<arrow::UInt8Builder>(3)->Append(static_cast<uint8_t>(image.mode));
    }
    case TypeKind::kTensor:
    case TypeKind::kVector:
      if (value.Is<ListValue>() && type.kind() == TypeKind::kVector) return Mismatch(value);
      if (!value.Is<Tensor>()) return Mismatch(value);
      return AppendTensor(value.As<Tensor>(), bytes);
    case TypeKind::kFile: {
      if (!value.Is<FileReference>()) return Mismatch(value);
      const FileReference& file = value.As<FileReference>();
      ARROW_RETURN_NOT_OK(checked_cast<arrow::StructBuilder*>(builder)->Append());
      ARROW_RETURN_NOT_OK(Part<arrow::StringBuilder>(0)->Append(file.uri));
      ARROW_RETURN_NOT_OK(Part<arrow::Int64Builder>(1)->Append(file.offset));
      ARROW_RETURN_NOT_OK(Part<arrow::Int64Builder>(2)->Append(file.length));
      ARROW_RETURN_NOT_OK(Part<arrow::StringBuilder>(3)->Append(file.version));
      if (!file.data) return Part<arrow::LargeBinaryBuilder>(4)->AppendNull();
      *bytes += static_cast<int64_t>(file.data->size());
      return Part<arrow::LargeBinaryBuilder>(4)->Append(file.data->view());
    }
    case TypeKind::kAudio: {
      if (!value.Is<Waveform>()) return Mismatch(value);
      const Waveform& sound = value.As<Waveform>();
      ARROW_RETURN_NOT_OK(checked_cast<arrow::StructBuilder*>(builder)->Append());
      auto* data = Part<arrow::LargeListBuilder>(0);
      ARROW_RETURN_NOT_OK(data->Append());
      const int64_t count = sound.frames * sound.channels;
      ARROW_RETURN_NOT_OK(checked_cast<arrow::FloatBuilder*>(data->value_builder())->AppendValues(sound.data(), count));
      *bytes += count * static_cast<int64_t>(sizeof(float));
      ARROW_RETURN_NOT_OK(Part<arrow::Int32Builder>(1)->Append(sound.sample_rate));
      ARROW_RETURN_NOT_OK(Part<arrow::Int32Builder>(2)->Append(sound.channels));
      ARROW_RETURN_NOT_OK(Part<arrow::Int64Builder>(3)->Append(sound.frames));
      ARROW_RETURN_NOT_OK(Part<arrow::StringBuilder>(4)->Append("float32"));
      ARROW_RETURN_NOT_OK(Part<arrow::StringBuilder>(5)->Append("interleaved"));
      ARROW_RETURN_NOT_OK(Part<arrow::Int64Builder>(6)->Append(sound.duration_ms()));
      ARROW_RETURN_NOT_OK(sound.source_uri.empty() ? Part<arrow::StringBuilder>(7)->AppendNull()
                                                   : Part<arrow::StringBuilder>(7)->Append(sound.source_uri));
      ARROW_RETURN_NOT_OK(AppendMaybe(Part<arrow::Int64Builder>(8), sound.start_time_ms));
      return AppendMaybe(Part<arrow::Int64Builder>(9), sound.end_time_ms);
    }
    case TypeKind::kAudioClip:
    case TypeKind::kVideoClip: {
      if (!value.Is<MediaClip>()) return Mismatch(value);
      const MediaClip& clip = value.As<MediaClip>();
      ARROW_RETURN_NOT_OK(checked_cast<arrow::StructBuilder*>(builder)->Append());
      ARROW_RETURN_NOT_OK(Part<arrow::StringBuilder>(0)->Append(clip.uri));
      ARROW_RETURN_NOT_OK(AppendMaybe(Part<arrow::Int64Builder>(1), clip.start_time_ms));
      return AppendMaybe(Part<arrow::Int64Builder>(2), clip.end_time_ms);
    }
  }
  return Status::OK();
}

Status ColumnWriter::Node::AppendStructFields(const Value& value, int64_t* bytes) {
  const auto& fields = value.As<StructValue>().fields;
  if (fields.size() != children.size()) {
    return RowError(fmt::format("a function gave {} fields where the column is {}", fields.size(), type.ToString()));
  }
  ARROW_RETURN_NOT_OK(checked_cast<arrow::StructBuilder*>(builder)->Append());
  for (size_t i = 0; i < fields.size(); ++i) ARROW_RETURN_NOT_OK(children[i]->Append(fields[i], bytes));
  return Status::OK();
}

Status ColumnWriter::Node::AppendPlain(const Value& value, int64_t* bytes) {
  const auto id = type.storage()->id();
  *bytes += 8;
  if (value.Is<bool>() && id == arrow::Type::BOOL) {
    return checked_cast<arrow::BooleanBuilder*>(builder)->Append(value.As<bool>());
  }
  if (value.Is<int64_t>()) {
    const int64_t number = value.As<int64_t>();
    switch (id) {
      case arrow::Type::INT8: return AppendInteger<arrow::Int8Builder>(builder, number);
      case arrow::Type::INT16: return AppendInteger<arrow::Int16Builder>(builder, number);
      case arrow::Type::INT32: return AppendInteger<arrow::Int32Builder>(builder, number);
      case arrow::Type::INT64: return AppendInteger<arrow::Int64Builder>(builder, number);
      case arrow::Type::UINT8: return AppendInteger<arrow::UInt8Builder>(builder, number);
      case arrow::Type::UINT16: return AppendInteger<arrow::UInt16Builder>(builder, number);
      case arrow::Type::UINT32: return AppendInteger<arrow::UInt32Builder>(builder, number);
      case arrow::Type::UINT64: return AppendInteger<arrow::UInt64Builder>(builder, number);
      case arrow::Type::DATE32: return AppendInteger<arrow::Date32Builder>(builder, number);
      case arrow::Type::DATE64: return AppendInteger<arrow::Date64Builder>(builder, number);
      case arrow::Type::TIME32: return AppendInteger<arrow::Time32Builder>(builder, number);
      case arrow::Type::TIME64: return AppendInteger<arrow::Time64Builder>(builder, number);
      case arrow::Type::TIMESTAMP: return AppendInteger<arrow::TimestampBuilder>(builder, number);
      case arrow::Type::DURATION: return AppendInteger<arrow::DurationBuilder>(builder, number);
      case arrow::Type::FLOAT: return checked_cast<arrow::FloatBuilder*>(builder)->Append(static_cast<float>(number));
      case arrow::Type::DOUBLE:
        return checked_cast<arrow::DoubleBuilder*>(builder)->Append(static_cast<double>(number));
      default: return Mismatch(value);
    }
  }
  if (value.Is<double>()) {
    const double number = value.As<double>();
    if (id == arrow::Type::DOUBLE) return checked_cast<arrow::DoubleBuilder*>(builder)->Append(number);
    if (id == arrow::Type::FLOAT) {
      return checked_cast<arrow::FloatBuilder*>(builder)->Append(static_cast<float>(number));
    }
    if (id == arrow::Type::HALF_FLOAT) {
      return checked_cast<arrow::HalfFloatBuilder*>(builder)->Append(arrow::util::Float16(number).bits());
    }
    return Mismatch(value);
  }
  if (value.Is<Bytes>()) {
    const std::string_view view = value.As<Bytes>().view();
    *bytes += static_cast<int64_t>(view.size());
    switch (id) {
      case arrow::Type::STRING: return checked_cast<arrow::StringBuilder*>(builder)->Append(view);
      case arrow::Type::BINARY: return checked_cast<arrow::BinaryBuilder*>(builder)->Append(view);
      case arrow::Type::LARGE_STRING: return checked_cast<arrow::LargeStringBuilder*>(builder)->Append(view);
      case arrow::Type::LARGE_BINARY: return checked_cast<arrow::LargeBinaryBuilder*>(builder)->Append(view);
      case arrow::Type::FIXED_SIZE_BINARY: {
        auto* fixed = checked_cast<arrow::FixedSizeBinaryBuilder*>(builder);
        if (static_cast<int32_t>(view.size()) != fixed->byte_width()) return Mismatch(value);
        return fixed->Append(view);
      }
      default: return Mismatch(value);
    }
  }
  if (value.Is<StructValue>() && id == arrow::Type::STRUCT) return AppendStructFields(value, bytes);
  if (value.Is<ListValue>()) {
    const auto& items = value.As<ListValue>().items;
    if (id == arrow::Type::LIST) {
      ARROW_RETURN_NOT_OK(checked_cast<arrow::ListBuilder*>(builder)->Append());
    } else if (id == arrow::Type::LARGE_LIST) {
      ARROW_RETURN_NOT_OK(checked_cast<arrow::LargeListBuilder*>(builder)->Append());
    } else if (id == arrow::Type::FIXED_SIZE_LIST &&
               checked_cast<const arrow::FixedSizeListType&>(*type.storage()).list_size() ==
                   static_cast<int32_t>(items.size())) {
      ARROW_RETURN_NOT_OK(checked_cast<arrow::FixedSizeListBuilder*>(builder)->Append());
    } else {
      return Mismatch(value);
    }
    for (const Value& item : items) ARROW_RETURN_NOT_OK(children[0]->Append(item, bytes));
    return Status::OK();
  }
  return Mismatch(value);
}

namespace {

arrow::ArrayBuilder* ChildBuilder(arrow::ArrayBuilder* builder, int index) {
  switch (builder->type()->id()) {
    case arrow::Type::LIST: return checked_cast<arrow::ListBuilder*>(builder)->value_builder();
    case arrow::Type::LARGE_LIST: return checked_cast<arrow::LargeListBuilder*>(builder)->value_builder();
    case arrow::Type::FIXED_SIZE_LIST: return checked_cast<arrow::FixedSizeListBuilder*>(builder)->value_builder();
    case arrow::Type::STRUCT: return checked_cast<arrow::StructBuilder*>(builder)->field_builder(index);
    default: return nullptr;
  }
}

}  // namespace

ColumnWriter::ColumnWriter(std::unique_ptr<arrow::ArrayBuilder> builder, std::unique_ptr<Node> root)
    : builder_(std::move(builder)), root_(std::move(root)) {}

ColumnWriter::~ColumnWriter() = default;

Result<std::unique_ptr<ColumnWriter>> ColumnWriter::Make(const LogicalType& type, arrow::MemoryPool* pool) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(arrow::MakeBuilder(pool, type.storage(), &builder));

  struct Maker {
    static Result<std::unique_ptr<Node>> Build(const LogicalType& type, arrow::ArrayBuilder* builder) {
      auto node = std::make_unique<Node>();
      node->type = type;
      node->builder = builder;
      if (type.kind() != TypeKind::kPlain) return node;
      for (int i = 0; i < type.storage()->num_fields(); ++i) {
        arrow::ArrayBuilder* child_builder = ChildBuilder(builder, i);
        if (child_builder == nullptr) break;
        ARROW_ASSIGN_OR_RAISE(LogicalType child, LogicalType::FromField(*type.storage()->field(i)));
        ARROW_ASSIGN_OR_RAISE(std::unique_ptr<Node> child_node, Build(child, child_builder));
        node->children.push_back(std::move(child_node));
      }
      return node;
    }
  };
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<Node> root, Maker::Build(type, builder.get()));
  return std::unique_ptr<ColumnWriter>(new ColumnWriter(std::move(builder), std::move(root)));
}

Status ColumnWriter::Append(const Value& value) { return root_->Append(value, &bytes_); }
Status ColumnWriter::AppendNull() { return builder_->AppendNull(); }
int64_t ColumnWriter::length() const { return builder_->length(); }

Result<std::shared_ptr<arrow::Array>> ColumnWriter::Finish() {
  bytes_ = 0;
  std::shared_ptr<arrow::Array> column;
  ARROW_RETURN_NOT_OK(builder_->Finish(&column));
  return column;
}

}  // namespace mainstem
