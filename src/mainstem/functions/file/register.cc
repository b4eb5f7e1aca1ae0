#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/quantity.h"
#include "mainstem/functions/builtin.h"
#include "mainstem/functions/file/local_file.h"
#include "mainstem/functions/file/mime_type.h"

namespace mainstem {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 30;

ArgumentSpec File() { return {"file", TypePattern::kFile, "A reference to a file or a part of one."}; }

// A function of one file reference without options that changes nothing between rows.
FunctionDefinition OfFile(std::string name, LogicalType result, std::string doc,
                          std::function<Result<Value>(const FileReference&)> body) {
  FunctionDefinition definition;
  definition.name = std::move(name);
  definition.doc = std::move(doc);
  definition.arguments = {File()};
  definition.result_type = Always(std::move(result));
  definition.make_row_kernel = [body = std::move(body)](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([body](std::span<const Value> arguments) { return body(arguments[0].As<FileReference>()); });
  };
  return definition;
}

Result<Value> ReadBytes(const FileReference& file, int64_t max_bytes) {
  if (!file.data) {
    ARROW_ASSIGN_OR_RAISE(const LocalFile local, LocalFile::Open(file));
    return local.ReadAll(max_bytes);
  }
  if (static_cast<int64_t>(file.data->size()) > max_bytes) {
    return RowError(fmt::format("the file '{}' is {}, more than the limit of {} (max_bytes)", Escaped(file.uri),
                                FormatBytes(static_cast<int64_t>(file.data->size())), FormatBytes(max_bytes)));
  }
  return Value(*file.data);
}

FunctionDefinition BytesFunction() {
  FunctionDefinition bytes;
  bytes.name = "file.bytes";
  bytes.cost = CostClass::kDecode;
  bytes.doc =
      "Returns the bytes that the reference names. A file of this machine is read; one elsewhere is fetched "
      "before. A file that is larger than the limit, or has changed since it was listed, is a data error; "
      "one that cannot be opened always raises.";
  bytes.arguments = {File()};
  bytes.options = {{.name = "max_bytes", .type = OptionType::kInt, .default_value = kMaxBytes,
                    .doc = "Most bytes of one file.", .minimum = 0}};
  bytes.has_on_error = true;
  bytes.deterministic = false;
  bytes.result_type = Always(LogicalType::Binary());
  bytes.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([limit = signature.options.Int("max_bytes")](std::span<const Value> arguments) {
      return ReadBytes(arguments[0].As<FileReference>(), limit);
    });
  };
  return bytes;
}

Result<Value> SizeOf(const FileReference& file) {
  if (file.data) return Value(static_cast<int64_t>(file.data->size()));
  if (file.length >= 0) return Value(file.length);
  if (!IsLocalUri(file.uri)) return Value();
  ARROW_ASSIGN_OR_RAISE(const LocalFile local, LocalFile::Open(file));
  return Value(local.size());
}

Result<Value> MimeTypeOf(const FileReference& file) {
  std::string head;
  if (file.data) {
    head = file.data->view().substr(0, kMimeTypeBytes);
  } else if (IsLocalUri(file.uri)) {
    ARROW_ASSIGN_OR_RAISE(const LocalFile local, LocalFile::Open(file));
    head.resize(static_cast<size_t>(std::min<int64_t>(kMimeTypeBytes, local.size())));
    ARROW_ASSIGN_OR_RAISE(const int64_t read, local.ReadAt(0, static_cast<int64_t>(head.size()), head.data()));
    head.resize(static_cast<size_t>(read));
  }
  std::string_view type = MimeTypeOfBytes(head);
  if (type.empty()) type = MimeTypeOfName(file.uri);
  return Value(std::string(type.empty() ? "application/octet-stream" : type));
}

FunctionDefinition Reference() {
  FunctionDefinition reference;
  reference.name = "file.reference";
  reference.doc =
      "Makes a reference to a whole file from its uri (a path, file://, http(s):// or s3://). Nothing is opened.";
  reference.arguments = {{"uri", TypePattern::kText, "Uri or path."}};
  reference.result_type = Always(LogicalType::File());
  reference.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([](std::span<const Value> arguments) -> Result<Value> {
      return Value(FileReference{.uri = std::string(arguments[0].As<Bytes>().view())});
    });
  };
  return reference;
}

}  // namespace

Status RegisterFileFunctions(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(BytesFunction()));
  FunctionDefinition size =
      OfFile("file.size", LogicalType::Int64(),
             "Returns the number of bytes that the reference names: of the bytes it carries, else its "
             "length, else from the file itself. Null for a file elsewhere whose length is not known.",
             SizeOf);
  size.deterministic = false;
  ARROW_RETURN_NOT_OK(registry.Add(std::move(size)));
  FunctionDefinition mime_type = OfFile(
      "file.mime_type", LogicalType::String(),
      "Returns the media type: by the first bytes (JPEG, PNG, WebP, GIF, PDF, WAV, FLAC, OGG, MP3, MP4, "
      "QuickTime, Matroska, WebM) of a file of this machine or one that has been fetched, else by the "
      "extension of its name, else 'application/octet-stream'.",
      MimeTypeOf);
  mime_type.deterministic = false;
  ARROW_RETURN_NOT_OK(registry.Add(std::move(mime_type)));
  ARROW_RETURN_NOT_OK(
      registry.Add(OfFile("file.uri", LogicalType::String(), "Returns the uri of the reference.",
                          [](const FileReference& file) -> Result<Value> { return Value(file.uri); })));
  ARROW_RETURN_NOT_OK(registry.Add(
      OfFile("file.name", LogicalType::String(),
             "Returns the last part of the uri's path: 'a.jpg' of 'photos/a.jpg'; query and fragment of an http uri "
             "do not count.",
             [](const FileReference& file) -> Result<Value> { return Value(std::string(FileName(file.uri))); })));
  return registry.Add(Reference());
}

}  // namespace mainstem
