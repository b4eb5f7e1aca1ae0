#include "mainstem/services/journal/journal_key.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <sodium.h>

#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

// Changes whenever the bytes that are hashed or stored change their meaning.
constexpr std::string_view kScheme = "mainstem journal 1";

class Hash {
 public:
  Hash() { crypto_generichash_init(&state_, nullptr, 0, JournalKey().size()); }
  void Bytes(const void* data, size_t size) {
    crypto_generichash_update(&state_, static_cast<const unsigned char*>(data), size);
  }
  void Number(int64_t number) { Bytes(&number, sizeof number); }
  void Tag(char tag) { Bytes(&tag, 1); }
  void Text(std::string_view text) {
    Number(static_cast<int64_t>(text.size()));
    Bytes(text.data(), text.size());
  }
  JournalKey Finish() {
    JournalKey key;
    crypto_generichash_final(&state_, key.data(), key.size());
    return key;
  }

 private:
  crypto_generichash_state state_;
};

// The name of a field's extension type, registered with Arrow or only stated.
std::string ExtensionName(const arrow::Field& field) {
  if (field.type()->id() == arrow::Type::EXTENSION) {
    return static_cast<const arrow::ExtensionType&>(*field.type()).extension_name();
  }
  if (field.metadata() == nullptr) return "";
  const auto name = field.metadata()->Get("ARROW:extension:name");
  return name.ok() ? *name : "";
}

const arrow::DataType& Storage(const arrow::DataType& type) {
  if (type.id() != arrow::Type::EXTENSION) return type;
  return Storage(*static_cast<const arrow::ExtensionType&>(type).storage_type());
}

bool HasPlainBytes(const arrow::DataType& type) {
  return arrow::is_fixed_width(type.id()) && type.id() != arrow::Type::BOOL && type.id() != arrow::Type::DICTIONARY;
}

// The type as the key has it: without names of columns, which do not reach the service.
std::string TypeText(const arrow::Field& field) {
  return fmt::format("{}<{}>", ExtensionName(field), Storage(*field.type()).ToString());
}

Status CheckHashable(const arrow::Field& field) {
  const arrow::DataType& type = Storage(*field.type());
  switch (type.id()) {
    case arrow::Type::NA:
    case arrow::Type::BOOL:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY: return Status::OK();
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::MAP:
    case arrow::Type::STRUCT:
      for (const auto& child : type.fields()) ARROW_RETURN_NOT_OK(CheckHashable(*child));
      return Status::OK();
    default: break;
  }
  if (HasPlainBytes(type)) return Status::OK();
  return JobError(fmt::format("the journal takes no columns of type {} ('{}'); cast it first", type.ToString(),
                              Escaped(field.name())));
}

// Feeds cells of one column to a hash. Returns false where a cell's content is not known.
bool HashCell(const arrow::Field& field, const arrow::Array& array, int64_t row, Hash* hash);

bool HashItems(const arrow::Field& item, const arrow::Array& items, int64_t start, int64_t length, Hash* hash) {
  hash->Number(length);
  const arrow::DataType& type = *items.type();
  if (HasPlainBytes(type)) {
    bool whole = true;
    for (int64_t i = start; whole && items.null_count() > 0 && i < start + length; ++i) whole = items.IsValid(i);
    if (whole) {
      const int64_t width = arrow::internal::checked_cast<const arrow::FixedWidthType&>(type).byte_width();
      const uint8_t* values = items.data()->GetValues<uint8_t>(1, 0);
      hash->Tag('p');
      if (length > 0) {
        hash->Bytes(values + (items.offset() + start) * width, static_cast<size_t>(length * width));
      }
      return true;
    }
  }
  hash->Tag('i');
  bool known = true;
  for (int64_t i = start; i < start + length; ++i) known &= HashCell(item, items, i, hash);
  return known;
}

template <typename ListArray>
bool HashList(const arrow::Array& array, int64_t row, Hash* hash) {
  const auto& list = static_cast<const ListArray&>(array);
  return HashItems(*array.type()->field(0), *list.values(), list.value_offset(row), list.value_length(row), hash);
}

template <typename BinaryArray>
void HashBinary(const arrow::Array& array, int64_t row, Hash* hash) {
  hash->Text(static_cast<const BinaryArray&>(array).GetView(row));
}

// Bytes that were fetched decide; without them, the place and the version do.
bool HashFile(const arrow::StructArray& files, int64_t row, Hash* hash) {
  const auto& type = static_cast<const arrow::StructType&>(*files.type());
  const int data = type.GetFieldIndex("data");
  const int version = type.GetFieldIndex("version");
  const bool has_data = data >= 0 && files.field(data)->IsValid(row);
  bool known = has_data;
  for (int i = 0; i < type.num_fields(); ++i) {
    if (i == version && has_data) continue;
    known |= HashCell(*type.field(i), *files.field(i), row, hash) && i == version && files.field(i)->IsValid(row) &&
             !static_cast<const arrow::StringArray&>(*files.field(i)).GetView(row).empty();
  }
  return known;
}

bool HashStruct(const std::string& extension, const arrow::Array& array, int64_t row, Hash* hash) {
  const auto& structs = static_cast<const arrow::StructArray&>(array);
  if (extension == "mainstem.file") return HashFile(structs, row, hash);
  bool known = !extension.ends_with("_clip");
  for (int i = 0; i < structs.num_fields(); ++i) {
    known &= HashCell(*array.type()->field(i), *structs.field(i), row, hash);
  }
  return known;
}

bool HashCell(const arrow::Field& field, const arrow::Array& array, int64_t row, Hash* hash) {
  if (array.type_id() == arrow::Type::EXTENSION) {
    const auto& storage = *static_cast<const arrow::ExtensionArray&>(array).storage();
    if (storage.type_id() != arrow::Type::STRUCT) return HashCell(*field.WithType(storage.type()), storage, row, hash);
    hash->Tag(storage.IsNull(row) ? 'n' : 'v');
    return storage.IsNull(row) || HashStruct(ExtensionName(field), storage, row, hash);
  }
  const bool null = array.IsNull(row);
  hash->Tag(null ? 'n' : 'v');
  if (null) return true;
  switch (array.type_id()) {
    case arrow::Type::BOOL: hash->Tag(static_cast<const arrow::BooleanArray&>(array).Value(row) ? 't' : 'f'); break;
    case arrow::Type::STRING: HashBinary<arrow::StringArray>(array, row, hash); break;
    case arrow::Type::BINARY: HashBinary<arrow::BinaryArray>(array, row, hash); break;
    case arrow::Type::LARGE_STRING: HashBinary<arrow::LargeStringArray>(array, row, hash); break;
    case arrow::Type::LARGE_BINARY: HashBinary<arrow::LargeBinaryArray>(array, row, hash); break;
    case arrow::Type::LIST: return HashList<arrow::ListArray>(array, row, hash);
    case arrow::Type::MAP: return HashList<arrow::MapArray>(array, row, hash);
    case arrow::Type::LARGE_LIST: return HashList<arrow::LargeListArray>(array, row, hash);
    case arrow::Type::FIXED_SIZE_LIST: return HashList<arrow::FixedSizeListArray>(array, row, hash);
    case arrow::Type::STRUCT: return HashStruct(ExtensionName(field), array, row, hash);
    default: {
      const int64_t width = static_cast<const arrow::FixedWidthType&>(*array.type()).byte_width();
      hash->Bytes(array.data()->GetValues<uint8_t>(1, 0) + (array.offset() + row) * width, static_cast<size_t>(width));
    }
  }
  return true;
}

// What a model's payload says of its replies: not where its files lie, but what is in them; not how many rows go at once.
Result<std::string> ModelIdentity(const ServiceSpec& spec) {
  nlohmann::json payload = nlohmann::json::parse(spec.payload, nullptr, false);
  if (!payload.is_object()) return JobError(fmt::format("{}: the payload is no JSON object", spec.name));
  const auto files = payload.value("files", nlohmann::json::object());
  const auto checksums = payload.value("sha256", nlohmann::json::object());
  for (const auto& [part, path] : files.items()) {
    if (!checksums.contains(part) || !checksums[part].is_string() || checksums[part].get<std::string>().empty()) {
      return JobError(fmt::format("{}: the plan has no checksum of the model's file '{}', so the journal could not tell a "
                                  "changed model from this one", spec.name, Escaped(part)));
    }
  }
  payload.erase("files");
  payload.erase("name");
  if (payload.contains("options") && payload["options"].is_object()) payload["options"].erase("batch_size");
  return payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<RowKeys> RowKeys::Make(const ServiceSpec& spec) {
  if (sodium_init() < 0) return JobError("libsodium could not be set up");
  if (!spec.deterministic && !spec.by_origin) {
    return JobError(fmt::format("{} is declared as not deterministic and its calls do not say where their rows come from: "
                                "the journal would give one reply for another", spec.name));
  }
  if (spec.shape == ReplyShape::kBatch) {
    return JobError(fmt::format("{} replaces whole batches, which are cut differently in each run; the journal keeps "
                                "replies to rows", spec.name));
  }
  for (const auto& field : spec.input->fields()) {
    ARROW_RETURN_NOT_OK(WithContext(CheckHashable(*field), spec.name));
  }
  std::string content;
  if (spec.host == ServiceSpec::Host::kNative) {
    ARROW_ASSIGN_OR_RAISE(content, ModelIdentity(spec));
  } else if (!spec.journal_identity.empty()) {
    content = spec.journal_identity;
  } else {
    return JobError(fmt::format("{} has no identity for the journal; declare it with journal=True", spec.name));
  }
  Hash hash;
  hash.Text(kScheme);
  hash.Number(spec.host == ServiceSpec::Host::kNative ? 1 : 0);
  hash.Number(static_cast<int64_t>(spec.shape));
  for (const std::string& text : {spec.name, spec.form, content}) hash.Text(text);
  for (const auto& schema : {spec.input, spec.output}) {
    hash.Number(schema->num_fields());
    for (const auto& field : schema->fields()) hash.Text(TypeText(*field));
  }
  if (spec.by_origin) hash.Text("by origin");
  const JournalKey identity = hash.Finish();
  return RowKeys(std::string(identity.begin(), identity.end()), spec.by_origin);
}

Result<std::vector<std::optional<JournalKey>>> RowKeys::Of(const arrow::RecordBatch& rows) const {
  std::vector<std::optional<JournalKey>> keys(static_cast<size_t>(rows.num_rows()));
  const arrow::ArrayVector columns = rows.columns();
  for (const auto& field : rows.schema()->fields()) ARROW_RETURN_NOT_OK(CheckHashable(*field));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    Hash hash;
    hash.Text(identity_);
    bool known = !by_origin_ || (!columns.empty() && columns.back()->IsValid(row));
    for (size_t i = 0; i < columns.size(); ++i) {
      known &= HashCell(*rows.schema()->field(static_cast<int>(i)), *columns[i], row, &hash);
    }
    if (known) keys[static_cast<size_t>(row)] = hash.Finish();
  }
  return keys;
}

}  // namespace mainstem
