#include "mainstem/connectors/json/json_sink.h"

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/connectors/json/json_rows.h"
#include "mainstem/connectors/staging/compressed_part.h"
#include "mainstem/connectors/staging/part_options.h"

namespace mainstem {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

class JsonEncoder : public PartEncoder {
 public:
  JsonEncoder(std::shared_ptr<arrow::io::OutputStream> file, std::shared_ptr<arrow::io::OutputStream> text,
              std::vector<std::string> keys)
      : file_(std::move(file)), text_(std::move(text)), keys_(std::move(keys)) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    std::string lines;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      for (size_t i = 0; i < keys_.size(); ++i) {
        lines += keys_[i];
        AppendJson(*rows->column(static_cast<int>(i)), row, &lines);
      }
      lines += keys_.empty() ? "{}\n" : "}\n";
      if (lines.size() < kChunkBytes) continue;
      ARROW_RETURN_NOT_OK(text_->Write(lines));
      lines.clear();
    }
    return text_->Write(lines);
  }

  Result<int64_t> SizeSoFar() const override { return file_->Tell(); }
  Status Finish() override { return text_ == file_ ? Status::OK() : text_->Close(); }

 private:
  const std::shared_ptr<arrow::io::OutputStream> file_;
  const std::shared_ptr<arrow::io::OutputStream> text_;
  const std::vector<std::string> keys_;  // what stands before each value: {"a": or ,"b":
};

class JsonFormat : public PartFormat {
 public:
  JsonFormat(const arrow::Schema& schema, std::string compression) : compression_(std::move(compression)) {
    for (const auto& field : schema.fields()) {
      std::string key = keys_.empty() ? "{" : ",";
      AppendJsonString(field->name(), &key);
      keys_.push_back(key + ":");
    }
  }

  std::string name() const override { return "json"; }
  std::string extension() const override { return ".jsonl" + ExtensionOfCompression(compression_); }
  bool empty_file_is_useful() const override { return false; }

  Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const override {
    ARROW_ASSIGN_OR_RAISE(auto text, Compressing(stream, compression_));
    return std::make_unique<JsonEncoder>(std::move(stream), std::move(text), keys_);
  }

 private:
  const std::string compression_;
  std::vector<std::string> keys_;
};

}  // namespace

std::vector<OptionSpec> JsonSinkOptions() {
  auto specs = PartSinkOptions();
  specs.push_back(TextCompressionOption());
  return specs;
}

Result<std::shared_ptr<Sink>> MakeJsonSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema) {
  for (const auto& field : schema->fields()) {
    if (HasJsonForm(*field->type())) continue;
    return JobError(fmt::format("json: column '{}' of type {} has no JSON form; drop or cast it",
                                Escaped(field->name()), field->type()->ToString()));
  }
  return MakePartSink(options, std::make_shared<JsonFormat>(*schema, options.String("compression")));
}

}  // namespace mainstem
