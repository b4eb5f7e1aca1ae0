#include "mainstem/connectors/parquet/parquet_source.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/normalization.h"
#include "mainstem/connectors/parquet/parquet_file.h"
#include "mainstem/connectors/position.h"
#include "mainstem/connectors/projection.h"

namespace mainstem {
namespace {

// Footers of so many local files are read when the source is made, and kept.
constexpr size_t kFootersMax = 64;
// Row groups below this many bytes of wanted columns are read together.
constexpr int64_t kSplitBytes = 4 << 20;
constexpr int64_t kGroupRowsMax = int64_t{1} << 40;
constexpr int64_t kGroupBytesMax = int64_t{1} << 40;

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
    bytes += std::clamp<int64_t>(row_group->ColumnChunk(leaf)->total_uncompressed_size(), 0, kGroupBytesMax);
  }
  return bytes;
}

class ParquetEnumerator : public SplitEnumerator {
 public:
  ParquetEnumerator(std::shared_ptr<const Table> table, ScanRequest request, std::shared_ptr<arrow::Schema> wanted)
      : table_(std::move(table)),
        request_(std::move(request)),
        wanted_(std::move(wanted)),
        files_(ListFiles(table_->paths, {.skip_underscored = true})) {}

  Status GoOnAt(const StatedPosition& position) {
    ARROW_ASSIGN_OR_RAISE(const auto files, position.Object("files"));
    ARROW_ASSIGN_OR_RAISE(auto from, ParseListingPosition(files, table_->paths.size()));
    files_ = ListFiles(table_->paths, {.skip_underscored = true}, std::move(from));
    ARROW_ASSIGN_OR_RAISE(ordinal_, position.Count("ordinal"));
    ARROW_ASSIGN_OR_RAISE(rows_, position.Count("rows"));
    if (!position.Has("file")) return Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto file, position.Object("file"));
    ARROW_ASSIGN_OR_RAISE(auto listed, ParsePositionFile(file));
    ARROW_ASSIGN_OR_RAISE(const int64_t group, position.Number("row_group", 0, std::numeric_limits<int>::max()));
    ARROW_RETURN_NOT_OK(Enter(std::move(listed)));
    group_ = static_cast<int>(group);
    return Status::OK();
  }

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
      ARROW_RETURN_NOT_OK(Enter(*file));
    }
  }

  std::string Position() const override {
    nlohmann::json json{{"files", ToJson(files_->Position())}, {"ordinal", ordinal_}, {"rows", rows_}};
    if (opened_ && group_ < opened_->footer()->num_row_groups()) {
      json["file"] = ToPositionJson(file_);
      json["row_group"] = group_;
    }
    return PositionText(json);
  }

 private:
  Status Enter(ListedFile file) {
    file_ = std::move(file);
    ARROW_ASSIGN_OR_RAISE(opened_, OpenTableFile(*table_, file_, 1));
    ARROW_ASSIGN_OR_RAISE(const auto positions, PositionsIn(*opened_, file_, *wanted_));
    leaves_ = opened_->LeavesOf(positions);
    group_ = 0;
    return Status::OK();
  }

  // Gathers row groups until there is enough to read; false where all that were left are ruled out.
  Result<bool> NextOfFile(Split* split) {
    nlohmann::json groups = nlohmann::json::array();
    int64_t bytes = 0;
    int64_t rows = 0;
    try {
      for (; group_ < opened_->footer()->num_row_groups() && bytes < kSplitBytes; ++group_) {
        // A footer may claim anything: no sum of these can overflow.
        const int64_t group_rows = std::min(opened_->footer()->RowGroup(group_)->num_rows(), kGroupRowsMax);
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
    nlohmann::json content = ToJson(file_);
    content["row_groups"] = std::move(groups);
    content["rows"] = rows;
    content["bytes"] = bytes;
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
  ParquetReader(ListedFile file, std::unique_ptr<ParquetFile> opened, std::vector<int> groups,
                std::vector<int> positions, std::shared_ptr<arrow::Schema> schema)
      : file_(std::move(file)),
        opened_(std::move(opened)),
        groups_(std::move(groups)),
        positions_(std::move(positions)),
        schema_(std::move(schema)) {
    // Batches come in the order of the file: say where each wanted column stands among those that were read.
    std::vector<int> sorted = positions_;
    std::sort(sorted.begin(), sorted.end());
    for (const int position : positions_) {
      order_.push_back(static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), position) - sorted.begin()));
    }
  }

  // Whole row groups are never opened.
  Result<int64_t> Skip(int64_t rows) override {
    int64_t passed = 0;
    auto group = groups_.begin();
    try {
      for (; group != groups_.end(); ++group) {
        const int64_t group_rows = opened_->footer()->RowGroup(*group)->num_rows();
        if (group_rows < 0 || group_rows > rows - passed) break;
        passed += group_rows;
      }
    } catch (const std::exception& error) {
      return JobError(fmt::format("cannot read '{}' as Parquet: {}", Escaped(file_.uri, 1000), Escaped(error.what())));
    }
    groups_.erase(groups_.begin(), group);
    return passed;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (groups_.empty()) return nullptr;
    if (!batches_) {
      ARROW_ASSIGN_OR_RAISE(batches_, opened_->Read(groups_, opened_->LeavesOf(positions_)));
    }
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
  std::vector<int> groups_;
  const std::vector<int> positions_;     // of the wanted columns in the file
  std::vector<int> order_;
  const std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;  // from the first Next on
};

class ParquetSource : public Source {
 public:
  ParquetSource(std::shared_ptr<const Table> table, std::optional<int64_t> rows, std::string description)
      : table_(std::move(table)), rows_(rows), description_(std::move(description)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return table_->schema; }
  std::string Describe() const override { return description_; }
  std::optional<int64_t> RowCount() const override { return rows_; }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    ARROW_ASSIGN_OR_RAISE(auto wanted, ProjectedSchema(table_->schema, request));
    auto splits = std::make_unique<ParquetEnumerator>(table_, request, std::move(wanted));
    if (!position.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("parquet", "position", position));
      ARROW_RETURN_NOT_OK(splits->GoOnAt(stated));
    }
    return splits;
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("parquet", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(ListedFile file, ParseListedFile(stated));
    ARROW_ASSIGN_OR_RAISE(std::vector<int> groups, RowGroupsOf(stated));
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, stated.Number("rows"));
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, stated.Number("bytes"));
    ARROW_ASSIGN_OR_RAISE(const auto wanted, ProjectedSchema(table_->schema, request));
    int64_t batch_rows = RowsOfBatch(bytes, rows, request.batch_rows);
    if (request.limit) batch_rows = std::min(batch_rows, std::max<int64_t>(1, *request.limit));
    ARROW_ASSIGN_OR_RAISE(auto opened, OpenTableFile(*table_, file, batch_rows));
    for (const int group : groups) {
      if (group >= 0 && group < opened->footer()->num_row_groups()) continue;
      return JobError(fmt::format("'{}' has no row group {}", Escaped(file.uri, 1000), group));
    }
    ARROW_ASSIGN_OR_RAISE(auto positions, PositionsIn(*opened, file, *wanted));
    return std::make_unique<ParquetReader>(std::move(file), std::move(opened), std::move(groups),
                                           std::move(positions), wanted);
  }

  // By row group: which of them are read, and together, depends on the scan.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("parquet", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const ListedFile file, ParseListedFile(stated));
    ARROW_ASSIGN_OR_RAISE(const std::vector<int> groups, RowGroupsOf(stated));
    ARROW_ASSIGN_OR_RAISE(const auto opened, OpenTableFile(*table_, file, 1));
    std::vector<OriginRun> runs;
    for (const int group : groups) {
      if (group < 0 || group >= opened->footer()->num_row_groups()) {
        return JobError(fmt::format("'{}' has no row group {}", Escaped(file.uri, 1000), group));
      }
      const int64_t rows = std::clamp<int64_t>(opened->footer()->RowGroup(group)->num_rows(), 0, kGroupRowsMax);
      runs.push_back({.place = fmt::format("parquet\n{}\n{}", file.uri, group), .rows = rows});
    }
    return runs;
  }

 private:
  static Result<std::vector<int>> RowGroupsOf(const StatedPosition& stated) {
    const auto found = stated.json().find("row_groups");
    if (found == stated.json().end() || !found->is_array()) return stated.Bad("it has no 'row_groups'");
    std::vector<int> groups;
    for (const auto& entry : *found) {
      if (!entry.is_number_integer() || entry < 0 || entry > std::numeric_limits<int>::max()) {
        return stated.Bad("a row group is not a number");
      }
      groups.push_back(entry.get<int>());
    }
    return groups;
  }

  const std::shared_ptr<const Table> table_;
  const std::optional<int64_t> rows_;
  const std::string description_;
};

// Reads the footers of the first files; the rows are known where these are all.
Status ReadFooters(Table* table, std::optional<int64_t>* rows, std::string* description) {
  const auto files = ListFiles(table->paths, {.skip_underscored = true});
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
