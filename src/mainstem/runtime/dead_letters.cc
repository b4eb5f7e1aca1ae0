#include "mainstem/runtime/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "mainstem/base/log.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;

// A larger file is left as it is.
constexpr int64_t kFileBytesMax = int64_t{1} << 30;
constexpr int64_t kNoteBytesMax = 1 << 16;

}  // namespace

Result<std::unique_ptr<DeadLetters>> DeadLetters::Make(FileSystem& files, std::string path, std::string job) {
  std::unique_ptr<DeadLetters> letters(new DeadLetters(files, std::move(path), std::move(job)));
  if (letters->path_.empty()) return letters;
  // Also says whether it can be written.
  const auto file = files.Append(letters->path_);
  if (!file.ok()) {
    return JobError(fmt::format("the dead letter file {} cannot be opened: {}", Escaped(letters->path_),
                                file.status().message()));
  }
  ARROW_RETURN_NOT_OK((*file)->Close());
  return letters;
}

std::string DeadLetters::ToLine(const DeadLetter& letter) const {
  const Json line = {{"job", job_},
                     {"function", letter.function},
                     {"input", letter.input},
                     {"reason", letter.reason},
                     {"row", letter.row}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status DeadLetters::AwaitCheckpoints(FileSystem& note_files, const std::string& note, int64_t counted) {
  awaits_checkpoints_ = true;
  {
    const std::lock_guard lock(mutex_);
    covered_ = counted;
  }
  if (path_.empty()) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const FileStatus file, files_.Stat(path_));
  ARROW_ASSIGN_OR_RAISE(const FileStatus noted, note_files.Stat(note));
  Json known;
  if (noted.kind == FileKind::kFile) {
    ARROW_ASSIGN_OR_RAISE(const std::string text, note_files.ReadAll(note, kNoteBytesMax));
    known = Json::parse(text, nullptr, false);
  }
  const bool is_known = known.is_object() && known.value("path", "") == path_ && known.contains("begin") &&
                        known["begin"].is_number_integer() && known.contains("before") &&
                        known["before"].is_number_integer();
  const bool is_there = is_known && known["begin"].get<int64_t>() <= file.size && known["begin"].get<int64_t>() >= 0;
  if (is_there) {
    begin_ = known["begin"];
    before_ = known["before"];
    std::vector<DeadLetter> kept;
    int64_t found = 0;
    ARROW_RETURN_NOT_OK(KeepLines(std::max<int64_t>(0, counted - before_), &kept, &found));
    const std::lock_guard lock(mutex_);
    for (DeadLetter& letter : kept) Keep(std::move(letter));
    if (before_ + found == counted) return Status::OK();
    before_ = counted - found;  // somebody has taken lines out
    return WriteNote(note_files, note);
  }
  // Another file, or a new one in its place: what the job has set aside before is not in it.
  begin_ = is_known ? 0 : file.size;
  before_ = counted;
  return WriteNote(note_files, note);
}

Status DeadLetters::WriteNote(FileSystem& files, const std::string& note) const {
  return files.WriteDurably(note, Json({{"path", path_}, {"begin", begin_}, {"before", before_}}).dump() + "\n");
}

// Leaves the first `expected` letters of this run in the file, and what is not the job's.
Status DeadLetters::KeepLines(int64_t expected, std::vector<DeadLetter>* kept, int64_t* found) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(path_));
  if (status.kind == FileKind::kMissing || status.size <= begin_) return Status::OK();
  if (status.size > kFileBytesMax) {
    Log(LogLevel::kWarning, "runtime", "{} is too large to be looked at: letters that come again may be in it twice",
        Escaped(path_));
    *found = expected;
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const std::string text, files_.ReadAll(path_, kFileBytesMax));
  std::string left = text.substr(0, static_cast<size_t>(begin_));
  for (size_t at = left.size(); at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    at = end;
    const Json json = Json::parse(line, nullptr, false);
    // The last line of a process that was killed while it wrote.
    if (!line.ends_with('\n')) continue;
    if (!json.is_object() || json.value("job", Json()) != Json(job_)) {
      left += line;
      continue;
    }
    if (*found == expected) continue;
    ++*found;
    left += line;
    const auto field = [&](const char* name) {
      const auto value = json.find(name);
      return value != json.end() && value->is_string() ? value->get<std::string>() : std::string();
    };
    kept->push_back({field("function"), field("input"), field("reason"), field("row")});
  }
  return left == text ? Status::OK() : files_.WriteDurably(path_, left);
}

Status DeadLetters::Append(const std::string& lines) {
  if (path_.empty() || lines.empty()) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto file, files_.Append(path_));
  ARROW_RETURN_NOT_OK(file->Write(lines));
  if (awaits_checkpoints_) {
    ARROW_RETURN_NOT_OK(file->Sync());
    ARROW_RETURN_NOT_OK(files_.SyncFolder(FolderOf(path_)));
  }
  return file->Close();
}

void DeadLetters::Keep(DeadLetter letter) {
  if (kept_.size() < kDeadLettersKept) kept_.push_back(std::move(letter));
}

void DeadLetters::Add(SubtaskId id, DeadLetter letter) {
  const std::lock_guard lock(mutex_);
  if (!awaits_checkpoints_) {
    const Status status = Append(ToLine(letter));
    if (!status.ok()) Log(LogLevel::kError, "runtime", "a dead letter could not be written: {}", status.message());
    ++covered_;
    return Keep(std::move(letter));
  }
  Lane& lane = lanes_[id];
  ++lane.count;
  if (!path_.empty() || lane.letters.size() < kDeadLettersKept) lane.letters.push_back(std::move(letter));
}

int64_t DeadLetters::SetAsideBy(SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto lane = lanes_.find(id);
  return lane == lanes_.end() ? 0 : lane->second.covered + lane->second.count;
}

void DeadLetters::GoBack(SubtaskId id) {
  const std::lock_guard lock(mutex_);
  lanes_.erase(id);
}

void DeadLetters::GoBackAll() {
  const std::lock_guard lock(mutex_);
  lanes_.clear();
}

Result<int64_t> DeadLetters::Write(const std::map<SubtaskId, int64_t>& counts) {
  written_.clear();
  std::string lines;
  int64_t counted = 0;
  {
    const std::lock_guard lock(mutex_);
    counted = covered_;
    for (const auto& [id, count] : counts) {
      const Lane& lane = lanes_[id];
      const int64_t added = std::clamp<int64_t>(count - lane.covered, 0, lane.count);
      if (added == 0) continue;
      written_[id] = added;
      counted += added;
      for (int64_t i = 0; i < std::min<int64_t>(added, static_cast<int64_t>(lane.letters.size())); ++i) {
        lines += ToLine(lane.letters[static_cast<size_t>(i)]);
      }
    }
  }
  if (const Status status = Append(lines); !status.ok()) return WithContext(status, "dead letters");
  return counted;
}

void DeadLetters::Settle(bool is_complete) {
  if (written_.empty()) return;
  int64_t expected = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, added] : written_) {
      if (!is_complete) break;
      Lane& lane = lanes_[id];
      lane.covered += added;
      lane.count -= added;
      covered_ += added;
      for (int64_t i = 0; i < added && !lane.letters.empty(); ++i) {
        Keep(std::move(lane.letters.front()));
        lane.letters.pop_front();
      }
    }
    expected = std::max<int64_t>(0, covered_ - before_);
  }
  written_.clear();
  if (is_complete || path_.empty()) return;
  std::vector<DeadLetter> kept;
  int64_t found = 0;
  const Status status = KeepLines(expected, &kept, &found);
  if (!status.ok()) {
    Log(LogLevel::kWarning, "runtime", "letters of a checkpoint that failed remain and will be in the file twice: {}",
        status.message());
  }
}

int64_t DeadLetters::count() const {
  const std::lock_guard lock(mutex_);
  int64_t count = covered_;
  for (const auto& [id, lane] : lanes_) count += lane.count;
  return count;
}

std::vector<DeadLetter> DeadLetters::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<DeadLetter> letters = kept_;
  for (const auto& [id, lane] : lanes_) {
    for (const DeadLetter& letter : lane.letters) {
      if (letters.size() < kDeadLettersKept) letters.push_back(letter);
    }
  }
  return letters;
}

}  // namespace mainstem::runtime
