#include "mainstem/connectors/staging/part_sink.h"

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <exception>
#include <map>
#include <optional>

namespace mainstem {
namespace {

// A part file that is being written.
struct OpenPart {
  StagedFile file;
  std::shared_ptr<arrow::io::OutputStream> stream;
  std::unique_ptr<PartEncoder> encoder;
};

// Parquet's writers throw where a stream fails.
template <typename Call>
Status Guarded(const std::string& path, Call call) {
  try {
    const Status status = call();
    if (status.ok()) return status;
    const std::string context = fmt::format("writing '{}'", Escaped(path, 1000));
    if (status.message().find(context) != std::string::npos) return status;
    // Keeps the class where there is one; Arrow's own errors have none and count as the job's.
    return WithContext(status, context);
  } catch (const std::exception& error) {
    return JobError(fmt::format("writing '{}': {}", Escaped(path, 1000), error.what()));
  }
}

class PartWriter : public SinkWriter {
 public:
  PartWriter(std::shared_ptr<Staging> staging, std::shared_ptr<const PartFormat> format, int64_t target_file_bytes,
             std::string folder, std::string stem)
      : staging_(std::move(staging)),
        format_(std::move(format)),
        target_file_bytes_(target_file_bytes),
        folder_(std::move(folder)),
        stem_(std::move(stem)) {}

  // What was not prepared is not wanted: nothing is finished here.
  ~PartWriter() override {
    if (part_) (void)part_->stream->Abort();
  }

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    if (rows->num_rows() == 0) return Status::OK();
    if (!part_) ARROW_RETURN_NOT_OK(OpenNext());
    int64_t size = 0;
    ARROW_RETURN_NOT_OK(Guarded(PathOf(part_->file.staged), [&]() -> Status {
      ARROW_RETURN_NOT_OK(part_->encoder->Write(rows));
      return part_->encoder->SizeSoFar().Value(&size);
    }));
    part_->file.rows += rows->num_rows();
    open_bytes_ = size;
    return size >= target_file_bytes_ ? CloseCurrent() : Status::OK();
  }

  Result<std::vector<Committable>> Prepare() override {
    if (part_) ARROW_RETURN_NOT_OK(CloseCurrent());
    ARROW_ASSIGN_OR_RAISE(auto committables, staging_->Prepare(closed_));
    closed_.clear();
    return committables;
  }

  /// Makes a file even if no row has come.
  Status OpenEmpty() { return OpenNext(); }

  int64_t bytes_written() const override { return closed_bytes_ + open_bytes_; }

 private:
  std::string PathOf(const std::string& path) const { return JoinPath(staging_->store().folder(), path); }

  Status OpenNext() {
    OpenPart part;
    for (;;) {
      const std::string name = fmt::format("{}-{}{}", stem_, next_++, format_->extension());
      part.file = {.staged = folder_ + "/" + name, .target = name};
      // A writer of the same attempt may have been here before this one.
      ARROW_ASSIGN_OR_RAISE(const auto staged, staging_->store().SizeOf(part.file.staged));
      ARROW_ASSIGN_OR_RAISE(const auto target, staging_->store().SizeOf(part.file.target));
      if (!staged && !target) break;
    }
    ARROW_ASSIGN_OR_RAISE(part.stream, staging_->store().Create(part.file.staged));
    ARROW_RETURN_NOT_OK(Guarded(PathOf(part.file.staged),
                                [&] { return format_->Open(part.stream).Value(&part.encoder); }));
    part_ = std::move(part);
    open_bytes_ = 0;
    return Status::OK();
  }

  Status CloseCurrent() {
    OpenPart part = std::move(*part_);
    part_.reset();
    ARROW_RETURN_NOT_OK(Guarded(PathOf(part.file.staged), [&]() -> Status {
      Status status = part.encoder->Finish();
      if (status.ok()) status = part.stream->Tell().Value(&part.file.size);
      const Status closed = status.ok() ? part.stream->Close() : part.stream->Abort();
      return status.ok() ? closed : status;
    }));
    closed_bytes_ += part.file.size;
    open_bytes_ = 0;
    closed_.push_back(std::move(part.file));
    return Status::OK();
  }

  const std::shared_ptr<Staging> staging_;
  const std::shared_ptr<const PartFormat> format_;
  const int64_t target_file_bytes_;
  const std::string folder_;
  const std::string stem_;
  std::optional<OpenPart> part_;
  std::vector<StagedFile> closed_;
  int64_t next_ = 0;
  int64_t closed_bytes_ = 0;
  int64_t open_bytes_ = 0;
};

class PartSink : public Sink {
 public:
  PartSink(std::shared_ptr<Store> store, WriteMode mode, int64_t target_file_bytes,
           std::shared_ptr<const PartFormat> format, StagingPlants plants)
      : staging_(std::make_shared<Staging>(std::move(store), mode, plants)),
        target_file_bytes_(target_file_bytes),
        format_(std::move(format)) {}

  std::string Describe() const override {
    return fmt::format("{} {}", format_->name(), Escaped(staging_->store().folder()));
  }
  Status Begin(const SinkJob& job) override { return staging_->Begin(job); }
  Status Restore(const SinkJob& job, const std::vector<Committable>& pending) override {
    return staging_->Restore(job, pending);
  }
  Status Withdraw(const SinkJob& job, const std::vector<Committable>& shown,
                  const std::vector<Committable>& kept) override {
    return staging_->Withdraw(job, shown, kept);
  }

  Result<std::unique_ptr<SinkWriter>> OpenWriter(int lane, const std::string& attempt) override {
    return MakeWriter(std::to_string(lane), attempt);
  }

  Status MakeDurable(const std::vector<Committable>& committables) override {
    return staging_->MakeDurable(committables);
  }
  Status Commit(const std::vector<Committable>& committables) override { return staging_->Commit(committables); }

  Status Finish(const std::string& job) override {
    // A result without rows is still a result: readers find its schema.
    if (format_->empty_file_is_useful()) {
      ARROW_ASSIGN_OR_RAISE(const bool nothing, staging_->NothingCommitted(job));
      if (nothing) ARROW_RETURN_NOT_OK(CommitEmpty(job));
    }
    return staging_->Finish(job);
  }

  Status Abort(const std::string& job) override { return staging_->Abort(job); }

 private:
  Status CommitEmpty(const std::string& job) {
    ARROW_ASSIGN_OR_RAISE(const auto writer, MakeWriter("0", job + ".empty"));
    ARROW_RETURN_NOT_OK(writer->OpenEmpty());
    ARROW_ASSIGN_OR_RAISE(const auto empty, writer->Prepare());
    ARROW_RETURN_NOT_OK(staging_->MakeDurable(empty));
    return staging_->Commit(empty);
  }

  Result<std::unique_ptr<PartWriter>> MakeWriter(const std::string& lane, const std::string& attempt) {
    ARROW_ASSIGN_OR_RAISE(std::string folder, Staging::FolderOfAttempt(attempt));
    std::string stem = fmt::format("part-{}-{}", Staging::ShortName(attempt), lane);
    // A lane that is opened again in its attempt must not use a name again, even one that somebody has removed.
    const int64_t before = opened_[stem]++;
    if (before > 0) stem += fmt::format(".{}", before);
    return std::make_unique<PartWriter>(staging_, format_, target_file_bytes_, std::move(folder), std::move(stem));
  }

  const std::shared_ptr<Staging> staging_;
  const int64_t target_file_bytes_;
  const std::shared_ptr<const PartFormat> format_;
  std::map<std::string, int64_t> opened_;
};

}  // namespace

Result<std::shared_ptr<Sink>> MakePartSink(std::shared_ptr<Store> store, WriteMode mode, int64_t target_file_bytes,
                                           std::shared_ptr<const PartFormat> format, StagingPlants plants) {
  return std::make_shared<PartSink>(std::move(store), mode, target_file_bytes, std::move(format), plants);
}

}  // namespace mainstem
