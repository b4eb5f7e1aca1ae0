#include "mainstem/connectors/files/files_source.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mainstem/base/quantity.h"
#include "mainstem/connectors/files/file_feed.h"
#include "mainstem/connectors/files/file_lister.h"
#include "mainstem/connectors/projection.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

constexpr int64_t kIntervalMinNs = 1'000'000;

class FilesEnumerator : public SplitEnumerator {
 public:
  FilesEnumerator(std::unique_ptr<FileFeed> files, int64_t files_per_split, std::optional<int64_t> limit,
                  int64_t handed_out, int64_t ordinal)
      : files_(std::move(files)),
        files_per_split_(files_per_split),
        limit_(limit),
        handed_out_(handed_out),
        ordinal_(ordinal) {}

  Result<std::optional<Split>> Next() override {
    nlohmann::json list = nlohmann::json::array();
    // Few files may be much work each (videos): the first splits are small, so that every subtask gets some.
    const int64_t most =
        files_per_split_ > 0 ? files_per_split_ : std::min(1 + ordinal_ / kSplitsOfOneSize, kFilesPerSplitMost);
    while (static_cast<int64_t>(list.size()) < most && !is_limited()) {
      ARROW_ASSIGN_OR_RAISE(const auto file, files_->Next());
      if (!file) break;
      ++handed_out_;
      list.push_back(ToJson(*file));
    }
    if (list.empty()) return std::nullopt;
    return Split{.ordinal = ordinal_++,
                 .content = list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  }

  std::string Position() const override {
    return PositionText({{"files", files_->Position()}, {"handed_out", handed_out_}, {"ordinal", ordinal_}});
  }

  int64_t retry_after_ns() const override { return is_limited() ? 0 : files_->retry_after_ns(); }

 private:
  static constexpr int64_t kSplitsOfOneSize = 16;
  static constexpr int64_t kFilesPerSplitMost = 16;

  bool is_limited() const { return limit_ && handed_out_ >= *limit_; }

  const std::unique_ptr<FileFeed> files_;
  const int64_t files_per_split_;
  const std::optional<int64_t> limit_;
  int64_t handed_out_;
  int64_t ordinal_;
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
  FilesSource(std::vector<std::string> paths, int64_t files_per_split, std::optional<int64_t> interval_ns)
      : paths_(std::move(paths)),
        files_per_split_(files_per_split),
        interval_ns_(interval_ns),
        schema_(arrow::schema({LogicalType::File().ToField("file"), arrow::field("size", arrow::int64()),
                               arrow::field("modified", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))})) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  std::string Describe() const override {
    const std::string paths = Escaped(fmt::format("{}", fmt::join(paths_, ", ")));
    if (!interval_ns_) return "files " + paths;
    return fmt::format("files {} (listed again every {})", paths, FormatDuration(*interval_ns_));
  }
  bool unbounded() const override { return interval_ns_.has_value(); }

  bool MayBeRemote() const override {
    return !std::all_of(paths_.begin(), paths_.end(),
                        [](const std::string& path) { return path.starts_with('/') || IsLocalUri(path); });
  }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    int64_t handed_out = 0, ordinal = 0;
    std::optional<StatedPosition> files;
    if (!position.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("files", "position", position));
      ARROW_ASSIGN_OR_RAISE(files, stated.Object("files"));
      ARROW_ASSIGN_OR_RAISE(handed_out, stated.Count("handed_out"));
      ARROW_ASSIGN_OR_RAISE(ordinal, stated.Count("ordinal"));
    }
    const StatedPosition* from = files ? &*files : nullptr;
    const Clock& clock = request.clock ? *request.clock : SystemClock();
    ARROW_ASSIGN_OR_RAISE(auto feed, interval_ns_ ? FeedNewFiles(paths_, *interval_ns_, clock, from)
                                                  : FeedListing(paths_, from));
    return std::make_unique<FilesEnumerator>(std::move(feed), files_per_split_, request.limit, handed_out, ordinal);
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    const auto list = nlohmann::json::parse(split.content, nullptr, false);
    if (!list.is_array()) return JobError(fmt::format("files: bad split {}", Escaped(split.content)));
    FileRows rows;
    for (const auto& entry : list) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Of("files", "split", entry));
      ARROW_ASSIGN_OR_RAISE(const ListedFile file, ParseListedFile(stated));
      ARROW_RETURN_NOT_OK(rows.Append(file));
    }
    ARROW_ASSIGN_OR_RAISE(auto batch, rows.Finish(schema_));
    ARROW_ASSIGN_OR_RAISE(batch, Projected(batch, request));
    return OneBatchReader(std::move(batch), request.batch_rows);
  }

  // A file is a row: how many stand in a split differs from run to run.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    const auto list = nlohmann::json::parse(split.content, nullptr, false);
    if (!list.is_array()) return JobError(fmt::format("files: bad split {}", Escaped(split.content)));
    std::vector<OriginRun> runs;
    for (const auto& entry : list) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Of("files", "split", entry));
      ARROW_ASSIGN_OR_RAISE(const ListedFile file, ParseListedFile(stated));
      runs.push_back({.place = "files\n" + file.uri, .rows = 1});
    }
    return runs;
  }

 private:
  const std::vector<std::string> paths_;
  const int64_t files_per_split_;
  const std::optional<int64_t> interval_ns_;  // unbounded where it is set
  const std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

std::vector<OptionSpec> FilesSourceOptions() {
  return {{.name = "path", .type = OptionType::kStringList, .doc = "Files, folders, patterns or urls.",
           .required = true},
          {.name = "files_per_split", .type = OptionType::kInt, .default_value = 0,
           .doc = "Files that are handed out together; 0: one at first, later more, up to 16.",
           .minimum = 0, .maximum = 10'000},
          {.name = "monitor_interval",
           .doc = "Lists again so long after each listing ('1s'), without end; each path is handed out once."}};
}

Result<std::shared_ptr<Source>> MakeFilesSource(const Options& options) {
  const auto paths = options.StringList("path");
  if (paths.empty()) return JobError("files: option 'path' names no path");
  if (const auto interval = options.MaybeString("monitor_interval")) {
    auto parsed = ParseDuration(*interval);
    if (!parsed.ok()) return WithContext(parsed.status(), "files: option 'monitor_interval'");
    if (*parsed < kIntervalMinNs) {
      return JobError(fmt::format("files: option monitor_interval='{}' must be 1ms or longer", Escaped(*interval)));
    }
    for (const std::string& path : paths) {
      if (!path.starts_with("http://") && !path.starts_with("https://")) continue;
      return JobError(fmt::format("files: '{}' cannot be listed, so no new files can be found there; leave out "
                                  "monitor_interval", Escaped(path, 1000)));
    }
    return std::make_shared<FilesSource>(paths, options.Int("files_per_split"), *parsed);
  }
  // A path that does not exist is better known now than when the job runs.
  ARROW_ASSIGN_OR_RAISE(const auto first, ListFiles(paths)->Next());
  if (!first) return JobError("files: no path names a file");
  return std::make_shared<FilesSource>(paths, options.Int("files_per_split"), std::nullopt);
}

}  // namespace mainstem
