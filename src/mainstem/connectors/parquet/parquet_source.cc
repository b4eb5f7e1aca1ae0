#include "mainstem/connectors/parquet/parquet_source.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/normalization.h"
#include "mainstem/connectors/parquet/parquet_file.h"
#include "mainstem/connectors/projection.h"

namespace mainstem {
namespace {

// Footers of so many local files are read when the source is made, and kept.
constexpr size_t kFootersMax = 64;
// Row groups below this many bytes of wanted columns are read together.
constexpr int64_t kSplitBytes = 4 << 20;

using Footers = std::map<std::string, std::shared_ptr<parquet::FileMetaData>>;

/// What enumerators and readers share with their source.
struct Table {
  std::vector<std::string> paths;
  OpenPolicy policy;
  std::shared_ptr<arrow::Schema> schema;
  Footers footers;  ///< by uri and version
};

std::string FooterKey(const ListedFile& file) { return file.uri + "\n" + file.Version(); }

Result<std::unique_ptr<ParquetFile>> OpenTableFile(const Table& table, const ListedFile& file, int64_t batch_rows) {
  const auto found = table.footers.find(FooterKey(file));
  return ParquetFile::Open(file, table.policy, found == table.footers.end() ? nullptr : found->second, batch_rows);
}

// Where the wanted columns stand in this file, in the order in which they are wanted.
Result<std::vector<int>> PositionsIn(const ParquetFile& opened, const ListedFile& file, const arrow::Schema& wanted) {
  std::vector<int> positions;
  for (const auto& field : wanted.fields()) {
    const auto found = opened.schema()->GetAllFieldIndices(field->name());
    if (found.size() == 1) {
      positions.push_back(found[0]);
      continue;
    }
    return JobError(fmt::format("'{}' has {} column '{}', which the first file has.{}", Escaped(file.uri, 1000),
                                found.empty() ? "no" : "more than one", Escaped(field->name()),
                                found.empty() ? Suggestion(field->name(), opened.schema()->field_names()) : ""));
  }
  return positions;
}

int64_t BytesOf(const parquet::FileMetaData& footer, int group, const std::vector<int>& leaves) {
  const auto row_group = footer.RowGroup(group);
  int64_t bytes = 0;
  for (const int leaf : leaves) {
    bytes += std::max<int64_t>(0, row_group->ColumnChunk(leaf)->total_uncompressed_size());
  }
  return bytes;
}

class ParquetEnumerator : public SplitEnumerator {
 public:
  ParquetEnumerator(std::shared_ptr<const Table> table, ScanRequest request, std::shared_ptr<arrow::Schema> wanted)
      : table_(std::move(table)),
        request_(std::move(request)),
        wanted_(std::move(wanted)),
        files_(ListFiles(table_->paths, /*skip_underscored=*/true)) {}

  Result<std::optional<Split>> Next() override {
    for (;;) {
      if (request_.limit && rows_ >= *request_.limit) return std::nullopt;
      if (opened_ && group_ < opened_->footer()->num_row_groups()) {
        Split split;
        ARROW_ASSIGN_OR_RAISE(const bool some, NextOfFile(&split));
        if (some) return split;
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(const auto file, files_->Next());
      if (!file) return std::nullopt;
      file_ = *file;
      ARROW_ASSIGN_OR_RAISE(opened_, OpenTableFile(*table_, file_, 1));
      ARROW_ASSIGN_OR_RAISE(const auto positions, PositionsIn(*opened_, file_, *wanted_));
      leaves_ = opened_->LeavesOf(positions);
      group_ = 0;
    }
  }

 private:
  // Gathers row groups until there is enough to read; false where all that were left are ruled out.
  Result<bool> NextOfFile(Split* split) {
    nlohmann::json groups = nlohmann::json::array();
    int64_t bytes = 0;
    int64_t rows = 0;
    try {
      for (; group_ < opened_->footer()->num_row_groups() && bytes < kSplitBytes; ++group_) {
        const int64_t group_rows = opened_->footer()->RowGroup(group_)->num_rows();
        if (group_rows <= 0 || opened_->IsRuledOut(group_, request_.bounds)) continue;
        const int64_t group_bytes = BytesOf(*opened_->footer(), group_, leaves_);
        if (!groups.empty() && bytes + group_bytes > 2 * kSplitBytes) break;
        groups.push_back(group_);
        bytes += group_bytes;
        rows += group_rows;
      }
    } catch (const std::exception& error) {
      return JobError(fmt::format("cannot read '{}' as Parquet: {}", Escaped(file_.uri, 1000), Escaped(error.what())));
    }
    if (groups.empty()) return false;
    rows_ += rows;
    nlohmann::json content{{"uri", file_.uri}, {"row_groups", groups}, {"rows", rows}, {"bytes", bytes}};
    if (file_.size) content["size"] = *file_.size;
    if (file_.modified_ns) content["modified_ns"] = *file_.modified_ns;
    split->ordinal = ordinal_++;
    split->content = content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return true;
  }

  const std::shared_ptr<const Table> table_;
  const ScanRequest request_;
  const std::shared_ptr<arrow::Schema> wanted_;
  std::unique_ptr<FileLister> files_;
  ListedFile file_;
  std::unique_ptr<ParquetFile> opened_;
  std::vector<int> leaves_;
  int group_ = 0;
  int64_t rows_ = 0;
  int64_t ordinal_ = 0;
};

class ParquetReader : public SplitReader {
 public:
  ParquetReader(ListedFile file, std::unique_ptr<ParquetFile> opened, std::unique_ptr<arrow::RecordBatchReader> batches,
                std::vector<int> order, std::shared_ptr<arrow::Schema> schema)
      : file_(std::move(file)),
        opened_(std::move(opened)),
        batches_(std::move(batches)),
        order_(std::move(order)),
        schema_(std::move(schema)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    do {
      ARROW_RETURN_NOT_OK(batches_->ReadNext(&batch));
      if (!batch) return nullptr;
    } while (batch->num_rows() == 0);
    arrow::ArrayVector columns;
    for (const int position : order_) columns.push_back(batch->column(position));
    auto ordered = arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(columns));
    auto normal = Normalized(ordered, schema_);
    if (!normal.ok()) return WithContext(normal.status(), fmt::format("'{}'", Escaped(file_.uri, 1000)));
    return normal;
  }

 private:
  const ListedFile file_;
  std::unique_ptr<ParquetFile> opened_;  // owns what the batches read from
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  const std::vector<int> order_;
  const std::shared_ptr<arrow::Schema> schema_;
};

class ParquetSource : public Source {
 public:
  ParquetSource(std::shared_ptr<const Table> table, std::optional<int64_t> rows, std::string description)
      : table_(std::move(table)), rows_(rows), description_(std::move(description)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return table_->schema; }
  std::string Describe() const override { return description_; }
  std::optional<int64_t> RowCount() const override { return rows_; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(auto wanted, ProjectedSchema(table_->schema, request));
    return std::make_unique<ParquetEnumerator>(table_, request, std::move(wanted));
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ListedFile file;
    std::vector<int> groups;
    int64_t rows = 0, bytes = 0;
    ARROW_RETURN_NOT_OK(Parse(split.content, &file, &groups, &rows, &bytes));
    ARROW_ASSIGN_OR_RAISE(const auto wanted, ProjectedSchema(table_->schema, request));
    int64_t batch_rows = RowsOfBatch(bytes, rows, request.batch_rows);
    if (request.limit) batch_rows = std::min(batch_rows, std::max<int64_t>(1, *request.limit));
    ARROW_ASSIGN_OR_RAISE(auto opened, OpenTableFile(*table_, file, batch_rows));
    for (const int group : groups) {
      if (group >= 0 && group < opened->footer()->num_row_groups()) continue;
      return JobError(fmt::format("'{}' has no row group {}", Escaped(file.uri, 1000), group));
    }
    ARROW_ASSIGN_OR_RAISE(const auto positions, PositionsIn(*opened, file, *wanted));
    ARROW_ASSIGN_OR_RAISE(auto batches, opened->Read(groups, opened->LeavesOf(positions)));
    // Batches come in the order of the file: say where each wanted column stands among those that were read.
    std::vector<int> sorted = positions;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int> order;
    for (const int position : positions) {
      order.push_back(static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), position) - sorted.begin()));
    }
    return std::make_unique<ParquetReader>(std::move(file), std::move(opened), std::move(batches), std::move(order),
                                           wanted);
  }

 private:
  static Status Parse(const std::string& content, ListedFile* file, std::vector<int>* groups, int64_t* rows,
                      int64_t* bytes) {
    try {
      const auto json = nlohmann::json::parse(content);
      file->uri = json.at("uri").get<std::string>();
      if (json.contains("size")) file->size = json["size"].get<int64_t>();
      if (json.contains("modified_ns")) file->modified_ns = json["modified_ns"].get<int64_t>();
      *groups = json.at("row_groups").get<std::vector<int>>();
      *rows = json.at("rows").get<int64_t>();
      *bytes = json.at("bytes").get<int64_t>();
      return Status::OK();
    } catch (const nlohmann::json::exception&) {
      return JobError(fmt::format("parquet: bad split {}", Escaped(content)));
    }
  }

  const std::shared_ptr<const Table> table_;
  const std::optional<int64_t> rows_;
  const std::string description_;
};

// Reads the footers of the first files; the rows are known where these are all.
Status ReadFooters(Table* table, std::optional<int64_t>* rows, std::string* description) {
  const auto files = ListFiles(table->paths, /*skip_underscored=*/true);
  int64_t count = 0;
  int64_t row_count = 0;
  for (;;) {
    ARROW_ASSIGN_OR_RAISE(const auto file, files->Next());
    if (!file) break;
    ++count;
    // The first tells the schema; more cost a round trip each where they are far away.
    if (count > 1 && (!file->uri.starts_with('/') || table->footers.size() >= kFootersMax)) {
      *description += " (many files)";
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const auto opened, ParquetFile::Open(*file, table->policy, nullptr, 1));
    if (count == 1) {
      auto schema = NormalizedSchema(*opened->schema());
      if (!schema.ok()) return WithContext(schema.status(), fmt::format("'{}'", Escaped(file->uri, 1000)));
      table->schema = std::move(*schema);
    }
    row_count += opened->footer()->num_rows();
    table->footers[FooterKey(*file)] = opened->footer();
  }
  *rows = row_count;
  *description += fmt::format(" ({} file{})", count, count == 1 ? "" : "s");
  return Status::OK();
}

}  // namespace

std::vector<OptionSpec> ParquetSourceOptions() {
  return {{.name = "path", .type = OptionType::kStringList, .doc = "Files, folders, patterns or urls.",
           .required = true},
          {.name = "allow_private_addresses", .type = OptionType::kBool, .default_value = false,
           .doc = "Whether http(s) urls may lead to private addresses."}};
}

Result<std::shared_ptr<Source>> MakeParquetSource(const Options& options) {
  auto table = std::make_shared<Table>();
  table->paths = options.StringList("path");
  table->policy.allow_private_addresses = options.Bool("allow_private_addresses");
  if (table->paths.empty()) return JobError("parquet: option 'path' names no path");
  std::optional<int64_t> rows;
  std::string description = "parquet " + Escaped(fmt::format("{}", fmt::join(table->paths, ", ")));
  ARROW_RETURN_NOT_OK(ReadFooters(table.get(), &rows, &description));
  return std::make_shared<ParquetSource>(std::move(table), rows, std::move(description));
}

}  // namespace mainstem
