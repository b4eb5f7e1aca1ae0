#include "mainstem/connectors/staging/staging.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>


namespace mainstem {
namespace {

constexpr char kStaging[] = ".mainstem-staging";
constexpr char kReplaced[] = ".mainstem-staging/replaced.json";
constexpr char kDecision[] = "/commit.json";
constexpr int64_t kDeadAfterNs = int64_t{24} * 3600 * 1'000'000'000;

using Json = nlohmann::json;

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ToJson(const StagedFile& file) {
  return {{"staged", file.staged}, {"target", file.target}, {"size", file.size}, {"rows", file.rows}};
}

// A committable came back from a checkpoint: it must still name files of this sink, and nothing else.
bool IsBelow(const std::string& path) {
  return !path.empty() && path.front() != '/' && path.find("..") == std::string::npos;
}

Status ParseFiles(const Json& list, std::vector<StagedFile>* files) {
  bool good = list.is_array();
  for (size_t i = 0; good && i < list.size(); ++i) {
    const Json& entry = list[i];
    good = entry.is_object() && entry.contains("staged") && entry["staged"].is_string() && entry.contains("target") &&
           entry["target"].is_string() && entry.contains("size") && entry["size"].is_number_integer() &&
           entry.contains("rows") && entry["rows"].is_number_integer();
    if (!good) break;
    StagedFile file{.staged = entry["staged"], .target = entry["target"], .size = entry["size"], .rows = entry["rows"]};
    good = IsBelow(file.target) && IsBelow(file.staged) && file.staged.starts_with(kStaging);
    files->push_back(std::move(file));
  }
  return good ? Status::OK() : JobError(fmt::format("not files that a sink has staged: {}", Escaped(Text(list))));
}

Status ParsePaths(const Json& list, std::vector<std::string>* paths) {
  if (!list.is_array()) return JobError("not a list of paths");
  for (const Json& entry : list) {
    if (!entry.is_string() || !IsBelow(entry)) return JobError(fmt::format("bad path {}", Escaped(Text(entry))));
    paths->push_back(entry);
  }
  return Status::OK();
}

// "<staging>/<attempt>" of a staged file.
std::string AttemptFolder(const std::string& staged) {
  const size_t begin = sizeof(kStaging);  // the slash behind it included
  return staged.substr(0, std::min(staged.find('/', begin), staged.size()));
}

}  // namespace

Result<WriteMode> ParseWriteMode(const std::string& text) {
  if (text == "append") return WriteMode::kAppend;
  if (text == "overwrite") return WriteMode::kOverwrite;
  if (text == "error") return WriteMode::kError;
  return JobError(fmt::format("mode '{}' is not one of append, overwrite, error", Escaped(text)));
}

Staging::Staging(std::shared_ptr<Store> store, WriteMode mode, const Clock& clock)
    : store_(std::move(store)), mode_(mode), clock_(clock) {}

Result<std::string> Staging::FolderOfAttempt(const std::string& attempt) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
  if (attempt.empty() || attempt.size() > 200 || attempt.front() == '.' ||
      !std::all_of(attempt.begin(), attempt.end(), allowed)) {
    return JobError(fmt::format("'{}' cannot name an attempt", Escaped(attempt)));
  }
  return fmt::format("{}/{}", kStaging, attempt);
}

std::string Staging::ShortName(const std::string& attempt) {
  // Not a prefix: names that people give differ at their end ("nightly-1", "nightly-2"). FNV-1a, 64 bits.
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : attempt) hash = (hash ^ c) * 1099511628211u;
  return fmt::format("{:08x}", (hash ^ (hash >> 32)) & 0xFFFFFFFFu);
}

Status Staging::Begin() {
  ARROW_RETURN_NOT_OK(SweepAndFinish());
  return CheckMode();
}

std::string Staging::ToText(const Decision& decision) {
  Json files = Json::array();
  for (const StagedFile& file : decision.files) files.push_back(ToJson(file));
  return Text({{"files", files}, {"removes", decision.removes}});
}

Result<Staging::Decision> Staging::ReadDecision(const std::string& path) const {
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

Status Staging::SweepAndFinish() {
  ARROW_ASSIGN_OR_RAISE(const auto attempts, store_->ListFolders(kStaging));
  for (const std::string& attempt : attempts) {
    const std::string folder = fmt::format("{}/{}", kStaging, attempt);
    ARROW_ASSIGN_OR_RAISE(const auto decided, store_->SizeOf(folder + kDecision));
    if (decided) {
      ARROW_ASSIGN_OR_RAISE(const Decision decision, ReadDecision(folder + kDecision));
      ARROW_RETURN_NOT_OK(WithContext(Publish(decision), "finishing the commit of a job that crashed"));
    }
    ARROW_ASSIGN_OR_RAISE(const auto files, store_->List(folder, true));
    int64_t newest = 0;
    for (const StoredFile& file : files) newest = std::max(newest, file.modified_ns);
    // An empty folder may be one that a writer has just made.
    if (!files.empty() && newest + kDeadAfterNs < clock_.WallNs()) ARROW_RETURN_NOT_OK(store_->RemoveTree(folder));
  }
  ARROW_RETURN_NOT_OK(store_->Remove(kReplaced));
  return store_->RemoveEmptyFolders(kStaging);
}

Status Staging::CheckMode() {
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
  noted_replaced_ = true;
  return store_->WriteSmall(kReplaced, Text(list));
}

Result<std::vector<Committable>> Staging::Prepare(const std::vector<StagedFile>& files) {
  std::vector<Committable> committables;
  if (files.empty()) return committables;
  std::vector<std::string> paths;
  Json list = Json::array();
  for (const StagedFile& file : files) {
    paths.push_back(file.staged);
    list.push_back(ToJson(file));
  }
  ARROW_RETURN_NOT_OK(store_->Sync(paths));
  committables.push_back({Text(list)});
  return committables;
}

Status Staging::Commit(const std::vector<Committable>& committables) {
  Decision decision;
  std::set<std::string> targets;
  for (const Committable& committable : committables) {
    ARROW_RETURN_NOT_OK(ParseFiles(Json::parse(committable.content, nullptr, false), &decision.files));
  }
  for (const StagedFile& file : decision.files) {
    if (!targets.insert(file.target).second) {
      return JobError(fmt::format("two rows want to be the file '{}' in '{}'", Escaped(file.target),
                                  Escaped(store_->folder())));
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto replaces, store_->SizeOf(kReplaced));
  if (replaces && mode_ == WriteMode::kOverwrite) {
    ARROW_ASSIGN_OR_RAISE(const std::string text, store_->ReadSmall(kReplaced));
    ARROW_RETURN_NOT_OK(WithContext(ParsePaths(Json::parse(text, nullptr, false), &decision.removes), kReplaced));
  }
  ARROW_RETURN_NOT_OK(Publish(decision));
  noted_replaced_ = false;
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

Status Staging::Publish(const Decision& decision) {
  ARROW_ASSIGN_OR_RAISE(const auto pending, Pending(decision));
  const std::string attempt = decision.files.empty() ? "" : AttemptFolder(decision.files[0].staged);
  const bool decides = pending.size() > 1 || (!decision.removes.empty() && !pending.empty());
  if (decides) ARROW_RETURN_NOT_OK(store_->WriteSmall(attempt + kDecision, ToText(decision)));
  const Status moved = MoveAll(pending);
  if (!moved.ok()) {
    if (decides) (void)store_->Remove(attempt + kDecision);
    return moved;
  }
  ARROW_RETURN_NOT_OK(RemoveReplaced(decision));
  if (attempt.empty()) return store_->RemoveEmptyFolders(kStaging);
  ARROW_RETURN_NOT_OK(store_->Remove(attempt + kDecision));
  std::set<std::string> folders;
  for (const StagedFile& file : decision.files) folders.insert(FolderOf(file.staged));
  for (const std::string& folder : folders) ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(folder));
  return Status::OK();
}

// On failure moves back what it has moved.
Status Staging::MoveAll(const std::vector<const StagedFile*>& pending) {
  std::vector<std::string> changed;
  for (size_t i = 0; i < pending.size(); ++i) {
    const Status status = store_->Move(pending[i]->staged, pending[i]->target);
    changed.push_back(pending[i]->target);
    changed.push_back(pending[i]->staged);
    if (status.ok()) continue;
    // Another process may have finished this commit meanwhile.
    const auto target = store_->SizeOf(pending[i]->target);
    const auto staged = store_->SizeOf(pending[i]->staged);
    if (target.ok() && *target == pending[i]->size && staged.ok() && !*staged) continue;
    for (size_t k = 0; k < i; ++k) (void)store_->Move(pending[k]->target, pending[k]->staged);
    return status;
  }
  return store_->SyncFolders(changed);
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
  if (!decision.removes.empty()) ARROW_RETURN_NOT_OK(store_->Remove(kReplaced));
  for (const std::string& path : removed) {
    if (path.find('/') != std::string::npos) ARROW_RETURN_NOT_OK(store_->RemoveEmptyFolders(FolderOf(path)));
  }
  return Status::OK();
}

Status Staging::Abort(const std::string& attempt) {
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOfAttempt(attempt));
  ARROW_RETURN_NOT_OK(store_->RemoveTree(folder));
  if (std::exchange(noted_replaced_, false)) ARROW_RETURN_NOT_OK(store_->Remove(kReplaced));
  return store_->RemoveEmptyFolders(kStaging);
}

}  // namespace mainstem
