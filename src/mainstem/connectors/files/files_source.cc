#include "mainstem/connectors/files/files_source.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mainstem/connectors/files/file_lister.h"
#include "mainstem/connectors/projection.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

class FilesEnumerator : public SplitEnumerator {
 public:
  FilesEnumerator(std::unique_ptr<FileLister> files, int64_t files_per_split, std::optional<int64_t> limit)
      : files_(std::move(files)), files_per_split_(files_per_split), remaining_(limit) {}

  Result<std::optional<Split>> Next() override {
    nlohmann::json list = nlohmann::json::array();
    while (static_cast<int64_t>(list.size()) < files_per_split_ && (!remaining_ || *remaining_ > 0)) {
      ARROW_ASSIGN_OR_RAISE(const auto file, files_->Next());
      if (!file) break;
      if (remaining_) --*remaining_;
      nlohmann::json entry{{"uri", file->uri}};
      if (file->size) entry["size"] = *file->size;
      if (file->modified_ns) entry["modified_ns"] = *file->modified_ns;
      list.push_back(std::move(entry));
    }
    if (list.empty()) return std::nullopt;
    // A file name is bytes: what is not UTF-8 is replaced, and then found missing, by name, when it is read.
    return Split{.ordinal = ordinal_++,
                 .content = list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  }

 private:
  std::unique_ptr<FileLister> files_;
  const int64_t files_per_split_;
  std::optional<int64_t> remaining_;
  int64_t ordinal_ = 0;
};

// The rows of one split, column by column.
class FileRows {
 public:
  Status Append(const ListedFile& file) {
    ARROW_RETURN_NOT_OK(uri_.Append(file.uri));
    ARROW_RETURN_NOT_OK(offset_.Append(0));
    ARROW_RETURN_NOT_OK(length_.Append(file.size.value_or(-1)));
    ARROW_RETURN_NOT_OK(version_.Append(file.Version()));
    ARROW_RETURN_NOT_OK(data_.AppendNull());
    ARROW_RETURN_NOT_OK(file.size ? size_.Append(*file.size) : size_.AppendNull());
    if (!file.modified_ns) return modified_.AppendNull();
    return modified_.Append(FloorMicroseconds(*file.modified_ns));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Finish(const std::shared_ptr<arrow::Schema>& schema) {
    const int64_t rows = size_.length();
    arrow::ArrayVector members(5);
    ARROW_RETURN_NOT_OK(uri_.Finish(&members[0]));
    ARROW_RETURN_NOT_OK(offset_.Finish(&members[1]));
    ARROW_RETURN_NOT_OK(length_.Finish(&members[2]));
    ARROW_RETURN_NOT_OK(version_.Finish(&members[3]));
    ARROW_RETURN_NOT_OK(data_.Finish(&members[4]));
    arrow::ArrayVector columns(3);
    columns[0] = std::make_shared<arrow::StructArray>(schema->field(0)->type(), rows, std::move(members));
    ARROW_RETURN_NOT_OK(size_.Finish(&columns[1]));
    ARROW_RETURN_NOT_OK(modified_.Finish(&columns[2]));
    return arrow::RecordBatch::Make(schema, rows, std::move(columns));
  }

 private:
  static int64_t FloorMicroseconds(int64_t ns) { return ns / 1000 - (ns % 1000 < 0 ? 1 : 0); }

  arrow::StringBuilder uri_, version_;
  arrow::Int64Builder offset_, length_, size_;
  arrow::LargeBinaryBuilder data_;
  arrow::TimestampBuilder modified_{arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), arrow::default_memory_pool()};
};

class FilesSource : public Source {
 public:
  FilesSource(std::vector<std::string> paths, int64_t files_per_split)
      : paths_(std::move(paths)),
        files_per_split_(files_per_split),
        schema_(arrow::schema({LogicalType::File().ToField("file"), arrow::field("size", arrow::int64()),
                               arrow::field("modified", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))})) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  std::string Describe() const override {
    return "files " + Escaped(fmt::format("{}", fmt::join(paths_, ", ")));
  }

  bool MayBeRemote() const override {
    return !std::all_of(paths_.begin(), paths_.end(),
                        [](const std::string& path) { return path.starts_with('/') || IsLocalUri(path); });
  }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request) const override {
    return std::make_unique<FilesEnumerator>(ListFiles(paths_), files_per_split_, request.limit);
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    const auto list = nlohmann::json::parse(split.content, nullptr, false);
    if (!list.is_array()) return JobError(fmt::format("files: bad split {}", Escaped(split.content)));
    FileRows rows;
    for (const auto& entry : list) {
      if (!entry.is_object() || !entry.contains("uri") || !entry["uri"].is_string()) {
        return JobError(fmt::format("files: bad split {}", Escaped(split.content)));
      }
      ListedFile file{.uri = entry["uri"].get<std::string>()};
      if (entry.contains("size")) file.size = entry["size"].get<int64_t>();
      if (entry.contains("modified_ns")) file.modified_ns = entry["modified_ns"].get<int64_t>();
      ARROW_RETURN_NOT_OK(rows.Append(file));
    }
    ARROW_ASSIGN_OR_RAISE(auto batch, rows.Finish(schema_));
    ARROW_ASSIGN_OR_RAISE(batch, Projected(batch, request));
    return OneBatchReader(std::move(batch), request.batch_rows);
  }

 private:
  const std::vector<std::string> paths_;
  const int64_t files_per_split_;
  const std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

std::vector<OptionSpec> FilesSourceOptions() {
  return {{.name = "path", .type = OptionType::kStringList, .doc = "Files, folders, patterns or urls.",
           .required = true},
          {.name = "files_per_split", .type = OptionType::kInt, .default_value = 16,
           .doc = "Files that are handed out together.", .minimum = 1, .maximum = 10'000}};
}

Result<std::shared_ptr<Source>> MakeFilesSource(const Options& options) {
  const auto paths = options.StringList("path");
  if (paths.empty()) return JobError("files: option 'path' names no path");
  // A path that does not exist is better known now than when the job runs.
  ARROW_ASSIGN_OR_RAISE(const auto first, ListFiles(paths)->Next());
  if (!first) return JobError("files: no path names a file");
  return std::make_shared<FilesSource>(paths, options.Int("files_per_split"));
}

}  // namespace mainstem
