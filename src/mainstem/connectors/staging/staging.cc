#include "mainstem/connectors/staging/staging.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "mainstem/base/log.h"
#include "mainstem/platform/die_point.h"

namespace mainstem {
namespace {

constexpr char kStaging[] = ".mainstem-staging";
constexpr char kWithdrawn[] = ".mainstem-withdrawn";
constexpr char kReplaced[] = "/replaced.json";
constexpr char kDecision[] = "/commit.json";
constexpr char kKeep[] = "/keep";
constexpr size_t kNameBytesMax = 200;
constexpr int64_t kDeadAfterNs = int64_t{24} * 3600 * 1'000'000'000;

using Json = nlohmann::json;

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ToJson(const StagedFile& file) {
  return {{"staged", file.staged}, {"target", file.target}, {"size", file.size}, {"rows", file.rows}};
}

// Whether a path stays below its folder.
bool IsBelow(std::string_view path) {
  if (path.empty()) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

// ".mainstem-staging/<job>" of a staged file; empty where the path is none.
std::string JobFolderOf(const std::string& staged) {
  const std::string prefix = std::string(kStaging) + "/";
  if (!staged.starts_with(prefix)) return "";
  const size_t end = staged.find('/', prefix.size());
  return end == std::string::npos ? "" : staged.substr(0, end);
}

// A committable came back from a checkpoint: it must still name files of this sink, and nothing else.
Status ParseFiles(const Json& list, std::vector<StagedFile>* files) {
  bool good = list.is_array();
  for (size_t i = 0; good && i < list.size(); ++i) {
    const Json& entry = list[i];
    good = entry.is_object() && entry.contains("staged") && entry["staged"].is_string() && entry.contains("target") &&
           entry["target"].is_string() && entry.contains("size") && entry["size"].is_number_integer() &&
           entry.contains("rows") && entry["rows"].is_number_integer();
    if (!good) break;
    StagedFile file{.staged = entry["staged"], .target = entry["target"], .size = entry["size"], .rows = entry["rows"]};
    good = IsBelow(file.target) && !file.target.starts_with(kStaging) &&
           !file.target.starts_with(kWithdrawn) && IsBelow(file.staged) &&
           !JobFolderOf(file.staged).empty();
    files->push_back(std::move(file));
  }
  return good ? Status::OK() : JobError(fmt::format("not files that a sink has staged: {}", Escaped(Text(list))));
}

Result<std::vector<StagedFile>> FilesOf(const std::vector<Committable>& committables) {
  std::vector<StagedFile> files;
  for (const Committable& committable : committables) {
    ARROW_RETURN_NOT_OK(ParseFiles(Json::parse(committable.content, nullptr, false), &files));
  }
  return files;
}

Status ParsePaths(const Json& list, std::vector<std::string>* paths) {
  if (!list.is_array()) return JobError("not a list of paths");
  for (const Json& entry : list) {
    if (!entry.is_string() || !IsBelow(entry.get_ref<const std::string&>())) {
      return JobError(fmt::format("bad path {}", Escaped(Text(entry))));
    }
    paths->push_back(entry);
  }
  return Status::OK();
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

Result<std::string> FolderOfJob(const std::string& job) {
  if (!IsName(job)) return JobError(fmt::format("'{}' cannot be a job's id", Escaped(job)));
  return fmt::format("{}/{}", kStaging, job);
}

}  // namespace

Result<WriteMode> ParseWriteMode(const std::string& text) {
  if (text == "append") return WriteMode::kAppend;
  if (text == "overwrite") return WriteMode::kOverwrite;
  if (text == "error") return WriteMode::kError;
  return JobError(fmt::format("mode '{}' is not one of append, overwrite, error", Escaped(text)));
}

Staging::Staging(std::shared_ptr<Store> store, WriteMode mode, StagingPlants plants, const Clock& clock)
    : store_(std::move(store)), mode_(mode), plants_(plants), clock_(clock) {}

Result<std::string> Staging::FolderOfAttempt(const std::string& attempt) {
  const size_t dot = attempt.find('.');
  const bool is_good = dot != std::string::npos && IsName(attempt.substr(0, dot)) && IsName(attempt.substr(dot + 1));
  if (!is_good) return JobError(fmt::format("'{}' cannot name an attempt: it is not <job>.<n>", Escaped(attempt)));
  return fmt::format("{}/{}/{}", kStaging, attempt.substr(0, dot), attempt.substr(dot + 1));
}

std::string Staging::ShortName(const std::string& attempt) {
  // Not a prefix: names that people give differ at their end ("nightly-1", "nightly-2"). FNV-1a, 64 bits.
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : attempt) hash = (hash ^ c) * 1099511628211u;
  return fmt::format("{:08x}", (hash ^ (hash >> 32)) & 0xFFFFFFFFu);
}

Status Staging::Begin(const SinkJob& job) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job.id));
  ARROW_RETURN_NOT_OK(FinishDecided(folder));
  ARROW_RETURN_NOT_OK(store_->RemoveTree(folder));
  ARROW_RETURN_NOT_OK(SweepOthers(folder));
  ARROW_RETURN_NOT_OK(CheckMode(folder));
  ARROW_RETURN_NOT_OK(Keep(job, folder));
  // A process that was killed, or whose disk failed, between making a folder and syncing the one above has left a name
  // that is there and not durable.
  return store_->SyncNamesAbove(folder);
}

Status Staging::Restore(const SinkJob& job, const std::vector<Committable>& pending) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job.id));
  ARROW_RETURN_NOT_OK(Keep(job, folder));
  ARROW_RETURN_NOT_OK(store_->SyncNamesAbove(folder));
  // What was decided is half done, perhaps, and must not lose its staged files to the sweep.
  ARROW_RETURN_NOT_OK(FinishDecided(folder));
  Decision wanted;
  ARROW_ASSIGN_OR_RAISE(wanted.files, FilesOf(pending));
  ARROW_ASSIGN_OR_RAISE(wanted.removes, ReadReplaced(folder));
  ARROW_RETURN_NOT_OK(WithContext(Pending(wanted).status(), "restoring from a checkpoint"));
  std::set<std::string> kept;
  for (const StagedFile& file : wanted.files) kept.insert(file.staged);
  ARROW_ASSIGN_OR_RAISE(const auto attempts, store_->ListFolders(folder));
  for (const std::string& attempt : attempts) {
    ARROW_ASSIGN_OR_RAISE(const auto files, store_->List(folder + "/" + attempt, true));
    for (const StoredFile& file : files) {
      if (!kept.contains(file.path)) ARROW_RETURN_NOT_OK(store_->Remove(file.path));
    }
    for (const StoredFile& file : files) ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(FolderOf(file.path)));
  }
  return Status::OK();
}

// Leaves word that the staging of this job waits for it.
Status Staging::Keep(const SinkJob& job, const std::string& job_folder) {
  if (job.checkpoint_folder.empty()) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto there, store_->SizeOf(job_folder + kKeep));
  if (there) return Status::OK();
  return store_->WriteSmall(job_folder + kKeep, job.checkpoint_folder + "\n");
}

std::string Staging::ToText(const Decision& decision) {
  Json files = Json::array();
  for (const StagedFile& file : decision.files) files.push_back(ToJson(file));
  return Text({{"files", files}, {"removes", decision.removes}});
}

Result<std::optional<Staging::Decision>> Staging::ReadDecision(const std::string& job_folder) const {
  const std::string path = job_folder + kDecision;
  ARROW_ASSIGN_OR_RAISE(const auto size, store_->SizeOf(path));
  if (!size) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const std::string text, store_->ReadSmall(path));
  const Json json = Json::parse(text, nullptr, false);
  Decision decision;
  if (!json.is_object() || !json.contains("files") || !json.contains("removes")) {
    return JobError(fmt::format("'{}/{}' is damaged; remove it", Escaped(store_->folder(), 1000), Escaped(path)));
  }
  ARROW_RETURN_NOT_OK(ParseFiles(json["files"], &decision.files));
  ARROW_RETURN_NOT_OK(ParsePaths(json["removes"], &decision.removes));
  return decision;
}

// What the job's first commit has still to replace.
Result<std::vector<std::string>> Staging::ReadReplaced(const std::string& job_folder) const {
  std::vector<std::string> paths;
  ARROW_ASSIGN_OR_RAISE(const auto size, store_->SizeOf(job_folder + kReplaced));
  if (!size) return paths;
  ARROW_ASSIGN_OR_RAISE(const std::string text, store_->ReadSmall(job_folder + kReplaced));
  ARROW_RETURN_NOT_OK(WithContext(ParsePaths(Json::parse(text, nullptr, false), &paths), job_folder + kReplaced));
  return paths;
}

Status Staging::FinishDecided(const std::string& job_folder) {
  ARROW_ASSIGN_OR_RAISE(const auto decision, ReadDecision(job_folder));
  if (!decision) return Status::OK();
  return WithContext(Publish(*decision, job_folder), "finishing the commit of a job that crashed");
}

Status Staging::SweepOthers(const std::string& job_folder) {
  ARROW_ASSIGN_OR_RAISE(const auto jobs, store_->ListFolders(kStaging));
  for (const std::string& job : jobs) {
    const std::string folder = fmt::format("{}/{}", kStaging, job);
    if (folder == job_folder) continue;
    ARROW_RETURN_NOT_OK(FinishDecided(folder));
    ARROW_ASSIGN_OR_RAISE(const auto kept, store_->SizeOf(folder + kKeep));
    if (kept) continue;
    ARROW_ASSIGN_OR_RAISE(const auto files, store_->List(folder, true));
    int64_t newest = 0;
    for (const StoredFile& file : files) newest = std::max(newest, file.modified_ns);
    if (!files.empty() && newest + kDeadAfterNs < clock_.WallNs()) ARROW_RETURN_NOT_OK(store_->RemoveTree(folder));
    if (files.empty()) ARROW_RETURN_NOT_OK(RemoveEmptyBelow(folder));
  }
  return store_->RemoveEmptyFolders(kStaging);
}

// Writers that have just made such a folder make it again.
Status Staging::RemoveEmptyBelow(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const auto folders, store_->ListFolders(folder));
  for (const std::string& name : folders) ARROW_RETURN_NOT_OK(RemoveEmptyBelow(folder + "/" + name));
  return store_->RemoveEmptyFolders(folder);
}

Status Staging::CheckMode(const std::string& job_folder) {
  if (mode_ == WriteMode::kAppend) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto visible, store_->List("", false));
  if (mode_ == WriteMode::kError) {
    if (visible.empty()) return Status::OK();
    return JobError(fmt::format("'{}' is not empty (it holds {}); write elsewhere, or use mode='append' or "
                                "mode='overwrite'",
                                Escaped(store_->folder(), 1000), Escaped(visible[0].path)));
  }
  if (store_->folder() == "/") return JobError("mode='overwrite' would remove everything on this machine");
  if (visible.empty()) return Status::OK();
  Json list = Json::array();
  for (const StoredFile& file : visible) list.push_back(file.path);
  return store_->WriteSmall(job_folder + kReplaced, Text(list));
}

Result<std::vector<Committable>> Staging::Prepare(const std::vector<StagedFile>& files) {
  std::vector<Committable> committables;
  if (files.empty()) return committables;
  DiePoint("sink.prepare");
  Json list = Json::array();
  for (const StagedFile& file : files) list.push_back(ToJson(file));
  committables.push_back({Text(list)});
  if (plants_.commit_on_prepare) ARROW_RETURN_NOT_OK(Commit(committables));
  return committables;
}

Status Staging::MakeDurable(const std::vector<Committable>& committables) {
  ARROW_ASSIGN_OR_RAISE(const auto files, FilesOf(committables));
  if (files.empty() || plants_.skip_staged_sync) return Status::OK();
  std::vector<std::string> paths;
  for (const StagedFile& file : files) {
    ARROW_ASSIGN_OR_RAISE(const auto staged, store_->SizeOf(file.staged));
    if (staged) {
      paths.push_back(file.staged);
      continue;
    }
    // Asked again after a restart, it is in view, perhaps.
    ARROW_ASSIGN_OR_RAISE(const auto target, store_->SizeOf(file.target));
    if (!target) {
      return JobError(fmt::format("cannot sync '{}' for '{}' in '{}': it is gone", Escaped(file.staged),
                                  Escaped(file.target), Escaped(store_->folder(), 1000)));
    }
  }
  DiePoint("sink.before_sync");
  return store_->Sync(paths);
}

Status Staging::Commit(const std::vector<Committable>& committables) {
  ARROW_ASSIGN_OR_RAISE(auto files, FilesOf(committables));
  if (files.empty()) return Status::OK();
  Decision decision;
  std::set<std::string> staged;
  std::set<std::string> targets;
  for (StagedFile& file : files) {
    if (!staged.insert(file.staged).second) continue;
    if (!targets.insert(file.target).second) {
      return JobError(fmt::format("two rows want to be the file '{}' in '{}'", Escaped(file.target),
                                  Escaped(store_->folder())));
    }
    decision.files.push_back(std::move(file));
  }
  const std::string folder = JobFolderOf(decision.files[0].staged);
  ARROW_ASSIGN_OR_RAISE(decision.removes, ReadReplaced(folder));
  if (plants_.new_names_on_recommit) ARROW_RETURN_NOT_OK(CommitAgain(&decision));
  return Publish(decision, folder);
}

// The planted defect: shows once more, under a new name, what is in view.
Status Staging::CommitAgain(Decision* decision) {
  for (StagedFile& file : decision->files) {
    ARROW_ASSIGN_OR_RAISE(const auto staged, store_->SizeOf(file.staged));
    if (staged) continue;
    ARROW_ASSIGN_OR_RAISE(const std::string content, store_->ReadSmall(file.target));
    file.target = "again-" + file.target;
    ARROW_RETURN_NOT_OK(store_->WriteSmall(file.target, content));
  }
  return Status::OK();
}

// The files that are still staged; an error where one is neither staged nor in its place.
Result<std::vector<const StagedFile*>> Staging::Pending(const Decision& decision) const {
  std::vector<const StagedFile*> pending;
  for (const StagedFile& file : decision.files) {
    ARROW_ASSIGN_OR_RAISE(const auto staged, store_->SizeOf(file.staged));
    ARROW_ASSIGN_OR_RAISE(const auto target, store_->SizeOf(file.target));
    if (staged && *staged == file.size) {
      // Where a move is one step, a file in both places is somebody else's under the same name.
      const bool is_replaced = std::find(decision.removes.begin(), decision.removes.end(), file.target) !=
                               decision.removes.end();
      if (target && store_->moves_in_one_step() && !is_replaced) {
        return JobError(fmt::format("cannot commit '{}' in '{}': a file of this name is there already",
                                    Escaped(file.target), Escaped(store_->folder(), 1000)));
      }
      pending.push_back(&file);
      continue;
    }
    if (staged || !target || *target != file.size) {
      return JobError(fmt::format("cannot commit '{}' in '{}': its staged file is {}", Escaped(file.target),
                                  Escaped(store_->folder(), 1000), staged ? "damaged" : "gone"));
    }
  }
  return pending;
}

Status Staging::Publish(const Decision& decision, const std::string& job_folder) {
  ARROW_ASSIGN_OR_RAISE(const auto pending, Pending(decision));
  const bool decides = pending.size() > 1 || (!decision.removes.empty() && !pending.empty());
  if (decides) ARROW_RETURN_NOT_OK(store_->WriteSmall(job_folder + kDecision, ToText(decision)));
  DiePoint("sink.decided");
  const Status moved = MoveAll(pending);
  if (!moved.ok()) {
    if (decides) (void)store_->Remove(job_folder + kDecision);
    return moved;
  }
  // Also of files that are in place already: who moved them may have been killed, or failed, before the sync.
  std::vector<std::string> changed;
  for (const StagedFile& file : decision.files) {
    changed.push_back(file.staged);
    for (std::string path = file.target; !path.empty() && path != "."; path = FolderOf(path)) changed.push_back(path);
  }
  ARROW_RETURN_NOT_OK(store_->SyncFolders(changed));
  ARROW_RETURN_NOT_OK(RemoveReplaced(decision));
  // Neither may come back with a power cut: each names files that later commits and other people change. Folders
  // stay: a writer may be making a file in one.
  std::vector<std::string> done;
  if (!decision.removes.empty()) done.push_back(job_folder + kReplaced);
  ARROW_ASSIGN_OR_RAISE(const auto decided, store_->SizeOf(job_folder + kDecision));
  if (decided) done.push_back(job_folder + kDecision);
  for (const std::string& path : done) ARROW_RETURN_NOT_OK(store_->Remove(path));
  return store_->SyncFolders(done);
}

// On failure moves back what it has moved.
Status Staging::MoveAll(const std::vector<const StagedFile*>& pending) {
  for (size_t i = 0; i < pending.size(); ++i) {
    DiePoint("sink.before_move");
    const Status status = store_->Move(pending[i]->staged, pending[i]->target);
    DiePoint("sink.moved");
    if (status.ok()) continue;
    // Another process may have finished this commit meanwhile.
    const auto target = store_->SizeOf(pending[i]->target);
    const auto staged = store_->SizeOf(pending[i]->staged);
    if (target.ok() && *target == pending[i]->size && staged.ok() && !*staged) continue;
    for (size_t k = 0; k < i; ++k) (void)store_->Move(pending[k]->target, pending[k]->staged);
    return status;
  }
  return Status::OK();
}

Status Staging::RemoveReplaced(const Decision& decision) {
  std::set<std::string> kept;
  for (const StagedFile& file : decision.files) kept.insert(file.target);
  std::vector<std::string> removed;
  for (const std::string& path : decision.removes) {
    if (kept.contains(path)) continue;
    removed.push_back(path);
    ARROW_RETURN_NOT_OK(store_->Remove(path));
  }
  ARROW_RETURN_NOT_OK(store_->SyncFolders(removed));
  for (const std::string& path : removed) {
    if (path.find('/') != std::string::npos) ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(FolderOf(path)));
  }
  return Status::OK();
}

// Where a file goes that is withdrawn: a name that is free. `is_there`: one of its size has been withdrawn already.
Result<std::string> Staging::WithdrawnName(const std::string& job, const StagedFile& file, bool* is_there) const {
  const std::string first = fmt::format("{}/{}/{}", kWithdrawn, job, file.target);
  std::string name = first;
  *is_there = false;
  for (int i = 1;; ++i) {
    ARROW_ASSIGN_OR_RAISE(const auto size, store_->SizeOf(name));
    if (!size) return name;
    *is_there |= *size == file.size;
    name = fmt::format("{}.{}", first, i);
  }
}

Status Staging::Withdraw(const SinkJob& job, const std::vector<Committable>& shown,
                         const std::vector<Committable>& kept) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job.id));
  // A commit that is half done has files in both places; done, in one.
  ARROW_RETURN_NOT_OK(FinishDecided(folder));
  ARROW_ASSIGN_OR_RAISE(const auto files, FilesOf(shown));
  ARROW_ASSIGN_OR_RAISE(const auto kept_files, FilesOf(kept));
  std::set<std::string> stay_staged;
  for (const StagedFile& file : kept_files) stay_staged.insert(file.staged);
  std::vector<std::string> changed;
  int64_t rows = 0;
  for (const StagedFile& file : files) {
    ARROW_ASSIGN_OR_RAISE(const auto staged, store_->SizeOf(file.staged));
    ARROW_ASSIGN_OR_RAISE(const auto target, store_->SizeOf(file.target));
    bool is_withdrawn = false;
    ARROW_ASSIGN_OR_RAISE(std::string name, WithdrawnName(job.id, file, &is_withdrawn));
    if (!target && (staged || is_withdrawn)) continue;
    // Where a move is one step, a file in both places is somebody else's under the same name.
    if (target && staged && store_->moves_in_one_step()) continue;
    if (!target || *target != file.size) {
      return JobError(fmt::format("cannot withdraw '{}' in '{}': it {}; bring back what the job has written",
                                  Escaped(file.target), Escaped(store_->folder(), 1000),
                                  target ? "was changed" : "is gone"));
    }
    if (stay_staged.contains(file.staged)) name = file.staged;
    DiePoint("sink.withdraw");
    if (staged) {
      ARROW_RETURN_NOT_OK(store_->Remove(file.target));
    } else {
      ARROW_RETURN_NOT_OK(store_->Move(file.target, name));
      for (std::string path = name; !path.empty() && path != "."; path = FolderOf(path)) changed.push_back(path);
    }
    changed.push_back(file.target);
    rows += file.rows;
  }
  ARROW_RETURN_NOT_OK(store_->SyncFolders(changed));
  for (const StagedFile& file : files) {
    if (file.target.find('/') != std::string::npos) {
      ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(FolderOf(file.target)));
    }
  }
  if (!changed.empty()) {
    Log(LogLevel::kWarning, "sink",
        "{} rows that '{}' has shown are withdrawn and written again; what is not staged any more lies in '{}/{}', which "
        "may be removed when they are there",
        rows, Escaped(store_->folder(), 1000), kWithdrawn, job.id);
  }
  return Status::OK();
}

Result<bool> Staging::NothingCommitted(const std::string& job) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job));
  ARROW_ASSIGN_OR_RAISE(const auto replaced, ReadReplaced(folder));
  if (!replaced.empty()) return true;
  ARROW_ASSIGN_OR_RAISE(const auto visible, store_->List("", false));
  return visible.empty();
}

Status Staging::Finish(const std::string& job) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job));
  ARROW_RETURN_NOT_OK(FinishDecided(folder));
  ARROW_ASSIGN_OR_RAISE(const auto replaced, ReadReplaced(folder));
  if (!replaced.empty()) ARROW_RETURN_NOT_OK(Publish({.files = {}, .removes = replaced}, folder));
  return RemoveJob(folder);
}

Status Staging::Abort(const std::string& job) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfJob(job));
  ARROW_RETURN_NOT_OK(FinishDecided(folder));
  return RemoveJob(folder);
}

Status Staging::RemoveJob(const std::string& job_folder) {
  ARROW_RETURN_NOT_OK(store_->RemoveTree(job_folder));
  ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(kStaging));
  return store_->SyncFolders({job_folder, kStaging});
}

}  // namespace mainstem
