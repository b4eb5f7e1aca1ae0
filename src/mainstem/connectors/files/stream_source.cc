#include "mainstem/connectors/files/stream_source.h"

#include <arrow/buffer.h>
#include <arrow/io/buffered.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/normalization.h"
#include "mainstem/connectors/position.h"
#include "mainstem/connectors/projection.h"
#include "mainstem/data/type_json.h"

namespace mainstem {
namespace {

// Longer files are read in several splits where the format allows it.
constexpr int64_t kSplitBytes = 64 << 20;

struct StreamTable {
  std::vector<std::string> paths;
  OpenPolicy policy;
  std::shared_ptr<const StreamFormat> format;
  std::shared_ptr<arrow::Schema> schema;
  bool schema_is_given = false;
};

bool IsCompressed(const std::string& uri) {
  return uri.ends_with(".gz") || uri.ends_with(".zst") || uri.ends_with(".bz2") || uri.ends_with(".br") ||
         uri.ends_with(".lz4");
}

class StreamEnumerator : public SplitEnumerator {
 public:
  explicit StreamEnumerator(std::shared_ptr<const StreamTable> table)
      : table_(std::move(table)), files_(ListFiles(table_->paths, {.skip_underscored = true})) {}

  Status GoOnAt(const StatedPosition& position) {
    ARROW_ASSIGN_OR_RAISE(const auto files, position.Object("files"));
    ARROW_ASSIGN_OR_RAISE(auto from, ParseListingPosition(files, table_->paths.size()));
    files_ = ListFiles(table_->paths, {.skip_underscored = true}, std::move(from));
    ARROW_ASSIGN_OR_RAISE(ordinal_, position.Count("ordinal"));
    if (!position.Has("file")) return Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto file, position.Object("file"));
    ARROW_ASSIGN_OR_RAISE(file_, ParsePositionFile(file));
    ARROW_ASSIGN_OR_RAISE(begin_, position.Number("begin", 0, file_->size.value_or(0)));
    return Status::OK();
  }

  Result<std::optional<Split>> Next() override {
    if (!file_) {
      ARROW_ASSIGN_OR_RAISE(file_, files_->Next());
      if (!file_) return std::nullopt;
      begin_ = 0;
    }
    const bool cut = table_->format->can_be_cut() && file_->size && !IsCompressed(file_->uri);
    const int64_t end = cut && *file_->size - begin_ > kSplitBytes + kSplitBytes / 2 ? begin_ + kSplitBytes : -1;
    nlohmann::json content = ToJson(*file_);
    content["begin"] = begin_;
    content["end"] = end;
    begin_ = end;
    if (end < 0) file_.reset();
    return Split{.ordinal = ordinal_++,
                 .content = content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  }

  std::string Position() const override {
    nlohmann::json json{{"files", ToJson(files_->Position())}, {"ordinal", ordinal_}};
    if (file_) {
      json["file"] = ToPositionJson(*file_);
      json["begin"] = begin_;
    }
    return PositionText(json);
  }

 private:
  const std::shared_ptr<const StreamTable> table_;
  std::unique_ptr<FileLister> files_;
  std::optional<ListedFile> file_;
  int64_t begin_ = 0;
  int64_t ordinal_ = 0;
};

// Where the first line that begins at `offset` or later begins.
Result<int64_t> LineAt(arrow::io::RandomAccessFile& file, int64_t offset) {
  constexpr int64_t kStep = 64 << 10;
  if (offset == 0) return 0;
  for (int64_t at = offset - 1;; at += kStep) {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, file.ReadAt(at, kStep));
    if (bytes->size() == 0) return at;
    const void* found = std::memchr(bytes->data(), '\n', static_cast<size_t>(bytes->size()));
    if (found) return at + (static_cast<const uint8_t*>(found) - bytes->data()) + 1;
  }
}

Result<std::shared_ptr<arrow::io::InputStream>> OpenPart(const ListedFile& file, const OpenPolicy& policy,
                                                         int64_t begin, int64_t end) {
  if (begin == 0 && end < 0) return OpenStream(file, policy);
  ARROW_ASSIGN_OR_RAISE(const auto opened, OpenFile(file, policy));
  ARROW_ASSIGN_OR_RAISE(const int64_t size, opened->GetSize());
  ARROW_ASSIGN_OR_RAISE(const int64_t first, LineAt(*opened, begin));
  int64_t last = size;
  if (end >= 0) {
    ARROW_ASSIGN_OR_RAISE(last, LineAt(*opened, end));
  }
  return arrow::io::RandomAccessFile::GetStream(opened, first, std::max<int64_t>(0, last - first));
}

// Returns null for an empty stream, which is an error to Arrow's readers and no rows to us.
Result<std::shared_ptr<arrow::io::InputStream>> UnlessEmpty(std::shared_ptr<arrow::io::InputStream> stream) {
  ARROW_ASSIGN_OR_RAISE(auto buffered, arrow::io::BufferedInputStream::Create(
                                           64 << 10, arrow::default_memory_pool(), std::move(stream)));
  ARROW_ASSIGN_OR_RAISE(const auto first, buffered->Peek(1));
  if (first.empty()) return nullptr;
  return buffered;
}

class StreamReader : public SplitReader {
 public:
  StreamReader(std::string uri, std::shared_ptr<arrow::RecordBatchReader> batches,
               std::shared_ptr<arrow::Schema> schema, int64_t batch_rows)
      : uri_(std::move(uri)), batches_(std::move(batches)), schema_(std::move(schema)), batch_rows_(batch_rows) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    while (!batch_ || offset_ >= batch_->num_rows()) {
      offset_ = 0;
      const Status status = batches_ ? batches_->ReadNext(&batch_) : Status::OK();
      if (!status.ok()) return Failed(status);
      if (!batch_) return nullptr;
      auto normal = Normal(*batch_);
      if (!normal.ok()) return Failed(normal.status());
      batch_ = std::move(*normal);
    }
    const int64_t count = batch_rows_ > 0 ? batch_rows_ : batch_->num_rows();
    auto slice = batch_->Slice(offset_, count);
    offset_ += slice->num_rows();
    return slice;
  }

 private:
  Status Failed(const Status& status) const {
    return JobError(fmt::format("reading '{}': {}", Escaped(uri_, 1000), Escaped(status.message(), 1000)));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Normal(const arrow::RecordBatch& batch) const {
    arrow::ArrayVector columns;
    for (const auto& field : schema_->fields()) {
      const auto column = batch.GetColumnByName(field->name());
      if (!column) return JobError(fmt::format("there is no column '{}'", Escaped(field->name())));
      ARROW_ASSIGN_OR_RAISE(auto normal, Normalized(column, *field));
      columns.push_back(std::move(normal));
    }
    return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
  }

  const std::string uri_;
  const std::shared_ptr<arrow::RecordBatchReader> batches_;  // null where the file is empty
  const std::shared_ptr<arrow::Schema> schema_;
  const int64_t batch_rows_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t offset_ = 0;
};

class StreamSource : public Source {
 public:
  explicit StreamSource(std::shared_ptr<const StreamTable> table) : table_(std::move(table)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return table_->schema; }
  std::string Describe() const override {
    return fmt::format("{} {}", table_->format->name(), Escaped(fmt::format("{}", fmt::join(table_->paths, ", "))));
  }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest&, const std::string& position) const override {
    auto splits = std::make_unique<StreamEnumerator>(table_);
    if (!position.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse(table_->format->name(), "position", position));
      ARROW_RETURN_NOT_OK(splits->GoOnAt(stated));
    }
    return splits;
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse(table_->format->name(), "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const ListedFile file, ParseListedFile(stated));
    ARROW_ASSIGN_OR_RAISE(const int64_t begin, stated.Number("begin"));
    ARROW_ASSIGN_OR_RAISE(const int64_t end, stated.Number("end", -1));
    ARROW_ASSIGN_OR_RAISE(auto wanted, ProjectedSchema(table_->schema, request));
    std::shared_ptr<arrow::RecordBatchReader> batches;
    const Status status = OpenBatches(file, begin, end, wanted).Value(&batches);
    if (!status.ok()) return WithContext(status, fmt::format("reading '{}'", Escaped(file.uri, 1000)));
    return std::make_unique<StreamReader>(file.uri, std::move(batches), std::move(wanted), request.batch_rows);
  }

  // A long file is cut at fixed distances, whatever its size.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    const std::string name = table_->format->name();
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse(name, "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const ListedFile file, ParseListedFile(stated));
    ARROW_ASSIGN_OR_RAISE(const int64_t begin, stated.Number("begin"));
    return std::vector<OriginRun>{{.place = fmt::format("{}\n{}\n{}", name, file.uri, begin)}};
  }

 private:
  Result<std::shared_ptr<arrow::RecordBatchReader>> OpenBatches(const ListedFile& file, int64_t begin, int64_t end,
                                                                const std::shared_ptr<arrow::Schema>& wanted) const {
    ARROW_ASSIGN_OR_RAISE(auto stream, OpenPart(file, table_->policy, begin, end));
    ARROW_ASSIGN_OR_RAISE(stream, UnlessEmpty(std::move(stream)));
    if (!stream) return nullptr;
    return table_->format->Open(std::move(stream),
                                {.all = table_->schema, .wanted = wanted, .are_given = table_->schema_is_given});
  }

  const std::shared_ptr<const StreamTable> table_;
};

Result<std::shared_ptr<arrow::Schema>> ParseSchema(const std::string& text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  const Status bad =
      JobError(fmt::format("option 'schema' is {}; it must be JSON: {{\"name\": type, …}}", Escaped(text)));
  arrow::FieldVector fields;
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& type) -> Status {
    auto parsed = ParseType(type.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    if (!parsed.ok()) return WithContext(parsed.status(), fmt::format("column '{}'", Escaped(name)));
    fields.push_back(parsed->ToField(name));
    return Status::OK();
  };
  if (json.is_object()) {
    for (const auto& [name, type] : json.items()) ARROW_RETURN_NOT_OK(add(name, type));
  } else if (json.is_array()) {
    for (const auto& entry : json) {
      if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() || !entry.contains("type")) {
        return bad;
      }
      ARROW_RETURN_NOT_OK(add(entry["name"].get<std::string>(), entry["type"]));
    }
  }
  if (fields.empty()) return bad;
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::Schema>> InferSchema(const StreamTable& table) {
  const auto files = ListFiles(table.paths, {.skip_underscored = true});
  for (;;) {
    ARROW_ASSIGN_OR_RAISE(const auto file, files->Next());
    if (!file) {
      return JobError(fmt::format("{}: all files are empty, so their columns are not known; give a schema",
                                  table.format->name()));
    }
    if (file->size && *file->size == 0) continue;
    const auto read = [&]() -> Result<std::shared_ptr<arrow::Schema>> {
      ARROW_ASSIGN_OR_RAISE(auto stream, OpenStream(*file, table.policy));
      ARROW_ASSIGN_OR_RAISE(stream, UnlessEmpty(std::move(stream)));
      if (!stream) return nullptr;
      ARROW_ASSIGN_OR_RAISE(const auto reader, table.format->Open(std::move(stream), {}));
      return NormalizedSchema(*reader->schema());
    };
    auto schema = read();
    if (!schema.ok()) {
      return JobError(fmt::format("reading '{}' as {}: {}", Escaped(file->uri, 1000), table.format->name(),
                                  Escaped(schema.status().message(), 1000)));
    }
    if (*schema) return schema;
  }
}

}  // namespace

std::vector<OptionSpec> StreamSourceOptions() {
  return {{.name = "path", .type = OptionType::kStringList, .doc = "Files, folders, patterns or urls.",
           .required = true},
          {.name = "schema", .doc = "Names and types of the columns, as JSON; inferred where not given."},
          {.name = "allow_private_addresses", .type = OptionType::kBool, .default_value = false,
           .doc = "Whether http(s) urls may lead to private addresses."}};
}

Result<std::shared_ptr<Source>> MakeStreamSource(std::vector<std::string> paths, OpenPolicy policy,
                                                 std::shared_ptr<const StreamFormat> format,
                                                 const std::string& given_schema) {
  auto table = std::make_shared<StreamTable>();
  table->paths = std::move(paths);
  table->policy = policy;
  table->format = std::move(format);
  table->schema_is_given = !given_schema.empty();
  if (table->paths.empty()) return JobError(fmt::format("{}: option 'path' names no path", table->format->name()));
  if (table->schema_is_given) {
    ARROW_ASSIGN_OR_RAISE(table->schema, ParseSchema(given_schema));
    ARROW_RETURN_NOT_OK(ListFiles(table->paths, {.skip_underscored = true})->Next().status());
  } else {
    ARROW_ASSIGN_OR_RAISE(table->schema, InferSchema(*table));
  }
  return std::make_shared<StreamSource>(std::move(table));
}

}  // namespace mainstem
