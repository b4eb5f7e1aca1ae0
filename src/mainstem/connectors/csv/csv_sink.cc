#include "mainstem/connectors/csv/csv_sink.h"

#include <arrow/csv/options.h>
#include <arrow/csv/writer.h>
#include <arrow/ipc/writer.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include "mainstem/connectors/staging/compressed_part.h"
#include "mainstem/connectors/staging/part_options.h"

namespace mainstem {
namespace {

class CsvEncoder : public PartEncoder {
 public:
  CsvEncoder(std::shared_ptr<arrow::io::OutputStream> file, std::shared_ptr<arrow::io::OutputStream> text,
             std::shared_ptr<arrow::ipc::RecordBatchWriter> writer)
      : file_(std::move(file)), text_(std::move(text)), writer_(std::move(writer)) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override { return writer_->WriteRecordBatch(*rows); }
  Result<int64_t> SizeSoFar() const override { return file_->Tell(); }
  Status Finish() override {
    ARROW_RETURN_NOT_OK(writer_->Close());
    return text_ == file_ ? Status::OK() : text_->Close();
  }

 private:
  const std::shared_ptr<arrow::io::OutputStream> file_;
  const std::shared_ptr<arrow::io::OutputStream> text_;
  const std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

class CsvFormat : public PartFormat {
 public:
  CsvFormat(std::shared_ptr<arrow::Schema> schema, arrow::csv::WriteOptions options, std::string compression)
      : schema_(std::move(schema)), options_(std::move(options)), compression_(std::move(compression)) {}

  std::string name() const override { return "csv"; }
  std::string extension() const override { return ".csv" + ExtensionOfCompression(compression_); }
  bool empty_file_is_useful() const override { return options_.include_header; }

  Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const override {
    ARROW_ASSIGN_OR_RAISE(auto text, Compressing(stream, compression_));
    ARROW_ASSIGN_OR_RAISE(auto writer, arrow::csv::MakeCSVWriter(text, schema_, options_));
    return std::make_unique<CsvEncoder>(std::move(stream), std::move(text), std::move(writer));
  }

 private:
  const std::shared_ptr<arrow::Schema> schema_;
  const arrow::csv::WriteOptions options_;
  const std::string compression_;
};

bool HasCsvForm(const arrow::DataType& type) {
  return type.id() == arrow::Type::NA || type.id() == arrow::Type::BOOL || arrow::is_numeric(type.id()) ||
         arrow::is_string(type.id()) || arrow::is_decimal(type.id()) ||
         (arrow::is_temporal(type.id()) && !arrow::is_interval(type.id()));
}

}  // namespace

std::vector<OptionSpec> CsvSinkOptions() {
  auto specs = PartSinkOptions();
  specs.push_back(TextCompressionOption());
  specs.push_back({.name = "delimiter", .default_value = ",", .doc = "Character between values."});
  specs.push_back({.name = "header", .type = OptionType::kBool, .default_value = true,
                   .doc = "Whether each file begins with the names of the columns."});
  specs.push_back({.name = "null_text", .default_value = "", .doc = "What stands for null, without quotes."});
  return specs;
}

Result<std::shared_ptr<Sink>> MakeCsvSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  for (const auto& field : schema->fields()) {
    if (HasCsvForm(*field->type())) continue;
    return JobError(fmt::format("csv: column '{}' of type {} has no form in CSV; drop it, cast it, or write parquet or "
                                "json",
                                Escaped(field->name()), field->type()->ToString()));
  }
  auto write = arrow::csv::WriteOptions::Defaults();
  const std::string& delimiter = options.String("delimiter");
  if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r") {
    return JobError(fmt::format("csv: option delimiter='{}' must be one character", Escaped(delimiter)));
  }
  write.delimiter = delimiter[0];
  write.include_header = options.Bool("header");
  write.null_string = options.String("null_text");
  const Status good = write.Validate();
  if (!good.ok()) return JobError("csv: " + good.message());
  return MakePartSink(options, std::make_shared<CsvFormat>(schema, std::move(write), options.String("compression")));
}

}  // namespace mainstem
