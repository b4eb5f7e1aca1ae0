#include "mainstem/runtime/checkpoint_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/checkpoint/job_folder.h"
#include "mainstem/connectors/files/remote_file_system.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ManifestJson(const checkpoint::Manifest& manifest) {
  int64_t in_flight_bytes = 0, in_flight_batches = 0, calls = 0, bytes = 0;
  Json subtasks = Json::array();
  for (const auto& subtask : manifest.subtasks) {
    in_flight_bytes += subtask.in_flight_bytes;
    in_flight_batches += subtask.in_flight_batches;
    calls += subtask.calls;
    bytes += subtask.file.bytes;
    subtasks.push_back({{"task", subtask.task},
                        {"lane", subtask.lane},
                        {"taken_at", subtask.taken_at},
                        {"file", subtask.file.name},
                        {"bytes", subtask.file.bytes},
                        {"in_flight_bytes", subtask.in_flight_bytes},
                        {"in_flight_batches", subtask.in_flight_batches},
                        {"calls", subtask.calls}});
  }
  Json sources = Json::object();
  for (const auto& [task, state] : manifest.sources) {
    const Json parsed = Json::parse(state, nullptr, false);
    sources[std::to_string(task)] = parsed.is_discarded() ? Json(state) : parsed;
  }
  return {{"checkpoint", manifest.checkpoint},
          {"kind", std::string(checkpoint::ToString(manifest.kind))},
          {"unaligned", manifest.unaligned},
          {"started_ns", manifest.started_wall_ns},
          {"duration_s", static_cast<double>(manifest.duration_ns) / 1e9},
          {"snapshot_bytes", bytes},
          {"in_flight_bytes", in_flight_bytes},
          {"in_flight_batches", in_flight_batches},
          {"calls", calls},
          {"pending_commits", manifest.pending.size()},
          {"counters", manifest.counters},
          {"fallen_back", manifest.fallen_back},
          {"subtasks", subtasks},
          {"sources", sources},
          {"graph", manifest.graph}};
}

}  // namespace

Result<std::string> JobsJson(const std::string& folder, bool verify) {
  std::string path;
  ARROW_ASSIGN_OR_RAISE(const auto files, OpenFileSystem(folder, LocalFileSystem(), &path));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files->Stat(path));
  if (status.kind != FileKind::kFolder) {
    return JobError(fmt::format("there is no checkpoint folder '{}'", Escaped(folder)));
  }
  ARROW_ASSIGN_OR_RAISE(const auto jobs, checkpoint::ListJobs(*files, path, verify));
  Json list = Json::array();
  for (const auto& job : jobs) {
    Json checkpoints = Json::array();
    for (const auto& stored : job.checkpoints) {
      Json entry = {{"path", stored.path}, {"bytes", stored.bytes}};
      if (stored.manifest) {
        Json manifest = ManifestJson(*stored.manifest);
        manifest.erase("subtasks");
        manifest.erase("sources");
        manifest.erase("graph");
        entry.update(manifest);
      }
      if (!stored.damage.empty()) entry["damage"] = stored.damage;
      checkpoints.push_back(std::move(entry));
    }
    list.push_back({{"name", job.name},
                    {"running", job.is_running},
                    {"process", job.process},
                    {"runs", job.epoch ? job.epoch->number : 0},
                    {"bytes", job.bytes},
                    {"checkpoints", checkpoints}});
  }
  return Text(list);
}

Result<std::string> CheckpointJson(const std::string& path) {
  std::string trimmed;
  ARROW_ASSIGN_OR_RAISE(const auto files, OpenFileSystem(path, LocalFileSystem(), &trimmed));
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::string name = trimmed.substr(trimmed.find_last_of('/') + 1);
  const auto folder = checkpoint::ParseFolderName(name);
  if (!folder) return JobError(fmt::format("'{}' is not a checkpoint: its name is not checkpoint-<n>", Escaped(path)));
  const checkpoint::JobFolder job(*files, FolderOf(trimmed));
  ARROW_ASSIGN_OR_RAISE(const auto manifest, job.ReadManifest(*folder));
  Json json = ManifestJson(manifest);
  const Status verified = job.VerifyFiles(manifest, /*content=*/true);
  if (!verified.ok()) json["damage"] = verified.message();
  return Text(json);
}

Status AskToStop(const std::string& folder, const std::string& job) {
  std::string path;
  ARROW_ASSIGN_OR_RAISE(const auto files, OpenFileSystem(folder, LocalFileSystem(), &path));
  ARROW_ASSIGN_OR_RAISE(const auto jobs, checkpoint::ListJobs(*files, path));
  std::vector<std::string> names;
  for (const auto& stored : jobs) {
    names.push_back(stored.name);
    if (stored.name != job) continue;
    if (!stored.is_running) return JobError(fmt::format("job '{}' does not run", Escaped(job)));
    return files->WriteDurably(JoinPath(JoinPath(path, job), kStopRequest), "stop\n");
  }
  return JobError(fmt::format("there is no job '{}' in '{}'.{}", Escaped(job), Escaped(folder), Suggestion(job, names)));
}

}  // namespace mainstem::runtime
