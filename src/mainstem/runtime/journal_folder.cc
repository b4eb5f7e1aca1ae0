#include "mainstem/runtime/journal_folder.h"

#include <nlohmann/json.hpp>

#include "mainstem/base/quantity.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Result<std::string> JournalStatsJson(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const JournalStats stats, ReadJournalStats(folder));
  const auto seconds = [](int64_t ns) { return ns > 0 ? Json(static_cast<double>(ns) / 1e9) : Json(); };
  return Text({{"folder", folder},
               {"entries", stats.entries},
               {"bytes", stats.bytes},
               {"max_bytes", stats.bounds.bytes_max > 0 ? Json(stats.bounds.bytes_max) : Json()},
               {"max_age_s", seconds(stats.bounds.age_ns_max)},
               {"trimmed_at_s", seconds(stats.trimmed_ns)},
               {"trimmed_entries", stats.trimmed_ns > 0 ? Json(stats.trimmed_entries) : Json()}});
}

Result<std::string> CollectJournalJson(const std::string& folder, const std::string& max_bytes,
                                       const std::string& max_age) {
  JournalBounds bounds;
  if (!max_bytes.empty()) {
    ARROW_ASSIGN_OR_RAISE(bounds.bytes_max, ParseBytes(max_bytes));
    if (bounds.bytes_max <= 0) return JobError("max_bytes must be more than 0; remove the folder to forget everything");
  }
  if (!max_age.empty()) {
    ARROW_ASSIGN_OR_RAISE(bounds.age_ns_max, ParseDuration(max_age));
    if (bounds.age_ns_max <= 0) return JobError("max_age must be more than 0; remove the folder to forget everything");
  }
  ARROW_RETURN_NOT_OK(ReadJournalStats(folder).status());  // a mistyped folder is not made
  ARROW_ASSIGN_OR_RAISE(const auto journal, Journal::Open(folder));
  ARROW_ASSIGN_OR_RAISE(const JournalCollection done, journal->Collect(bounds));
  return Text({{"folder", folder},
               {"removed", done.removed},
               {"entries", done.after.entries},
               {"bytes", done.after.bytes},
               {"bytes_before", done.before.bytes}});
}

}  // namespace mainstem::runtime
