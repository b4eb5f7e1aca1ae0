#include "mainstem/connectors/csv/csv_source.h"

#include <arrow/csv/options.h>
#include <arrow/csv/reader.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/connectors/files/stream_source.h"

namespace mainstem {
namespace {

struct CsvOptions {
  char delimiter = ',';
  char quote = '"';
  bool header = true;
  bool newlines_in_values = true;
  int32_t skip_rows = 0;
  std::string null_text;
};

class Csv : public StreamFormat {
 public:
  explicit Csv(CsvOptions options) : options_(options) {}

  std::string name() const override { return "csv"; }
  bool can_be_cut() const override { return false; }  // a line break may stand inside of quotes

  Result<std::shared_ptr<arrow::RecordBatchReader>> Open(std::shared_ptr<arrow::io::InputStream> stream,
                                                         const StreamColumns& columns) const override {
    auto read = arrow::csv::ReadOptions::Defaults();
    read.use_threads = false;
    read.block_size = 4 << 20;
    read.skip_rows = options_.skip_rows;
    auto parse = arrow::csv::ParseOptions::Defaults();
    parse.delimiter = options_.delimiter;
    parse.quote_char = options_.quote;
    parse.newlines_in_values = options_.newlines_in_values;
    auto convert = arrow::csv::ConvertOptions::Defaults();
    // As the sink writes them: nothing between two delimiters is null, quotes with nothing inside are an empty text.
    convert.strings_can_be_null = true;
    convert.quoted_strings_can_be_null = false;
    convert.null_values = {"", options_.null_text};
    if (columns.all) {
      for (const auto& field : columns.all->fields()) convert.column_types[field->name()] = field->type();
      convert.include_columns = columns.wanted->field_names();
    }
    // Without a header a given schema names the columns by their place, all of them; otherwise they are f0, f1, ….
    if (!options_.header) {
      read.autogenerate_column_names = !columns.are_given;
      if (columns.are_given) read.column_names = columns.all->field_names();
    }
    auto reader = arrow::csv::StreamingReader::Make(arrow::io::default_io_context(), std::move(stream), read, parse,
                                                    convert);
    if (!reader.ok()) return Explained(reader.status());
    return std::make_shared<Explaining>(std::move(*reader));
  }

 private:
  static Status Explained(const Status& status) {
    const bool conversion = status.message().find("conversion error") != std::string::npos;
    return JobError(status.message() +
                    (conversion ? "; types are inferred from the beginning, give a schema to set them" : ""));
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

  const CsvOptions options_;
};

Result<char> OneCharacter(const Options& options, const std::string& name) {
  const std::string& text = options.String(name);
  if (text.size() == 1 && text[0] != '\n' && text[0] != '\r') return text[0];
  return JobError(fmt::format("csv: option {}='{}' must be one character", name, Escaped(text)));
}

}  // namespace

std::vector<OptionSpec> CsvSourceOptions() {
  auto specs = StreamSourceOptions();
  specs.push_back({.name = "delimiter", .default_value = ",", .doc = "Character between values."});
  specs.push_back({.name = "quote", .default_value = "\"", .doc = "Character around values."});
  specs.push_back({.name = "header", .type = OptionType::kBool, .default_value = true,
                   .doc = "Whether the first line names the columns."});
  specs.push_back({.name = "newlines_in_values", .type = OptionType::kBool, .default_value = true,
                   .doc = "Whether quoted values may hold line breaks; False reads faster."});
  specs.push_back({.name = "skip_rows", .type = OptionType::kInt, .default_value = 0,
                   .doc = "Lines to pass over before the header.", .minimum = 0, .maximum = 1 << 30});
  specs.push_back({.name = "null_text", .default_value = "",
                   .doc = "What stands for null, without quotes, besides nothing at all: 'NA'."});
  return specs;
}

Result<std::shared_ptr<Source>> MakeCsvSource(const Options& options) {
  CsvOptions csv;
  ARROW_ASSIGN_OR_RAISE(csv.delimiter, OneCharacter(options, "delimiter"));
  ARROW_ASSIGN_OR_RAISE(csv.quote, OneCharacter(options, "quote"));
  csv.header = options.Bool("header");
  csv.newlines_in_values = options.Bool("newlines_in_values");
  csv.null_text = options.String("null_text");
  csv.skip_rows = static_cast<int32_t>(options.Int("skip_rows"));
  return MakeStreamSource(options.StringList("path"),
                          {.allow_private_addresses = options.Bool("allow_private_addresses")},
                          std::make_shared<Csv>(csv), options.MaybeString("schema").value_or(""));
}

}  // namespace mainstem
