#include "mainstem/checkpoint/manifest.h"

#include <arrow/util/base64.h>
#include <arrow/util/utf8.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "mainstem/checkpoint/layout.h"

namespace mainstem::checkpoint {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<Manifest::Kind, std::string_view>, 3> kKinds = {{
    {Manifest::Kind::kCheckpoint, "checkpoint"},
    {Manifest::Kind::kSavepoint, "savepoint"},
    {Manifest::Kind::kFinal, "final"},
}};

constexpr int kNestingMax = 8;  // the format needs four

Status Wrong(std::string_view field, std::string_view what) {
  return JobError(fmt::format("manifest: '{}' {}", field, what));
}

bool IsUtf8(std::string_view text) {
  arrow::util::InitializeUTF8();
  return arrow::util::ValidateUTF8(text);
}

Json TextJson(std::string_view text) {
  if (IsUtf8(text)) return text;
  return {{"base64", arrow::util::base64_encode(text)}};
}

// Reads the fields of one object; the first error stays. What is not read by the end is an unknown field.
class Fields {
 public:
  Fields(const Json& json, std::string name) : json_(json), name_(std::move(name)) {
    if (!json_.is_object()) Fail("", "must be an object");
  }

  const Json* Get(const char* key) {
    ++read_;
    if (!status_.ok()) return nullptr;
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    Fail(key, "is missing");
    return nullptr;
  }

  template <typename Int>
  void Number(const char* key, Int* out) {
    if (const Json* value = Get(key)) *out = static_cast<Int>(NumberOf(*value, key, std::numeric_limits<Int>::max()));
  }

  void Flag(const char* key, bool* out) {
    const Json* value = Get(key);
    if (!value) return;
    if (!value->is_boolean()) return Fail(key, "must be true or false");
    *out = value->get<bool>();
  }

  void Text(const char* key, std::string* out) {
    if (const Json* value = Get(key)) *out = TextOf(*value, key);
  }

  // Calls `read` with each element.
  template <typename Read>
  void List(const char* key, Read read) {
    const Json* value = Get(key);
    if (!value) return;
    if (!value->is_array()) return Fail(key, "must be a list");
    for (const Json& element : *value) {
      if (status_.ok()) read(element);
    }
  }

  template <typename Read>
  void Object(const char* key, Read read) {
    const Json* value = Get(key);
    if (!value) return;
    if (!value->is_object()) return Fail(key, "must be an object");
    for (const auto& [name, element] : value->items()) {
      if (status_.ok()) read(name, element);
    }
  }

  int64_t NumberOf(const Json& value, std::string_view key, int64_t most) {
    if (!value.is_number_integer() || (!value.is_number_unsigned() && value.get<int64_t>() < 0) ||
        value.get<uint64_t>() > static_cast<uint64_t>(most)) {
      Fail(key, fmt::format("must be a whole number from 0 to {}", most));
      return 0;
    }
    return value.get<int64_t>();
  }

  std::string TextOf(const Json& value, std::string_view key) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object() && value.size() == 1 && value.contains("base64") && value["base64"].is_string()) {
      auto decoded = arrow::util::base64_decode(value["base64"].get<std::string>());
      if (decoded.ok()) return *std::move(decoded);
    }
    Fail(key, "must be a text, or base64");
    return {};
  }

  int TaskOf(const std::string& name, std::string_view key) {
    int task = -1;
    const auto end = std::from_chars(name.data(), name.data() + name.size(), task);
    if (task < 0 || end.ec != std::errc() || end.ptr != name.data() + name.size() || std::to_string(task) != name) {
      Fail(key, fmt::format("has '{}' for the number of a task", Escaped(name)));
    }
    return task;
  }

  void Fail(std::string_view key, std::string_view what) {
    if (!status_.ok()) return;
    status_ = Wrong(name_.empty() ? std::string(key) : key.empty() ? name_ : fmt::format("{}.{}", name_, key), what);
  }
  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  Status Finish() {
    if (status_.ok() && json_.size() != read_) Fail("", "has unknown fields");
    return status_;
  }

 private:
  const Json& json_;
  std::string name_;
  Status status_;
  size_t read_ = 0;
};

Result<SubtaskSnapshot> ParseSubtask(const Json& json) {
  SubtaskSnapshot subtask;
  Fields fields(json, "subtasks");
  fields.Number("task", &subtask.task);
  fields.Number("lane", &subtask.lane);
  fields.Text("file", &subtask.file.name);
  fields.Number("bytes", &subtask.file.bytes);
  fields.Number("taken_at", &subtask.taken_at);
  fields.Number("in_flight_bytes", &subtask.in_flight_bytes);
  fields.Number("in_flight_batches", &subtask.in_flight_batches);
  fields.Number("calls", &subtask.calls);
  ARROW_RETURN_NOT_OK(fields.Finish());
  return subtask;
}

Result<PendingCommit> ParsePending(const Json& json) {
  PendingCommit pending;
  Fields fields(json, "pending");
  fields.Number("checkpoint", &pending.checkpoint);
  fields.Text("content", &pending.content);
  ARROW_RETURN_NOT_OK(fields.Finish());
  return pending;
}

Status ParseKind(const std::string& name, Manifest::Kind* kind) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& each) { return each.second == name; });
  if (found == kKinds.end()) return Wrong("kind", fmt::format("is '{}'", Escaped(name)));
  *kind = found->first;
  return Status::OK();
}

// Parses without exceptions, and without brackets that nest deeper than the format's.
Result<Json> ParseJson(std::string_view text) {
  bool too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kNestingMax;
    return !too_deep;
  };
  Json json = Json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) return JobError("manifest: it is not the JSON that was expected");
  return json;
}

void ParseLists(Fields* fields, Manifest* manifest) {
  fields->List("subtasks", [&](const Json& json) {
    auto subtask = ParseSubtask(json);
    if (!subtask.ok()) return fields->Fail(subtask.status());
    manifest->subtasks.push_back(*std::move(subtask));
  });
  fields->Object("sources", [&](const std::string& name, const Json& json) {
    manifest->sources[fields->TaskOf(name, "sources")] = fields->TextOf(json, "sources");
  });
  fields->Object("parallelism", [&](const std::string& name, const Json& json) {
    const int64_t lanes = fields->NumberOf(json, "parallelism", std::numeric_limits<int>::max());
    manifest->parallelism[fields->TaskOf(name, "parallelism")] = static_cast<int>(lanes);
  });
  fields->List("pending", [&](const Json& json) {
    auto pending = ParsePending(json);
    if (!pending.ok()) return fields->Fail(pending.status());
    manifest->pending.push_back(*std::move(pending));
  });
  fields->Object("counters", [&](const std::string& name, const Json& json) {
    // Negative ones are allowed here: a counter is whatever its owner counts.
    const bool negative = json.is_number_integer() && !json.is_number_unsigned() && json.get<int64_t>() < 0;
    manifest->counters[name] = negative ? json.get<int64_t>()
                                        : fields->NumberOf(json, "counters", std::numeric_limits<int64_t>::max());
  });
  fields->List("fallen_back", [&](const Json& json) {
    manifest->fallen_back.push_back(fields->TextOf(json, "fallen_back"));
  });
}

Status CheckSubtask(const Manifest& manifest, const SubtaskSnapshot& subtask) {
  for (const int64_t number : {int64_t{subtask.task}, int64_t{subtask.lane}, subtask.file.bytes, subtask.taken_at,
                               subtask.in_flight_bytes, subtask.in_flight_batches, subtask.calls}) {
    if (number < 0) return Wrong("subtasks", "has a negative number");
  }
  if (!IsSnapshotName(subtask.file.name)) {
    return Wrong("subtasks.file", fmt::format("is '{}', no snapshot's name", Escaped(subtask.file.name)));
  }
  const auto lanes = manifest.parallelism.find(subtask.task);
  if (lanes != manifest.parallelism.end() && subtask.lane >= lanes->second) {
    return Wrong("subtasks.lane", fmt::format("is {}, but task {} has {} lanes", subtask.lane, subtask.task,
                                              lanes->second));
  }
  if (subtask.taken_at > manifest.checkpoint) return Wrong("subtasks.taken_at", "is later than the checkpoint");
  return Status::OK();
}

}  // namespace

std::string_view ToString(Manifest::Kind kind) { return kKinds[static_cast<size_t>(kind)].second; }

bool IsSnapshotName(std::string_view name) {
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos || !ParseFolderName(name.substr(0, slash))) return false;
  const std::string_view file = name.substr(slash + 1);
  return IsSafeName(file) && file.ends_with(kSnapshotSuffix) && file.size() > kSnapshotSuffix.size();
}

Status Validate(const Manifest& manifest) {
  for (const auto& [name, number] : {std::pair{"checkpoint", manifest.checkpoint}, std::pair{"epoch", manifest.epoch},
                                     std::pair{"started_wall_ns", manifest.started_wall_ns},
                                     std::pair{"duration_ns", manifest.duration_ns}}) {
    if (number < 0) return Wrong(name, "is negative");
  }
  if (!IsSafeName(manifest.job)) return Wrong("job", "is not the name of a job");
  std::set<std::pair<int, int>> lanes;
  for (const SubtaskSnapshot& subtask : manifest.subtasks) {
    ARROW_RETURN_NOT_OK(CheckSubtask(manifest, subtask));
    if (!lanes.emplace(subtask.task, subtask.lane).second) {
      return Wrong("subtasks", fmt::format("has lane {} of task {} twice", subtask.lane, subtask.task));
    }
  }
  for (const auto& [task, text] : manifest.sources) {
    if (task < 0) return Wrong("sources", "has a negative task");
  }
  for (const auto& [task, count] : manifest.parallelism) {
    if (task < 0 || count < 0) return Wrong("parallelism", "has a negative number");
  }
  for (const PendingCommit& pending : manifest.pending) {
    if (pending.checkpoint < 0) return Wrong("pending", "has a negative checkpoint");
  }
  for (const auto& [name, count] : manifest.counters) {
    if (!IsUtf8(name)) return Wrong("counters", fmt::format("has '{}', which is not UTF-8", Escaped(name)));
  }
  return Status::OK();
}

Result<std::string> ToJson(const Manifest& manifest) {
  ARROW_RETURN_NOT_OK(Validate(manifest));
  Json subtasks = Json::array();
  for (const SubtaskSnapshot& subtask : manifest.subtasks) {
    subtasks.push_back({{"task", subtask.task},
                        {"lane", subtask.lane},
                        {"file", subtask.file.name},
                        {"bytes", subtask.file.bytes},
                        {"taken_at", subtask.taken_at},
                        {"in_flight_bytes", subtask.in_flight_bytes},
                        {"in_flight_batches", subtask.in_flight_batches},
                        {"calls", subtask.calls}});
  }
  Json sources = Json::object();
  for (const auto& [task, text] : manifest.sources) sources[std::to_string(task)] = TextJson(text);
  Json parallelism = Json::object();
  for (const auto& [task, lanes] : manifest.parallelism) parallelism[std::to_string(task)] = lanes;
  Json pending = Json::array();
  for (const PendingCommit& commit : manifest.pending) {
    pending.push_back({{"checkpoint", commit.checkpoint}, {"content", TextJson(commit.content)}});
  }
  Json counters = Json::object();
  for (const auto& [name, count] : manifest.counters) counters[name] = count;
  Json fallen_back = Json::array();
  for (const std::string& region : manifest.fallen_back) fallen_back.push_back(TextJson(region));
  const Json json = {{"checkpoint", manifest.checkpoint},
                     {"epoch", manifest.epoch},
                     {"kind", ToString(manifest.kind)},
                     {"job", manifest.job},
                     {"graph", TextJson(manifest.graph)},
                     {"unaligned", manifest.unaligned},
                     {"started_wall_ns", manifest.started_wall_ns},
                     {"duration_ns", manifest.duration_ns},
                     {"subtasks", std::move(subtasks)},
                     {"sources", std::move(sources)},
                     {"parallelism", std::move(parallelism)},
                     {"pending", std::move(pending)},
                     {"counters", std::move(counters)},
                     {"fallen_back", std::move(fallen_back)}};
  std::string text = json.dump();
  if (static_cast<int64_t>(text.size()) > kManifestBytesMax) {
    return JobError(fmt::format("the manifest of checkpoint {} has {} bytes, more than the {} allowed",
                                manifest.checkpoint, text.size(), kManifestBytesMax));
  }
  return text;
}

Result<Manifest> FromJson(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(const Json json, ParseJson(text));
  Manifest manifest;
  std::string kind;
  Fields fields(json, "");
  fields.Number("checkpoint", &manifest.checkpoint);
  fields.Number("epoch", &manifest.epoch);
  fields.Text("kind", &kind);
  fields.Text("job", &manifest.job);
  fields.Text("graph", &manifest.graph);
  fields.Flag("unaligned", &manifest.unaligned);
  fields.Number("started_wall_ns", &manifest.started_wall_ns);
  fields.Number("duration_ns", &manifest.duration_ns);
  ParseLists(&fields, &manifest);
  ARROW_RETURN_NOT_OK(fields.Finish());
  ARROW_RETURN_NOT_OK(ParseKind(kind, &manifest.kind));
  ARROW_RETURN_NOT_OK(Validate(manifest));
  return manifest;
}

}  // namespace mainstem::checkpoint
