#include "mainstem/connectors/normalization.h"

#include <arrow/array.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

constexpr char kNameKey[] = "ARROW:extension:name";
constexpr char kMetadataKey[] = "ARROW:extension:metadata";

using arrow::Type;

std::shared_ptr<arrow::DataType> NormalizedType(const std::shared_ptr<arrow::DataType>& type);

// The extension, wrapped or in metadata, as metadata; everything else of the metadata goes.
std::shared_ptr<arrow::Field> Unwrapped(const arrow::Field& field) {
  std::string name, metadata;
  if (field.type()->id() == Type::EXTENSION) {
    const auto& extension = static_cast<const arrow::ExtensionType&>(*field.type());
    name = extension.extension_name();
    metadata = extension.Serialize();
  } else if (field.metadata()) {
    name = field.metadata()->Get(kNameKey).ValueOr("");
    metadata = field.metadata()->Get(kMetadataKey).ValueOr("");
  }
  auto kept = name.empty() ? nullptr : arrow::key_value_metadata({kNameKey, kMetadataKey}, {name, metadata});
  return arrow::field(field.name(), NormalizedType(field.type()), field.nullable(), std::move(kept));
}

std::shared_ptr<arrow::DataType> NormalizedType(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case Type::EXTENSION: return NormalizedType(static_cast<const arrow::ExtensionType&>(*type).storage_type());
    case Type::DICTIONARY: return NormalizedType(static_cast<const arrow::DictionaryType&>(*type).value_type());
    case Type::LARGE_STRING:
    case Type::STRING_VIEW: return arrow::utf8();
    case Type::BINARY:
    case Type::BINARY_VIEW: return arrow::large_binary();
    case Type::LIST:
    case Type::LIST_VIEW: return arrow::list(Unwrapped(*type->field(0)));
    case Type::LARGE_LIST:
    case Type::LARGE_LIST_VIEW: return arrow::large_list(Unwrapped(*type->field(0)));
    case Type::FIXED_SIZE_LIST:
      return arrow::fixed_size_list(Unwrapped(*type->field(0)),
                                    static_cast<const arrow::FixedSizeListType&>(*type).list_size());
    case Type::STRUCT: {
      arrow::FieldVector fields;
      for (const auto& field : type->fields()) fields.push_back(Unwrapped(*field));
      return arrow::struct_(std::move(fields));
    }
    case Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      return std::make_shared<arrow::MapType>(Unwrapped(*map.key_field()), Unwrapped(*map.item_field()),
                                              map.keys_sorted());
    }
    default: return type;
  }
}

// An extension array has the layout of its storage: only the types change.
std::shared_ptr<arrow::ArrayData> Storage(const std::shared_ptr<arrow::ArrayData>& data,
                                          const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() == Type::EXTENSION) {
    return Storage(data, static_cast<const arrow::ExtensionType&>(*type).storage_type());
  }
  auto copy = data->Copy();
  copy->type = type;
  if (type->id() == Type::DICTIONARY || type->num_fields() == 0) return copy;
  arrow::FieldVector fields = type->fields();
  bool changed = false;
  for (size_t i = 0; i < copy->child_data.size() && i < fields.size(); ++i) {
    copy->child_data[i] = Storage(copy->child_data[i], fields[i]->type());
    changed |= copy->child_data[i]->type != fields[i]->type();
    fields[i] = fields[i]->WithType(copy->child_data[i]->type);
  }
  if (!changed) return copy;
  switch (type->id()) {
    case Type::STRUCT: copy->type = arrow::struct_(fields); break;
    case Type::LIST: copy->type = arrow::list(fields[0]); break;
    case Type::LARGE_LIST: copy->type = arrow::large_list(fields[0]); break;
    case Type::LIST_VIEW: copy->type = arrow::list_view(fields[0]); break;
    case Type::LARGE_LIST_VIEW: copy->type = arrow::large_list_view(fields[0]); break;
    case Type::FIXED_SIZE_LIST:
      copy->type = arrow::fixed_size_list(fields[0], static_cast<const arrow::FixedSizeListType&>(*type).list_size());
      break;
    case Type::MAP: {
      const auto& entries = *fields[0]->type();
      copy->type = std::make_shared<arrow::MapType>(entries.field(0), entries.field(1));
      break;
    }
    default: break;
  }
  return copy;
}

}  // namespace

Result<std::shared_ptr<arrow::Field>> NormalizedField(const std::shared_ptr<arrow::Field>& field) {
  ARROW_ASSIGN_OR_RAISE(const LogicalType type, LogicalType::FromField(*Unwrapped(*field)));
  return type.ToField(field->name());
}

Result<std::shared_ptr<arrow::Schema>> NormalizedSchema(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) {
    ARROW_ASSIGN_OR_RAISE(auto normal, NormalizedField(field));
    fields.push_back(std::move(normal));
  }
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::Array>> Normalized(const std::shared_ptr<arrow::Array>& array,
                                                 const arrow::Field& field) {
  if (array->type()->Equals(*field.type())) return array;
  std::shared_ptr<arrow::Array> storage = arrow::MakeArray(Storage(array->data(), array->type()));
  if (storage->type()->Equals(*field.type())) return storage;
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  auto cast = arrow::compute::Cast(*storage, field.type());
  if (!cast.ok()) {
    return JobError(fmt::format("column '{}' is {} and cannot become {}: {}", Escaped(field.name()),
                                array->type()->ToString(), field.type()->ToString(), cast.status().message()));
  }
  return cast;
}

Result<std::shared_ptr<arrow::RecordBatch>> Normalized(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                       const std::shared_ptr<arrow::Schema>& schema) {
  if (batch->num_columns() != schema->num_fields()) {
    return JobError(fmt::format("{} columns came where {} were expected", batch->num_columns(), schema->num_fields()));
  }
  arrow::ArrayVector columns;
  for (int i = 0; i < batch->num_columns(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto column, Normalized(batch->column(i), *schema->field(i)));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch->num_rows(), std::move(columns));
}

}  // namespace mainstem
