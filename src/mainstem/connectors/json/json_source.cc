#include "mainstem/connectors/json/json_source.h"

#include <arrow/io/interfaces.h>
#include <arrow/json/options.h>
#include <arrow/json/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "mainstem/connectors/files/stream_source.h"

namespace mainstem {
namespace {

class JsonLines : public StreamFormat {
 public:
  explicit JsonLines(int64_t block_bytes) : block_bytes_(static_cast<int32_t>(block_bytes)) {}

  std::string name() const override { return "json"; }
  // A line break inside of a JSON text can only stand between its parts, not in a string; "a line" is one object here.
  bool can_be_cut() const override { return true; }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Open(std::shared_ptr<arrow::io::InputStream> stream,
                                                         const StreamColumns& columns) const override {
    auto read = arrow::json::ReadOptions::Defaults();
    read.use_threads = false;
    read.block_size = block_bytes_;
    auto parse = arrow::json::ParseOptions::Defaults();
    if (columns.all) {
      // Columns that were inferred are all parsed, so that one that comes up later is noticed and not lost.
      const bool only_wanted = columns.are_given && columns.wanted->num_fields() > 0;
      parse.explicit_schema = WithoutMetadata(only_wanted ? *columns.wanted : *columns.all);
      parse.unexpected_field_behavior = columns.are_given ? arrow::json::UnexpectedFieldBehavior::Ignore
                                                          : arrow::json::UnexpectedFieldBehavior::Error;
    }
    auto reader = arrow::json::StreamingReader::Make(std::move(stream), read, parse);
    if (!reader.ok()) return Explained(reader.status());
    return std::make_shared<Explaining>(std::move(*reader));
  }

 private:
  // Arrow's messages say what is wrong; this adds what to do.
  static Status Explained(const Status& status) {
    const std::string& message = status.message();
    std::string advice;
    if (message.find("straddling") != std::string::npos) {
      advice = "; one line is longer than block_bytes, set it higher";
    } else if (message.find("unexpected field") != std::string::npos ||
               message.find("changed from") != std::string::npos) {
      advice = "; the columns were inferred from the beginning, give a schema";
    }
    return JobError(message + advice);
  }

  class Explaining : public arrow::RecordBatchReader {
   public:
    explicit Explaining(std::shared_ptr<arrow::RecordBatchReader> reader) : reader_(std::move(reader)) {}
    std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
    Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
      const Status status = reader_->ReadNext(batch);
      return status.ok() ? status : Explained(status);
    }

   private:
    std::shared_ptr<arrow::RecordBatchReader> reader_;
  };

  static std::shared_ptr<arrow::Schema> WithoutMetadata(const arrow::Schema& schema) {
    arrow::FieldVector fields;
    for (const auto& field : schema.fields()) fields.push_back(field->RemoveMetadata());
    return arrow::schema(std::move(fields));
  }

  const int32_t block_bytes_;
};

}  // namespace

std::vector<OptionSpec> JsonSourceOptions() {
  auto specs = StreamSourceOptions();
  specs.push_back({.name = "block_bytes", .type = OptionType::kInt, .default_value = 8 << 20,
                   .doc = "Bytes that are parsed at a time; no line may be longer.", .minimum = 1 << 10,
                   .maximum = 1 << 30});
  return specs;
}

Result<std::shared_ptr<Source>> MakeJsonSource(const Options& options) {
  return MakeStreamSource(options.StringList("path"),
                          {.allow_private_addresses = options.Bool("allow_private_addresses")},
                          std::make_shared<JsonLines>(options.Int("block_bytes")),
                          options.MaybeString("schema").value_or(""));
}

}  // namespace mainstem
