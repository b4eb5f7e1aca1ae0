#include "mainstem/services/journal/journal_limits.h"

#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

int64_t Number(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() && *found >= 0 ? found->get<int64_t>() : 0;
}

}  // namespace

std::string LimitsText(const JournalStats& stats) {
  return nlohmann::json{{"max_bytes", stats.bounds.bytes_max},
                        {"max_age_ns", stats.bounds.age_ns_max},
                        {"trimmed_ns", stats.trimmed_ns},
                        {"trimmed_entries", stats.trimmed_entries}}
      .dump();
}

void ReadLimits(const std::string& text, JournalStats* stats) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  stats->bounds = {.bytes_max = Number(json, "max_bytes"), .age_ns_max = Number(json, "max_age_ns")};
  stats->trimmed_ns = Number(json, "trimmed_ns");
  stats->trimmed_entries = Number(json, "trimmed_entries");
}

}  // namespace mainstem
