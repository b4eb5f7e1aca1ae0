#include "mainstem/connectors/parquet/parquet_sink.h"

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/type_fwd.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <algorithm>

#include "mainstem/connectors/staging/part_options.h"

namespace mainstem {
namespace {

constexpr int64_t kRowGroupRowsMax = 1 << 20;

// Bounds row groups in bytes as well as in rows: a row may carry an image.
class ParquetEncoder : public PartEncoder {
 public:
  ParquetEncoder(std::shared_ptr<arrow::io::OutputStream> stream, std::unique_ptr<parquet::arrow::FileWriter> writer,
                 int64_t row_group_bytes)
      : stream_(std::move(stream)), writer_(std::move(writer)), row_group_bytes_(row_group_bytes) {}

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, arrow::util::ReferencedBufferSize(*rows));
    const double row_bytes = std::max(1.0, static_cast<double>(bytes) / static_cast<double>(rows->num_rows()));
    for (int64_t offset = 0; offset < rows->num_rows();) {
      const auto fitting = static_cast<int64_t>(static_cast<double>(row_group_bytes_ - group_bytes_) / row_bytes);
      const int64_t count =
          std::clamp<int64_t>(fitting, 1, std::min(rows->num_rows() - offset, kRowGroupRowsMax - group_rows_));
      ARROW_RETURN_NOT_OK(writer_->WriteRecordBatch(*rows->Slice(offset, count)));
      offset += count;
      group_rows_ += count;
      group_bytes_ += static_cast<int64_t>(row_bytes * static_cast<double>(count));
      if (group_bytes_ >= row_group_bytes_ || group_rows_ >= kRowGroupRowsMax) {
        ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
        group_rows_ = 0;
        group_bytes_ = 0;
      }
    }
    return Status::OK();
  }

  Result<int64_t> SizeSoFar() const override {
    ARROW_ASSIGN_OR_RAISE(const int64_t written, stream_->Tell());
    return written + group_bytes_;
  }

  Status Finish() override { return writer_->Close(); }

 private:
  std::shared_ptr<arrow::io::OutputStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  const int64_t row_group_bytes_;
  int64_t group_rows_ = 0;
  int64_t group_bytes_ = 0;
};

class ParquetFormat : public PartFormat {
 public:
  ParquetFormat(std::shared_ptr<arrow::Schema> schema, arrow::Compression::type compression, int64_t row_group_bytes)
      : schema_(std::move(schema)), row_group_bytes_(row_group_bytes) {
    parquet::WriterProperties::Builder builder;
    builder.compression(compression)->max_row_group_length(kRowGroupRowsMax);
    for (const auto& field : schema_->fields()) {
      // Media bytes do not repeat: trying a dictionary, or keeping the smallest, costs a copy of each.
      if (HoldsBinary(*field->type())) DisableForLeaves(*field, field->name(), &builder);
    }
    properties_ = builder.build();
  }

  std::string name() const override { return "parquet"; }
  std::string extension() const override { return ".parquet"; }
  bool empty_file_is_useful() const override { return true; }

  Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const override {
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream,
                                                                        properties_, arrow_properties));
    return std::make_unique<ParquetEncoder>(std::move(stream), std::move(writer), row_group_bytes_);
  }

 private:
  static bool HoldsBinary(const arrow::DataType& type) {
    if (type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY) return true;
    return std::any_of(type.fields().begin(), type.fields().end(),
                       [](const auto& field) { return HoldsBinary(*field->type()); });
  }

  static void DisableForLeaves(const arrow::Field& field, const std::string& path,
                               parquet::WriterProperties::Builder* builder) {
    if (field.type()->id() == arrow::Type::STRUCT) {
      for (const auto& child : field.type()->fields()) DisableForLeaves(*child, path + "." + child->name(), builder);
    } else if (HoldsBinary(*field.type()) && field.type()->num_fields() == 0) {
      builder->disable_dictionary(path)->disable_statistics(path);
    }
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const int64_t row_group_bytes_;
  std::shared_ptr<parquet::WriterProperties> properties_;
};

// Parquet's own LZ4 is the raw one. The options' check has seen to it that the name is one of these.
arrow::Compression::type CompressionOf(const std::string& name) {
  if (name == "snappy") return arrow::Compression::SNAPPY;
  if (name == "zstd") return arrow::Compression::ZSTD;
  if (name == "gzip") return arrow::Compression::GZIP;
  if (name == "lz4") return arrow::Compression::LZ4;
  if (name == "brotli") return arrow::Compression::BROTLI;
  return arrow::Compression::UNCOMPRESSED;
}

}  // namespace

std::vector<OptionSpec> ParquetSinkOptions() {
  auto specs = PartSinkOptions();
  specs.push_back({.name = "compression", .default_value = "snappy", .doc = "Compression of pages.",
                   .choices = {"snappy", "zstd", "gzip", "lz4", "brotli", "none"}});
  specs.push_back({.name = "row_group_bytes", .type = OptionType::kInt, .default_value = int64_t{64} << 20,
                   .doc = "A new row group is begun beyond it, before compression.", .minimum = 1 << 10});
  return specs;
}

Result<std::shared_ptr<Sink>> MakeParquetSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema) {
  const auto compression = CompressionOf(options.String("compression"));
  for (const auto& field : schema->fields()) {
    if (field->type()->id() == arrow::Type::STRUCT && field->type()->num_fields() == 0) {
      return JobError(fmt::format("parquet: column '{}' is a struct without fields, which Parquet cannot hold",
                                  Escaped(field->name())));
    }
  }
  auto format = std::make_shared<ParquetFormat>(schema, compression, options.Int("row_group_bytes"));
  return MakePartSink(options, std::move(format));
}

}  // namespace mainstem
