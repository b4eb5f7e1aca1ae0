// LogicalType: an Arrow storage type and, for multimodal types, the extension that gives it meaning.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/data/image.h"

namespace mainstem {

/// What a column means beyond its storage.
enum class TypeKind {
  kPlain,      ///< an Arrow type as it is
  kImage,      ///< decoded picture
  kTensor,     ///< numbers with a fixed shape (Arrow's arrow.fixed_shape_tensor) or one of its own a row
  kVector,     ///< dense numbers of fixed dimension
  kFile,       ///< reference to a file
  kAudio,      ///< decoded sound
  kAudioClip,  ///< time range of a sound file, end exclusive
  kVideoClip,  ///< time range of a video file, end inclusive
};

/// A column's type. Inside the engine columns are always *storage* arrays and the extension stands in the
/// field's metadata (ARROW:extension:name, ARROW:extension:metadata): Arrow's kernels work on them unchanged,
/// and Parquet, IPC and pyarrow see an ordinary extension type. Immutable, cheap to copy.
class LogicalType {
 public:
  LogicalType() = default;

  static LogicalType Plain(std::shared_ptr<arrow::DataType> storage);
  /// struct<data: large_binary, height: int32, width: int32, mode: uint8>. A fixed image states all three.
  static LogicalType Image(std::optional<ImageMode> mode = {}, std::optional<int32_t> height = {},
                           std::optional<int32_t> width = {});
  /// Fixed shape: fixed_size_list<dtype>[product]. Empty shape: struct<data: large_list<dtype>, shape: list<int32>>.
  static LogicalType Tensor(std::shared_ptr<arrow::DataType> dtype, std::vector<int64_t> shape);
  /// fixed_size_list<dtype>[dimension].
  static LogicalType Vector(std::shared_ptr<arrow::DataType> dtype, int32_t dimension);
  /// struct<uri: string, offset: int64, length: int64, version: string, data: large_binary>.
  static LogicalType File();
  /// struct<data: large_list<float>, sample_rate, channels: int32, frames: int64, sample_format, layout: string,
  /// duration_ms: int64, source_uri: string, start_time_ms, end_time_ms: int64>.
  static LogicalType Audio();
  /// struct<uri: string, start_time_ms: int64, end_time_ms: int64>.
  static LogicalType AudioClip();
  static LogicalType VideoClip();

  /// Shorthands for the plain types that functions return most.
  static LogicalType Bool();
  static LogicalType Int32();
  static LogicalType Int64();
  static LogicalType Float32();
  static LogicalType Float64();
  static LogicalType String();
  /// large_binary: offsets are 64-bit wherever media bytes live.
  static LogicalType Binary();
  static LogicalType List(const LogicalType& item);
  struct Member;
  static LogicalType Struct(const std::vector<Member>& members);

  TypeKind kind() const { return kind_; }
  const std::shared_ptr<arrow::DataType>& storage() const { return storage_; }
  /// Extension metadata as stored: JSON, empty for plain types.
  const std::string& metadata() const { return metadata_; }

  std::optional<ImageMode> image_mode() const { return image_mode_; }
  std::optional<int32_t> image_height() const { return image_height_; }
  std::optional<int32_t> image_width() const { return image_width_; }
  /// Tensor and vector: the type of one number, and the shape (empty where every row has its own).
  const std::shared_ptr<arrow::DataType>& dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }

  bool IsBytes() const;    ///< plain binary of any width
  bool IsText() const;     ///< plain string of any width
  bool IsInteger() const;
  bool IsFloating() const;
  bool IsBoolean() const;
  bool IsList() const;     ///< plain list of any width
  bool IsStruct() const;   ///< plain struct
  /// Item of a plain list.
  LogicalType item() const;
  /// Fields of a plain struct.
  std::vector<Member> members() const;

  /// For people: "image(RGB, 224, 224)", "tensor(float, [3, 224, 224])", "string".
  std::string ToString() const;
  bool operator==(const LogicalType& other) const;

  /// The field that carries this type: storage type plus extension metadata.
  std::shared_ptr<arrow::Field> ToField(const std::string& name) const;
  /// Reads the type from a field; unwraps registered extension types to the same form.
  static Result<LogicalType> FromField(const arrow::Field& field);

 private:
  TypeKind kind_ = TypeKind::kPlain;
  std::shared_ptr<arrow::DataType> storage_;
  std::string metadata_;
  std::optional<ImageMode> image_mode_;
  std::optional<int32_t> image_height_;
  std::optional<int32_t> image_width_;
  std::shared_ptr<arrow::DataType> dtype_;
  std::vector<int64_t> shape_;
};

struct LogicalType::Member {
  std::string name;
  LogicalType type;
};

}  // namespace mainstem
