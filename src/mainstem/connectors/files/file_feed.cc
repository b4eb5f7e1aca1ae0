#include "mainstem/connectors/files/file_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>
#include <utility>

#include "mainstem/base/log.h"
#include "mainstem/connectors/files/file_lister.h"
#include "mainstem/connectors/files/remote_store.h"
#include "mainstem/connectors/files/seen_files.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {
namespace {

class ListingFeed : public FileFeed {
 public:
  explicit ListingFeed(std::unique_ptr<FileLister> files) : files_(std::move(files)) {}
  Result<std::optional<ListedFile>> Next() override { return files_->Next(); }
  nlohmann::json Position() const override { return ToJson(files_->Position()); }

 private:
  const std::unique_ptr<FileLister> files_;
};

class NewFilesFeed : public FileFeed {
 public:
  NewFilesFeed(std::vector<std::string> paths, int64_t interval_ns, const Clock& clock, SeenFiles seen)
      : paths_(std::move(paths)), interval_ns_(interval_ns), clock_(clock), seen_(std::move(seen)) {}

  Result<std::optional<ListedFile>> Next() override {
    if (found_.empty()) {
      if (due_ns_ && clock_.MonotonicNs() < *due_ns_) return std::nullopt;
      List();
      due_ns_ = clock_.MonotonicNs() + interval_ns_;
      if (found_.empty()) return std::nullopt;
    }
    auto [key, file] = std::move(found_.front());
    found_.pop_front();
    seen_.Add(key);
    return std::move(file);
  }

  int64_t retry_after_ns() const override {
    return std::max<int64_t>(1, due_ns_.value_or(0) - clock_.MonotonicNs());
  }

  nlohmann::json Position() const override { return {{"seen", seen_.ToText()}}; }

 private:
  using Found = std::pair<SeenFiles::Key, ListedFile>;

  void List() {
    std::vector<Found> found;
    std::set<std::string> failures;
    const auto files = ListFiles(paths_, {.may_be_empty = true});
    for (;;) {
      auto file = files->Next();
      if (!file.ok()) {
        failures.insert(file.status().message());
        continue;  // the lister goes on behind it
      }
      if (!*file) break;
      const SeenFiles::Key key = SeenFiles::KeyOf((*file)->uri);
      if (!seen_.Has(key)) found.emplace_back(key, **std::move(file));
    }
    // Two patterns may name one file.
    const auto by_key = [](const Found& a, const Found& b) { return a.first < b.first; };
    const auto same_key = [](const Found& a, const Found& b) { return a.first == b.first; };
    std::stable_sort(found.begin(), found.end(), by_key);
    found.erase(std::unique(found.begin(), found.end(), same_key), found.end());
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
      const int64_t a_ns = a.second.modified_ns.value_or(0), b_ns = b.second.modified_ns.value_or(0);
      return std::tie(a_ns, a.second.uri) < std::tie(b_ns, b.second.uri);
    });
    found_.assign(std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    Warn(std::move(failures));
  }

  // Once for each thing that stays as it is, not with each listing.
  void Warn(std::set<std::string> failures) {
    for (const std::string& failure : failures) {
      if (failures_.contains(failure)) continue;
      Log(LogLevel::kWarning, "connectors", "looking for new files: {}; it is tried again", failure);
    }
    failures_ = std::move(failures);
  }

  const std::vector<std::string> paths_;
  const int64_t interval_ns_;
  const Clock& clock_;
  SeenFiles seen_;
  std::deque<Found> found_;           // not handed out yet
  std::optional<int64_t> due_ns_;     // of the next listing
  std::set<std::string> failures_;    // of the last listing
};

// The folder above the first wildcard, or the path itself.
std::string WithoutPattern(const std::string& path) {
  const size_t wildcard = path.find_first_of("*?[{\\");
  if (wildcard == std::string::npos) return path;
  const size_t slash = path.rfind('/', wildcard);
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(slash, 1));
}

Status CheckIsThere(const std::string& path) {
  if (path.empty()) return JobError("a path is empty; \".\" is the current folder");
  if (path.find('\0') != std::string::npos) return JobError(fmt::format("bad path '{}'", Escaped(path)));
  if (!path.starts_with('/') && !IsLocalUri(path)) return OpenRemote(path).status();
  const std::string local = path.starts_with("file://") ? LocalPath(path) : path;
  FileSystem& files = LocalFileSystem();
  ARROW_ASSIGN_OR_RAISE(const FileStatus whole, files.Stat(local));
  if (whole.kind != FileKind::kMissing) return Status::OK();
  const std::string fixed = WithoutPattern(local);
  ARROW_ASSIGN_OR_RAISE(const FileStatus above, files.Stat(fixed));
  if (above.kind != FileKind::kMissing) return Status::OK();
  return JobError(fmt::format("there is no '{}' in which new files could appear; make the folder first",
                              Escaped(fixed, 1000)));
}

}  // namespace

Result<std::unique_ptr<FileFeed>> FeedListing(const std::vector<std::string>& paths, const StatedPosition* position) {
  ListingPosition from;
  if (position) {
    ARROW_ASSIGN_OR_RAISE(from, ParseListingPosition(*position, paths.size()));
  }
  return std::make_unique<ListingFeed>(ListFiles(paths, {}, std::move(from)));
}

Result<std::unique_ptr<FileFeed>> FeedNewFiles(const std::vector<std::string>& paths, int64_t interval_ns,
                                               const Clock& clock, const StatedPosition* position) {
  SeenFiles seen;
  if (position) {
    ARROW_ASSIGN_OR_RAISE(const std::string text, position->Text("seen"));
    auto parsed = SeenFiles::Parse(text);
    if (!parsed.ok()) return position->Bad(parsed.status().message());
    seen = *std::move(parsed);
  } else {
    for (const std::string& path : paths) ARROW_RETURN_NOT_OK(CheckIsThere(path));
  }
  return std::make_unique<NewFilesFeed>(paths, interval_ns, clock, std::move(seen));
}

}  // namespace mainstem
