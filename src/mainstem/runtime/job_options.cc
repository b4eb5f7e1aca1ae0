#include "mainstem/runtime/job_options.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "mainstem/base/quantity.h"
#include "mainstem/base/suggestion.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;
using Read = std::function<Status(const Json&)>;

Read Text(std::string* to) {
  return [to](const Json& value) -> Status {
    if (!value.is_string()) return JobError("takes a text");
    *to = value.get<std::string>();
    return Status::OK();
  };
}

Read Flag(bool* to) {
  return [to](const Json& value) -> Status {
    if (!value.is_boolean()) return JobError("is true or false");
    *to = value.get<bool>();
    return Status::OK();
  };
}

Read Count(int* to, int least, int most) {
  return [=](const Json& value) -> Status {
    if (!value.is_number_integer() || value.get<int64_t>() < least || value.get<int64_t>() > most) {
      return JobError(fmt::format("takes a number from {} to {}", least, most));
    }
    *to = value.get<int>();
    return Status::OK();
  };
}

Read Duration(int64_t* to, int64_t least_ns) {
  return [=](const Json& value) -> Status {
    if (value.is_number() && value.get<double>() >= 0 && value.get<double>() < 1e9) {
      *to = static_cast<int64_t>(value.get<double>() * 1e9);
    } else if (value.is_string()) {
      ARROW_ASSIGN_OR_RAISE(*to, ParseDuration(value.get<std::string>()));
    } else {
      return JobError("takes seconds or a text like '10s'");
    }
    if (*to < least_ns) return JobError(fmt::format("must be at least {}", FormatDuration(least_ns)));
    return Status::OK();
  };
}

// A duration, or null for never.
Read DurationOrNever(int64_t* to) {
  return [to](const Json& value) -> Status {
    if (!value.is_null()) return Duration(to, 0)(value);
    *to = checkpoint::kNever;
    return Status::OK();
  };
}

Status ReadAll(const Json& json, const std::string& of, const std::map<std::string, Read>& readers) {
  std::vector<std::string> names;
  for (const auto& [name, reader] : readers) names.push_back(name);
  for (const auto& [name, value] : json.items()) {
    const auto reader = readers.find(name);
    if (reader == readers.end()) {
      return JobError(fmt::format("{} has no option '{}'.{}", of, Escaped(name), Suggestion(name, names)));
    }
    const Status status = reader->second(value);
    if (!status.ok()) return JobError(fmt::format("{}: '{}' {}", of, name, status.message()));
  }
  return Status::OK();
}

Read Bytes(int64_t* to) {
  return [to](const Json& value) -> Status {
    if (value.is_number_integer()) {
      *to = value.get<int64_t>();
    } else if (value.is_string()) {
      ARROW_ASSIGN_OR_RAISE(*to, ParseBytes(value.get<std::string>()));
    } else {
      return JobError("takes bytes or a text like '50GB'");
    }
    if (*to <= 0) return JobError("must be more than 0");
    return Status::OK();
  };
}

// A folder, or an object that also says how large and how old it may become.
Status ReadJournal(const Json& json, JobSettings* settings) {
  if (!json.is_object()) return Text(&settings->journal_folder)(json);
  ARROW_RETURN_NOT_OK(ReadAll(json, "journal",
                              {{"folder", Text(&settings->journal_folder)},
                               {"max_bytes", Bytes(&settings->journal_bounds.bytes_max)},
                               {"max_age", Duration(&settings->journal_bounds.age_ns_max, 1)}}));
  if (settings->journal_folder.empty()) return JobError("names no folder");
  return Status::OK();
}

Status ReadCheckpoint(const Json& json, std::optional<CheckpointOptions>* to) {
  if (!json.is_object()) return JobError("takes an object");
  CheckpointOptions options;
  options.coordinator.unaligned_after_ns = 30'000'000'000;
  checkpoint::CoordinatorSettings& coordinator = options.coordinator;
  ARROW_RETURN_NOT_OK(ReadAll(json, "checkpoint",
                              {{"folder", Text(&options.folder)},
                               {"every", Duration(&coordinator.interval_ns, 10'000'000)},
                               {"unaligned_after", DurationOrNever(&coordinator.unaligned_after_ns)},
                               {"timeout", Duration(&coordinator.timeout_ns, 10'000'000)},
                               {"minimum_pause", Duration(&coordinator.minimum_pause_ns, 0)},
                               {"tolerated_failures", Count(&coordinator.tolerated_failures, 0, 1'000'000)},
                               {"retained", Count(&options.retained, 1, 10'000)},
                               {"resume", Flag(&options.resume)},
                               {"from", Text(&options.from)},
                               {"regions_may_fall_back", Flag(&coordinator.regions_may_fall_back)},
                               {"restarts", Count(&options.restarts_in_a_row, 0, 1'000'000)},
                               {"restart_delay", Duration(&options.restart_delay_ns, 0)}}));
  if (options.folder.empty()) return JobError("names no folder");
  *to = std::move(options);
  return Status::OK();
}

}  // namespace

Status ReadJobOptions(const std::string& job_json, JobSettings* settings) {
  const Json json = Json::parse(job_json.empty() ? "{}" : job_json, nullptr, false);
  if (!json.is_object()) return JobError("the job's options are not a JSON object");
  return ReadAll(json, "a job",
                 {{"name", Text(&settings->name)},
                  {"dead_letters", Text(&settings->dead_letter_path)},
                  {"journal", [settings](const Json& value) { return ReadJournal(value, settings); }},
                  {"watchdog", Duration(&settings->watchdog_ns, 0)},
                  {"checkpoint", [settings](const Json& value) { return ReadCheckpoint(value, &settings->checkpoint); }}});
}

}  // namespace mainstem::runtime
