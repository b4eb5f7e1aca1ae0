#include "mainstem/simulation/oracle.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mainstem/checkpoint/job_folder.h"

namespace mainstem::simulation {
namespace {

constexpr char kStaging[] = "/out/.mainstem-staging";
constexpr int64_t kFileBytesMax = 1 << 20;

checkpoint::JobFolder FolderOfJob(World& world) {
  return checkpoint::JobFolder(world.disk, JoinPath(kCheckpointFolder, kJobName));
}

std::vector<FolderEntry> List(World& world, const std::string& folder) {
  auto entries = world.disk.List(folder).ValueOr({});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

bool IsCount(const std::string& text) {
  return !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
}

std::string Some(const std::set<std::string>& lines) {
  std::string text;
  int64_t shown = 0;
  for (const std::string& line : lines) {
    if (++shown > 5) break;
    text += (text.empty() ? "'" : ", '") + line + "'";
  }
  return fmt::format("{} of them: {}", lines.size(), text);
}

}  // namespace

Oracle::Oracle(World& world, const JobShape& shape)
    : world_(world),
      bounded_(!shape.sources[0].unbounded),
      keyed_(shape.topology == Topology::kKeyed),
      expected_counts_(ExpectedCounts(shape)) {
  for (std::string& line : ExpectedLines(shape)) expected_.insert(std::move(line));
}

void Oracle::Look() {
  LookAtManifests();
  std::set<std::string> now;
  for (const FolderEntry& entry : List(world_, kSinkFolder)) {
    if (entry.name.starts_with('.')) continue;
    now.insert(entry.name);
    if (!files_.contains(entry.name)) Read(entry.name);
  }
  // A commit that cannot be carried out moves back what it has moved.
  std::set<std::string> gone;
  for (const auto& [name, content] : files_) {
    if (now.contains(name)) continue;
    if (settled_.contains(name)) world_.Violate(promise::kShrinks, fmt::format("'{}' was visible and is gone", name));
    gone.insert(name);
  }
  if (!gone.empty()) LookAgain();
  CheckWhole();
}

void Oracle::LookAgain() {
  const auto before = std::move(files_);
  files_.clear();
  lines_.clear();
  counts_.clear();
  for (const FolderEntry& entry : List(world_, kSinkFolder)) {
    if (!entry.name.starts_with('.')) Read(entry.name);
  }
  for (const std::string& name : settled_) {
    const auto now = files_.find(name);
    if (now == files_.end()) {
      world_.Violate(promise::kShrinks, fmt::format("'{}' was committed and is gone", name));
    } else if (before.contains(name) && now->second != before.at(name)) {
      world_.Violate(promise::kShrinks, fmt::format("the content of '{}' was committed and is another now", name));
    }
  }
}

void Oracle::Read(const std::string& name) {
  const auto content = world_.disk.ReadAll(JoinPath(kSinkFolder, name), kFileBytesMax);
  if (!content.ok()) return world_.Violate(promise::kContent, content.status().message());
  files_[name] = *content;
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) Take(line, name);
}

void Oracle::Take(const std::string& line, const std::string& file) {
  std::string row = line;
  if (keyed_) {
    const size_t space = line.find(' ');
    if (space == std::string::npos) return world_.Violate(promise::kContent, fmt::format("'{}' in {}", line, file));
    row = line.substr(0, space);
    TakeCount(row, line.substr(space + 1), file);
  }
  if (!expected_.contains(row)) {
    return world_.Violate(promise::kContent, fmt::format("'{}' in {} is nothing that could be", Escaped(line), file));
  }
  if (!lines_.insert(row).second) world_.Violate(promise::kOnce, fmt::format("'{}' stands twice, also in {}", row, file));
}

void Oracle::TakeCount(const std::string& id, const std::string& count, const std::string& file) {
  if (!IsCount(id) || !IsCount(count)) return world_.Violate(promise::kContent, fmt::format("'{} {}'", id, count));
  const int64_t key = std::stoll(id) % kKeys;
  if (!counts_[key].insert(std::stoll(count)).second) {
    world_.Violate(promise::kCounts, fmt::format("key {} was counted to {} twice, also in {}", key, count, file));
  }
}

void Oracle::LookAtManifests() {
  const checkpoint::JobFolder folder = FolderOfJob(world_);
  const auto folders = folder.Folders();
  if (!folders.ok()) return;
  for (const checkpoint::FolderName& name : *folders) {
    const std::string path = JoinPath(folder.Path(ToString(name)), std::string(checkpoint::kManifestName));
    const auto status = world_.disk.Stat(path);
    if (!status.ok() || status->kind != FileKind::kFile) continue;
    if (!read_.insert(fmt::format("{} {}", path, status->modified_ns)).second) continue;
    const auto manifest = folder.ReadManifest(name);
    if (!manifest.ok()) return world_.Violate(promise::kNoDamage, manifest.status().message());
    // A power loss may bring one back whose removal was not durable.
    const std::string key = fmt::format("{} of epoch {}", ToString(name), manifest->epoch);
    if (checkpoints_.contains(key)) continue;
    checkpoints_.insert(key);
    Files files;
    for (const auto& pending : manifest->pending) {
      // What earlier ones covered and no commit has shown is pending in this one as well.
      Files& own = commits_[pending.checkpoint];
      for (const auto& file : nlohmann::json::parse(pending.content)) {
        const auto target = file.at("target").get<std::string>();
        own.insert(target);
        files.insert(target);
      }
    }
    covered_.insert(files.begin(), files.end());
    pending_[manifest->checkpoint] = files;
    world_.Note("{} of epoch {} is on disk: {}, {} files to commit", ToString(name), manifest->epoch,
                checkpoint::ToString(manifest->kind), files.size());
    if (manifest->epoch < epoch_) {
      world_.Violate(promise::kFenced, fmt::format("{} was published by epoch {} while epoch {} runs", ToString(name),
                                                   manifest->epoch, epoch_));
    }
  }
}

bool Oracle::CommitUnderWay() const {
  for (const FolderEntry& job : List(world_, kStaging)) {
    const auto decision = world_.disk.Stat(JoinPath(JoinPath(kStaging, job.name), "commit.json"));
    if (decision.ok() && decision->kind == FileKind::kFile) return true;
  }
  return false;
}

// A local file system cannot exchange many files in one step: while a commit has noted what it will do, a part may be
// visible.
void Oracle::CheckWhole() {
  if (files_.empty() || CommitUnderWay()) return;
  for (const auto& [name, content] : files_) {
    if (!covered_.contains(name)) world_.Violate(promise::kWhole, fmt::format("no checkpoint covers '{}'", name));
  }
  for (const auto& [checkpoint, files] : commits_) {
    int64_t shown = 0;
    for (const std::string& file : files) shown += files_.contains(file) ? 1 : 0;
    if (shown == 0 || shown == static_cast<int64_t>(files.size())) continue;
    world_.Violate(promise::kWhole, fmt::format("{} of {} files of checkpoint {} are visible", shown, files.size(),
                                                checkpoint));
  }
  if (bounded_ && !all_visible()) {
    world_.Violate(promise::kWhole, fmt::format("{} of {} rows of a bounded job are visible", lines_.size(),
                                                expected_.size()));
  }
}

void Oracle::LookAtCheckpoints() {
  const checkpoint::JobFolder folder = FolderOfJob(world_);
  const auto complete = folder.Complete();
  if (!complete.ok()) return;
  for (const checkpoint::FolderName& name : *complete) {
    const auto manifest = folder.ReadManifest(name);
    const Status status = manifest.ok() ? folder.VerifyFiles(*manifest, /*content=*/true) : manifest.status();
    if (!status.ok()) world_.Violate(promise::kNoDamage, fmt::format("{}: {}", ToString(name), status.message()));
  }
}

void Oracle::Acknowledge(int64_t checkpoint) {
  if (checkpoint <= acknowledged_) return;
  acknowledged_ = checkpoint;
  const Files& pending = pending_[checkpoint];
  for (const auto& [name, content] : files_) {
    if (!pending.contains(name)) settled_.insert(name);
  }
}

void Oracle::Restored(int64_t checkpoint) {
  if (checkpoint >= acknowledged_) return;
  world_.Violate(promise::kNewest, fmt::format("checkpoint {} was complete, the job goes on from {}", acknowledged_,
                                               checkpoint));
}

void Oracle::TakenOver() {
  const auto epoch = FolderOfJob(world_).ReadEpoch();
  if (epoch.ok()) epoch_ = epoch->number;
}

std::string Oracle::Missing() const {
  std::set<std::string> missing;
  std::set_difference(expected_.begin(), expected_.end(), lines_.begin(), lines_.end(),
                      std::inserter(missing, missing.end()));
  return "rows are missing, " + Some(missing);
}

std::vector<std::string> Oracle::FilesBelow(const std::string& folder) const {
  std::vector<std::string> files;
  for (const FolderEntry& entry : List(world_, folder)) {
    const std::string path = JoinPath(folder, entry.name);
    if (entry.kind != FileKind::kFolder) {
      files.push_back(path);
      continue;
    }
    for (std::string& below : FilesBelow(path)) files.push_back(std::move(below));
  }
  return files;
}

void Oracle::LookAtTheEnd() {
  Look();
  LookAgain();
  if (!all_visible()) world_.Violate(promise::kOnce, Missing());
  for (const auto& [key, count] : expected_counts_) {
    const std::set<int64_t>& counts = counts_[key];
    if (static_cast<int64_t>(counts.size()) == count && *counts.begin() == 1 && *counts.rbegin() == count) continue;
    world_.Violate(promise::kCounts, fmt::format("key {} was counted {} times from {} to {}, and has {} rows", key,
                                                 counts.size(), counts.empty() ? 0 : *counts.begin(),
                                                 counts.empty() ? 0 : *counts.rbegin(), count));
  }
  // A job without an end keeps what it has staged behind its last checkpoint until it is started again.
  if (!bounded_) return;
  const auto left = FilesBelow(kStaging);
  if (!left.empty()) world_.Violate(promise::kNothingLeft, fmt::format("{} files, as {}", left.size(), left[0]));
}

}  // namespace mainstem::simulation
