#include "mainstem/data/logical_type.h"

#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

constexpr char kNameKey[] = "ARROW:extension:name";
constexpr char kMetadataKey[] = "ARROW:extension:metadata";

const char* ExtensionName(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kPlain: return "";
    case TypeKind::kImage: return "mainstem.image";
    case TypeKind::kTensor: return type.shape().empty() ? "mainstem.tensor" : "arrow.fixed_shape_tensor";
    case TypeKind::kVector: return "mainstem.vector";
    case TypeKind::kFile: return "mainstem.file";
    case TypeKind::kAudio: return "mainstem.audio";
    case TypeKind::kAudioClip: return "mainstem.audio_clip";
    case TypeKind::kVideoClip: return "mainstem.video_clip";
  }
  return "";
}

std::shared_ptr<arrow::DataType> ClipStorage() {
  return arrow::struct_({arrow::field("uri", arrow::utf8()), arrow::field("start_time_ms", arrow::int64()),
                         arrow::field("end_time_ms", arrow::int64())});
}

// Extension types that somebody registered with Arrow arrive wrapped; the engine works on storage.
std::shared_ptr<arrow::DataType> Unwrapped(const std::shared_ptr<arrow::DataType>& type, std::string* name,
                                           std::string* metadata) {
  if (type->id() != arrow::Type::EXTENSION) return type;
  const auto& extension = static_cast<const arrow::ExtensionType&>(*type);
  *name = extension.extension_name();
  *metadata = extension.Serialize();
  return extension.storage_type();
}

}  // namespace

LogicalType LogicalType::Plain(std::shared_ptr<arrow::DataType> storage) {
  LogicalType type;
  type.storage_ = std::move(storage);
  return type;
}

LogicalType LogicalType::Image(std::optional<ImageMode> mode, std::optional<int32_t> height,
                               std::optional<int32_t> width) {
  static const auto kStorage = arrow::struct_(
      {arrow::field("data", arrow::large_binary()), arrow::field("height", arrow::int32()),
       arrow::field("width", arrow::int32()), arrow::field("mode", arrow::uint8())});
  LogicalType type = Plain(kStorage);
  type.kind_ = TypeKind::kImage;
  type.image_mode_ = mode;
  type.image_height_ = height;
  type.image_width_ = width;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (mode) json["mode"] = mainstem::ToString(*mode);
  if (height) json["height"] = *height;
  if (width) json["width"] = *width;
  type.metadata_ = json.dump();
  return type;
}

LogicalType LogicalType::Tensor(std::shared_ptr<arrow::DataType> dtype, std::vector<int64_t> shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  LogicalType type =
      shape.empty()
          ? Plain(arrow::struct_({arrow::field("data", arrow::large_list(dtype)),
                                  arrow::field("shape", arrow::list(arrow::int32()))}))
          : Plain(arrow::fixed_size_list(dtype, static_cast<int32_t>(count)));
  type.kind_ = TypeKind::kTensor;
  if (!shape.empty()) type.metadata_ = nlohmann::json{{"shape", shape}}.dump();
  type.dtype_ = std::move(dtype);
  type.shape_ = std::move(shape);
  return type;
}

LogicalType LogicalType::Vector(std::shared_ptr<arrow::DataType> dtype, int32_t dimension) {
  LogicalType type = Plain(arrow::fixed_size_list(dtype, dimension));
  type.kind_ = TypeKind::kVector;
  type.dtype_ = std::move(dtype);
  type.shape_ = {dimension};
  return type;
}

LogicalType LogicalType::File() {
  static const auto kStorage = arrow::struct_(
      {arrow::field("uri", arrow::utf8()), arrow::field("offset", arrow::int64()),
       arrow::field("length", arrow::int64()), arrow::field("version", arrow::utf8()),
       arrow::field("data", arrow::large_binary())});
  LogicalType type = Plain(kStorage);
  type.kind_ = TypeKind::kFile;
  return type;
}

LogicalType LogicalType::Audio() {
  static const auto kStorage = arrow::struct_(
      {arrow::field("data", arrow::large_list(arrow::float32())), arrow::field("sample_rate", arrow::int32()),
       arrow::field("channels", arrow::int32()), arrow::field("frames", arrow::int64()),
       arrow::field("sample_format", arrow::utf8()), arrow::field("layout", arrow::utf8()),
       arrow::field("duration_ms", arrow::int64()), arrow::field("source_uri", arrow::utf8()),
       arrow::field("start_time_ms", arrow::int64()), arrow::field("end_time_ms", arrow::int64())});
  LogicalType type = Plain(kStorage);
  type.kind_ = TypeKind::kAudio;
  return type;
}

LogicalType LogicalType::AudioClip() {
  LogicalType type = Plain(ClipStorage());
  type.kind_ = TypeKind::kAudioClip;
  return type;
}

LogicalType LogicalType::VideoClip() {
  LogicalType type = Plain(ClipStorage());
  type.kind_ = TypeKind::kVideoClip;
  return type;
}

LogicalType LogicalType::Bool() { return Plain(arrow::boolean()); }
LogicalType LogicalType::Int32() { return Plain(arrow::int32()); }
LogicalType LogicalType::Int64() { return Plain(arrow::int64()); }
LogicalType LogicalType::Float32() { return Plain(arrow::float32()); }
LogicalType LogicalType::Float64() { return Plain(arrow::float64()); }
LogicalType LogicalType::String() { return Plain(arrow::utf8()); }
LogicalType LogicalType::Binary() { return Plain(arrow::large_binary()); }
LogicalType LogicalType::List(const LogicalType& item) { return Plain(arrow::list(item.ToField("item"))); }

LogicalType LogicalType::Struct(const std::vector<Member>& members) {
  arrow::FieldVector fields;
  for (const Member& member : members) fields.push_back(member.type.ToField(member.name));
  return Plain(arrow::struct_(std::move(fields)));
}

bool LogicalType::IsBytes() const {
  return kind_ == TypeKind::kPlain && (storage_->id() == arrow::Type::BINARY ||
                                       storage_->id() == arrow::Type::LARGE_BINARY ||
                                       storage_->id() == arrow::Type::FIXED_SIZE_BINARY);
}
bool LogicalType::IsText() const {
  return kind_ == TypeKind::kPlain &&
         (storage_->id() == arrow::Type::STRING || storage_->id() == arrow::Type::LARGE_STRING);
}
bool LogicalType::IsInteger() const { return kind_ == TypeKind::kPlain && arrow::is_integer(storage_->id()); }
bool LogicalType::IsFloating() const { return kind_ == TypeKind::kPlain && arrow::is_floating(storage_->id()); }
bool LogicalType::IsBoolean() const { return kind_ == TypeKind::kPlain && storage_->id() == arrow::Type::BOOL; }
bool LogicalType::IsList() const { return kind_ == TypeKind::kPlain && arrow::is_list_like(storage_->id()); }
bool LogicalType::IsStruct() const { return kind_ == TypeKind::kPlain && storage_->id() == arrow::Type::STRUCT; }

LogicalType LogicalType::item() const { return *FromField(*storage_->field(0)); }

std::vector<LogicalType::Member> LogicalType::members() const {
  std::vector<Member> members;
  for (const auto& field : storage_->fields()) members.push_back({field->name(), *FromField(*field)});
  return members;
}

std::string LogicalType::ToString() const {
  switch (kind_) {
    case TypeKind::kPlain:
      if (IsStruct()) {
        std::string text;
        for (const Member& member : members()) {
          text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", member.name, member.type.ToString());
        }
        return fmt::format("struct<{}>", text);
      }
      if (IsList()) return fmt::format("list<{}>", item().ToString());
      return storage_ ? storage_->ToString() : "none";
    case TypeKind::kImage: {
      std::vector<std::string> parts;
      if (image_mode_) parts.emplace_back(mainstem::ToString(*image_mode_));
      if (image_height_) parts.push_back(std::to_string(*image_height_));
      if (image_width_) parts.push_back(std::to_string(*image_width_));
      return parts.empty() ? "image" : fmt::format("image({})", fmt::join(parts, ", "));
    }
    case TypeKind::kTensor:
      if (shape_.empty()) return fmt::format("tensor({})", dtype_->ToString());
      return fmt::format("tensor({}, [{}])", dtype_->ToString(), fmt::join(shape_, ", "));
    case TypeKind::kVector: return fmt::format("vector({}, {})", dtype_->ToString(), shape_[0]);
    case TypeKind::kFile: return "file";
    case TypeKind::kAudio: return "audio";
    case TypeKind::kAudioClip: return "audio_clip";
    case TypeKind::kVideoClip: return "video_clip";
  }
  return "?";
}

bool LogicalType::operator==(const LogicalType& other) const {
  if (kind_ != other.kind_ || metadata_ != other.metadata_) return false;
  if (!storage_ || !other.storage_) return storage_ == other.storage_;
  return storage_->Equals(*other.storage_);
}

std::shared_ptr<arrow::Field> LogicalType::ToField(const std::string& name) const {
  if (kind_ == TypeKind::kPlain) return arrow::field(name, storage_);
  return arrow::field(name, storage_, true,
                      arrow::key_value_metadata({kNameKey, kMetadataKey}, {ExtensionName(*this), metadata_}));
}

Result<LogicalType> LogicalType::FromField(const arrow::Field& field) {
  std::string name;
  std::string metadata;
  const auto storage = Unwrapped(field.type(), &name, &metadata);
  if (name.empty() && field.metadata()) {
    name = field.metadata()->Get(kNameKey).ValueOr("");
    metadata = field.metadata()->Get(kMetadataKey).ValueOr("");
  }
  if (name.empty()) {
    // A registered extension inside a list or struct: rebuild the field so that its children are storage too.
    if (storage->num_fields() > 0) {
      bool changed = false;
      arrow::FieldVector children;
      for (const auto& child : storage->fields()) {
        ARROW_ASSIGN_OR_RAISE(LogicalType type, FromField(*child));
        children.push_back(type.ToField(child->name())->WithNullable(child->nullable()));
        changed |= !children.back()->type()->Equals(*child->type());
      }
      if (changed && storage->id() == arrow::Type::STRUCT) return Plain(arrow::struct_(children));
      if (changed && storage->id() == arrow::Type::LIST) return Plain(arrow::list(children[0]));
      if (changed && storage->id() == arrow::Type::LARGE_LIST) return Plain(arrow::large_list(children[0]));
    }
    return Plain(storage);
  }

  const auto json = nlohmann::json::parse(metadata.empty() ? "{}" : metadata, nullptr, false);
  const auto integer = [&](const char* key) -> std::optional<int32_t> {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_integer()) return {};
    return json[key].get<int32_t>();
  };
  LogicalType type;
  if (name == "mainstem.image") {
    std::optional<ImageMode> mode;
    if (json.is_object() && json.contains("mode") && json["mode"].is_string()) {
      ARROW_ASSIGN_OR_RAISE(mode, ParseImageMode(json["mode"].get<std::string>()));
    }
    type = Image(mode, integer("height"), integer("width"));
  } else if (name == "arrow.fixed_shape_tensor") {
    if (storage->id() != arrow::Type::FIXED_SIZE_LIST || !json.is_object() || !json.contains("shape") ||
        !json["shape"].is_array()) {
      return JobError(fmt::format("column '{}' claims to be a tensor but its metadata gives no shape", field.name()));
    }
    std::vector<int64_t> shape;
    int64_t count = 1;
    for (const auto& entry : json["shape"]) {
      const int64_t side = entry.is_number_integer() ? entry.get<int64_t>() : -1;
      if (side < 0 || (count > 0 && side > std::numeric_limits<int32_t>::max() / count)) {
        return JobError(fmt::format("column '{}': bad tensor shape", field.name()));
      }
      count *= side;
      shape.push_back(side);
    }
    // Numbers stored in another order than the logical one are no tensor of ours.
    if (json.contains("permutation") && !json["permutation"].is_null()) return Plain(storage);
    type = Tensor(storage->field(0)->type(), std::move(shape));
  } else if (name == "mainstem.tensor") {
    if (storage->id() != arrow::Type::STRUCT || storage->num_fields() != 2 ||
        storage->field(0)->type()->num_fields() != 1) {
      return JobError(fmt::format("column '{}' claims to be a tensor but is {}", field.name(), storage->ToString()));
    }
    type = Tensor(storage->field(0)->type()->field(0)->type(), {});
  } else if (name == "mainstem.vector") {
    if (storage->id() != arrow::Type::FIXED_SIZE_LIST) {
      return JobError(fmt::format("column '{}' claims to be a vector but is {}", field.name(), storage->ToString()));
    }
    type = Vector(storage->field(0)->type(), static_cast<const arrow::FixedSizeListType&>(*storage).list_size());
  } else if (name == "mainstem.file") {
    type = File();
  } else if (name == "mainstem.audio") {
    type = Audio();
  } else if (name == "mainstem.audio_clip") {
    type = AudioClip();
  } else if (name == "mainstem.video_clip") {
    type = VideoClip();
  } else {
    return Plain(storage);  // an extension that is not ours: its storage is what we can work on
  }
  if (!type.storage_->Equals(*storage)) {
    return JobError(fmt::format("column '{}' claims to be {} but is stored as {}", field.name(), name,
                                storage->ToString()));
  }
  return type;
}

}  // namespace mainstem
