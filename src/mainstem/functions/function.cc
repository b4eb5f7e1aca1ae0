#include "mainstem/functions/function.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

namespace mainstem {
namespace {

class FunctionRowKernel : public RowKernel {
 public:
  explicit FunctionRowKernel(std::function<Result<Value>(std::span<const Value>)> body) : body_(std::move(body)) {}
  Result<Value> Run(std::span<const Value> arguments) override { return body_(arguments); }

 private:
  std::function<Result<Value>(std::span<const Value>)> body_;
};

bool IsNumber(const LogicalType& type) {
  return type.IsInteger() || type.IsFloating() ||
         (type.kind() == TypeKind::kPlain && arrow::is_decimal(type.storage()->id()));
}

}  // namespace

std::string_view ToString(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::kVector: return "vector";
    case FunctionKind::kRow: return "row";
    case FunctionKind::kTable: return "table";
    case FunctionKind::kCall: return "call";
    case FunctionKind::kAggregate: return "aggregate";
  }
  return "?";
}

std::string_view ToString(TypePattern pattern) {
  switch (pattern) {
    case TypePattern::kAny: return "any";
    case TypePattern::kBoolean: return "boolean";
    case TypePattern::kInteger: return "integer";
    case TypePattern::kNumber: return "number";
    case TypePattern::kText: return "string";
    case TypePattern::kBytes: return "binary or file";
    case TypePattern::kFile: return "file";
    case TypePattern::kTextOrFile: return "uri or file";
    case TypePattern::kImage: return "image";
    case TypePattern::kImageOrBytes: return "image, binary or file";
    case TypePattern::kAudio: return "audio";
    case TypePattern::kAudioSource: return "binary, uri, file or audio clip";
    case TypePattern::kAudioAny: return "audio, binary, uri, file or audio clip";
    case TypePattern::kVideoSource: return "uri, file or video clip";
    case TypePattern::kTensor: return "tensor";
    case TypePattern::kVector: return "vector, tensor or list of numbers";
    case TypePattern::kList: return "list";
    case TypePattern::kStruct: return "struct";
    case TypePattern::kTemporal: return "date, time or timestamp";
  }
  return "?";
}

std::unique_ptr<RowKernel> MakeRowKernel(std::function<Result<Value>(std::span<const Value>)> body) {
  return std::make_unique<FunctionRowKernel>(std::move(body));
}

std::function<Result<LogicalType>(const BoundSignature&)> Always(LogicalType type) {
  return [type = std::move(type)](const BoundSignature&) -> Result<LogicalType> { return type; };
}

std::function<Result<LogicalType>(const BoundSignature&)> SameAsArgument(size_t index) {
  return [index](const BoundSignature& signature) -> Result<LogicalType> { return signature.arguments[index]; };
}

bool Accepts(TypePattern pattern, const LogicalType& type) {
  const bool file = type.kind() == TypeKind::kFile;
  if (type.kind() == TypeKind::kPlain && type.storage()->id() == arrow::Type::NA) return true;
  switch (pattern) {
    case TypePattern::kAny: return true;
    case TypePattern::kBoolean: return type.IsBoolean();
    case TypePattern::kInteger: return type.IsInteger();
    case TypePattern::kNumber: return IsNumber(type);
    case TypePattern::kText: return type.IsText();
    case TypePattern::kBytes: return type.IsBytes() || file;
    case TypePattern::kFile: return file;
    case TypePattern::kTextOrFile: return type.IsText() || file;
    case TypePattern::kImage: return type.kind() == TypeKind::kImage;
    case TypePattern::kImageOrBytes: return type.kind() == TypeKind::kImage || type.IsBytes() || file;
    case TypePattern::kAudio: return type.kind() == TypeKind::kAudio;
    case TypePattern::kAudioSource:
      return type.IsBytes() || type.IsText() || file || type.kind() == TypeKind::kAudioClip;
    case TypePattern::kAudioAny:
      return type.kind() == TypeKind::kAudio || Accepts(TypePattern::kAudioSource, type);
    case TypePattern::kVideoSource: return type.IsText() || file || type.kind() == TypeKind::kVideoClip;
    case TypePattern::kTensor: return type.kind() == TypeKind::kTensor;
    case TypePattern::kVector:
      return type.kind() == TypeKind::kVector || type.kind() == TypeKind::kTensor ||
             (type.IsList() && IsNumber(type.item()));
    case TypePattern::kList: return type.IsList();
    case TypePattern::kStruct: return type.IsStruct();
    case TypePattern::kTemporal:
      return type.kind() == TypeKind::kPlain && arrow::is_temporal(type.storage()->id());
  }
  return false;
}

bool NeedsBytes(TypePattern pattern) {
  return pattern == TypePattern::kBytes || pattern == TypePattern::kImageOrBytes;
}

bool OpensFiles(TypePattern pattern) {
  return pattern == TypePattern::kVideoSource || pattern == TypePattern::kAudioSource ||
         pattern == TypePattern::kAudioAny;
}

}  // namespace mainstem
