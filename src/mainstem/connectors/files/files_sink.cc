#include "mainstem/connectors/files/files_sink.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/normalization.h"
#include "mainstem/connectors/staging/staging.h"

namespace mainstem {
namespace {

constexpr size_t kNameBytesMax = 255;   // of one part, as file systems have it
constexpr size_t kPathBytesMax = 1024;  // of all parts

class FilesWriter : public SinkWriter {
 public:
  FilesWriter(std::shared_ptr<Staging> staging, std::string folder, int name, int content)
      : staging_(std::move(staging)), folder_(std::move(folder)), name_(name), content_(content) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    ARROW_ASSIGN_OR_RAISE(const auto names, Normalized(rows->column(name_), *arrow::field("", arrow::utf8())));
    ARROW_ASSIGN_OR_RAISE(const auto contents,
                          Normalized(rows->column(content_), *arrow::field("", arrow::large_binary())));
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      if (names->IsNull(row)) return JobError("files: a row has no name for its file; filter such rows out");
      const std::string name(static_cast<const arrow::StringArray&>(*names).GetView(row));
      ARROW_RETURN_NOT_OK(CheckFileName(name));
      if (contents->IsNull(row)) {
        return JobError(fmt::format("files: the row of '{}' has no content; filter such rows out", Escaped(name)));
      }
      ARROW_RETURN_NOT_OK(Stage(name, static_cast<const arrow::LargeBinaryArray&>(*contents).GetView(row)));
    }
    return Status::OK();
  }

  Result<std::vector<Committable>> Prepare() override {
    ARROW_ASSIGN_OR_RAISE(auto committables, staging_->Prepare(staged_));
    staged_.clear();
    names_.clear();  // from here on the commit finds names that come again
    return committables;
  }

  int64_t bytes_written() const override { return bytes_written_; }

 private:
  Status Stage(const std::string& name, std::string_view content) {
    const bool is_new = names_.insert(name).second;
    if (is_new && staging_->mode() != WriteMode::kOverwrite) {
      ARROW_ASSIGN_OR_RAISE(const auto there, staging_->store().SizeOf(name));
      if (there) {
        return JobError(fmt::format("files: '{}' is in '{}' already; use mode='overwrite' or another name",
                                    Escaped(name), Escaped(staging_->store().folder())));
      }
    }
    if (!is_new) return JobError(fmt::format("files: two rows want to be the file '{}'", Escaped(name)));
    const StagedFile file{.staged = fmt::format("{}/{}", folder_, next_++), .target = name,
                          .size = static_cast<int64_t>(content.size()), .rows = 1};
    ARROW_ASSIGN_OR_RAISE(const auto stream, staging_->store().Create(file.staged));
    Status status = stream->Write(content.data(), static_cast<int64_t>(content.size()));
    if (status.ok()) {
      status = stream->Close();
    } else {
      (void)stream->Abort();
    }
    ARROW_RETURN_NOT_OK(WithContext(status, fmt::format("writing '{}'", Escaped(name))));
    bytes_written_ += file.size;
    staged_.push_back(file);
    return Status::OK();
  }

  const std::shared_ptr<Staging> staging_;
  const std::string folder_;
  const int name_;
  const int content_;
  std::vector<StagedFile> staged_;
  std::unordered_set<std::string> names_;
  int64_t next_ = 0;
  int64_t bytes_written_ = 0;
};

class FilesSink : public Sink {
 public:
  FilesSink(std::shared_ptr<Store> store, WriteMode mode, int name, int content)
      : staging_(std::make_shared<Staging>(std::move(store), mode)), name_(name), content_(content) {}

  std::string Describe() const override { return "files " + Escaped(staging_->store().folder()); }
  Status Begin(const SinkJob& job) override { return staging_->Begin(job); }
  Status Restore(const SinkJob& job, const std::vector<Committable>& pending) override {
    return staging_->Restore(job, pending);
  }
  Status Withdraw(const SinkJob& job, const std::vector<Committable>& shown,
                  const std::vector<Committable>& kept) override {
    return staging_->Withdraw(job, shown, kept);
  }

  Result<std::unique_ptr<SinkWriter>> OpenWriter(int lane, const std::string& attempt) override {
    ARROW_ASSIGN_OR_RAISE(const std::string folder, Staging::FolderOfAttempt(attempt));
    // A lane may be opened again in its attempt, while files of its last writer are still staged.
    return std::make_unique<FilesWriter>(staging_, fmt::format("{}/{}-{}", folder, lane, opened_++), name_, content_);
  }

  Status MakeDurable(const std::vector<Committable>& committables) override {
    return staging_->MakeDurable(committables);
  }
  Status Commit(const std::vector<Committable>& committables) override { return staging_->Commit(committables); }
  Status Finish(const std::string& job) override { return staging_->Finish(job); }
  Status Abort(const std::string& job) override { return staging_->Abort(job); }

 private:
  const std::shared_ptr<Staging> staging_;
  const int name_;
  const int content_;
  int64_t opened_ = 0;
};

Result<int> Column(const arrow::Schema& schema, const std::string& option, const std::string& name) {
  const auto found = schema.GetAllFieldIndices(name);
  if (found.size() == 1) return found[0];
  return JobError(fmt::format("files: option {}='{}' names {} column.{}", option, Escaped(name),
                              found.empty() ? "no" : "more than one", Suggestion(name, schema.field_names())));
}

}  // namespace

Status CheckFileName(std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return JobError(fmt::format("files: '{}' cannot be a file's name: {}", Escaped(name), why));
  };
  if (name.empty()) return bad("it is empty");
  if (name.size() > kPathBytesMax) return bad("it is too long");
  if (name.front() == '/') return bad("it is not below the folder");
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty()) return bad("a part of it is empty");
    if (part == "..") return bad("it leads out of the folder");
    if (part.front() == '.') return bad("it would be hidden");
    if (part.size() > kNameBytesMax) return bad("a part of it is too long");
    for (const unsigned char c : part) {
      if (c < 0x20 || c == 0x7F || c == '\\') return bad("it has control characters or backslashes");
    }
    begin = end + 1;
  }
  return Status::OK();
}

std::vector<OptionSpec> FilesSinkOptions() {
  return {{.name = "path", .doc = "Folder to write into.", .required = true},
          {.name = "mode", .default_value = "append", .doc = "What to do with what is there.",
           .choices = {"append", "overwrite", "error"}},
          {.name = "name_column", .default_value = "name", .doc = "Column of the files' names."},
          {.name = "content_column", .default_value = "content", .doc = "Column of the files' bytes."}};
}

Result<std::shared_ptr<Sink>> MakeFilesSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema) {
  ARROW_ASSIGN_OR_RAISE(const WriteMode mode, ParseWriteMode(options.String("mode")));
  ARROW_ASSIGN_OR_RAISE(const int name, Column(*schema, "name_column", options.String("name_column")));
  ARROW_ASSIGN_OR_RAISE(const int content, Column(*schema, "content_column", options.String("content_column")));
  const auto& name_type = *schema->field(name)->type();
  const auto& content_type = *schema->field(content)->type();
  if (name_type.id() != arrow::Type::STRING && name_type.id() != arrow::Type::LARGE_STRING) {
    return JobError(fmt::format("files: names must be texts, but column '{}' is {}",
                                Escaped(schema->field(name)->name()), name_type.ToString()));
  }
  if (content_type.id() != arrow::Type::BINARY && content_type.id() != arrow::Type::LARGE_BINARY &&
      content_type.id() != arrow::Type::STRING && content_type.id() != arrow::Type::LARGE_STRING) {
    return JobError(fmt::format("files: contents must be bytes or texts, but column '{}' is {}; encode it first",
                                Escaped(schema->field(content)->name()), content_type.ToString()));
  }
  ARROW_ASSIGN_OR_RAISE(auto store, OpenStore(options.String("path")));
  return std::make_shared<FilesSink>(std::move(store), mode, name, content);
}

}  // namespace mainstem
