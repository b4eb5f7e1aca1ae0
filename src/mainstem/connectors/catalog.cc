#include "mainstem/connectors/catalog.h"

#include <fmt/format.h>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/csv/csv_sink.h"
#include "mainstem/connectors/csv/csv_source.h"
#include "mainstem/connectors/datagen/datagen_source.h"
#include "mainstem/connectors/files/files_sink.h"
#include "mainstem/connectors/files/files_source.h"
#include "mainstem/connectors/json/json_sink.h"
#include "mainstem/connectors/json/json_source.h"
#include "mainstem/connectors/memory/memory_source.h"
#include "mainstem/connectors/parquet/parquet_sink.h"
#include "mainstem/connectors/parquet/parquet_source.h"
#include "mainstem/connectors/range/range_source.h"

namespace mainstem {
namespace {

struct SourceEntry {
  std::string name;
  std::vector<OptionSpec> (*options)();
  Result<std::shared_ptr<Source>> (*make)(const Options& options, const MemoryTables& tables);
};

struct SinkEntry {
  std::string name;
  std::vector<OptionSpec> (*options)();
  Result<std::shared_ptr<Sink>> (*make)(const Options& options, const std::shared_ptr<arrow::Schema>& schema);
};

template <Result<std::shared_ptr<Source>> (*make)(const Options&)>
Result<std::shared_ptr<Source>> WithoutTables(const Options& options, const MemoryTables&) {
  return make(options);
}

const std::vector<SourceEntry>& Sources() {
  static const std::vector<SourceEntry> entries = {
      {"files", FilesSourceOptions, WithoutTables<MakeFilesSource>},
      {"parquet", ParquetSourceOptions, WithoutTables<MakeParquetSource>},
      {"json", JsonSourceOptions, WithoutTables<MakeJsonSource>},
      {"csv", CsvSourceOptions, WithoutTables<MakeCsvSource>},
      {"range", RangeSourceOptions, WithoutTables<MakeRangeSource>},
      {"datagen", DatagenSourceOptions, WithoutTables<MakeDatagenSource>},
      {"memory", MemorySourceOptions, MakeMemorySource},
  };
  return entries;
}

const std::vector<SinkEntry>& Sinks() {
  static const std::vector<SinkEntry> entries = {
      {"parquet", ParquetSinkOptions, MakeParquetSink},
      {"json", JsonSinkOptions, MakeJsonSink},
      {"csv", CsvSinkOptions, MakeCsvSink},
      {"files", FilesSinkOptions, MakeFilesSink},
  };
  return entries;
}

template <typename Entry>
Result<const Entry*> Find(const std::vector<Entry>& entries, const std::string& name, std::string_view what) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    if (entry.name == name) return &entry;
    names.push_back(entry.name);
  }
  return JobError(fmt::format("there is no {} '{}'.{}", what, Escaped(name), Suggestion(name, names)));
}

Result<std::shared_ptr<Sink>> FindGiven(const ConnectorOptions& options, const GivenSinks& given) {
  static const std::vector<OptionSpec> kOptions = {{.name = "sink", .doc = "Key of the sink.", .required = true}};
  ARROW_ASSIGN_OR_RAISE(const Options checked, Options::Check("write_sink", kOptions, options));
  const auto found = given.find(checked.String("sink"));
  if (found != given.end()) return found->second;
  return JobError("write_sink: the sink is an object of the program that made the plan; run the plan from there");
}

// A list of one may be written as the one.
ConnectorOptions ListsMade(ConnectorOptions given, const std::vector<OptionSpec>& specs) {
  for (const OptionSpec& spec : specs) {
    const auto found = given.find(spec.name);
    if (spec.type != OptionType::kStringList || found == given.end()) continue;
    if (!std::holds_alternative<std::string>(found->second.value)) continue;
    found->second = OptionValue(OptionValue::List{found->second});
  }
  return given;
}

}  // namespace

Result<std::shared_ptr<Source>> MakeSource(const std::string& connector, const ConnectorOptions& options,
                                           const MemoryTables& tables) {
  ARROW_ASSIGN_OR_RAISE(const SourceEntry* entry, Find(Sources(), connector, "source"));
  const auto specs = entry->options();
  ARROW_ASSIGN_OR_RAISE(const Options checked, Options::Check("read_" + connector, specs, ListsMade(options, specs)));
  return entry->make(checked, tables);
}

Result<std::shared_ptr<Sink>> MakeSink(const std::string& connector, const ConnectorOptions& options,
                                       const std::shared_ptr<arrow::Schema>& schema, const GivenSinks& given) {
  if (connector == "sink") return FindGiven(options, given);
  ARROW_ASSIGN_OR_RAISE(const SinkEntry* entry, Find(Sinks(), connector, "sink"));
  const auto specs = entry->options();
  ARROW_ASSIGN_OR_RAISE(const Options checked, Options::Check("write_" + connector, specs, ListsMade(options, specs)));
  return entry->make(checked, schema);
}

}  // namespace mainstem
