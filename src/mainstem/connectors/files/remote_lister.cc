#include "mainstem/connectors/files/remote_lister.h"

#include <arrow/filesystem/filesystem.h>
#include <arrow/util/async_generator.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/connectors/files/path_pattern.h"
#include "mainstem/connectors/files/remote_store.h"

namespace mainstem {
namespace {

using Kind = PatternSegment::Kind;

std::vector<std::string> SplitPath(const std::string& path) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) names.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

ListedFile FromInfo(const arrow::fs::FileInfo& info, const std::string& scheme) {
  ListedFile file{.uri = scheme + "://" + info.path()};
  if (info.size() != arrow::fs::kNoSize) file.size = info.size();
  if (info.mtime() != arrow::fs::kNoTime) file.modified_ns = info.mtime().time_since_epoch().count();
  return file;
}

class RemoteLister : public FileLister {
 public:
  RemoteLister(arrow::fs::FileInfoGenerator pages, std::vector<PathPattern> patterns, std::string scheme,
               bool skip_underscored, ListingPosition from)
      : pages_(std::move(pages)),
        patterns_(std::move(patterns)),
        scheme_(std::move(scheme)),
        skip_underscored_(skip_underscored),
        from_(std::move(from)),
        last_(from_.after),
        is_in_order_(from_.passed == 0) {}

  Result<std::optional<ListedFile>> Next() override {
    while (!ended_) {
      while (next_ < page_.size()) {
        const arrow::fs::FileInfo& info = page_[next_++];
        if (info.type() != arrow::fs::FileType::File || !Matches(info.path())) continue;
        ListedFile file = FromInfo(info, scheme_);
        ++listed_;
        if (WasHandedOut(file.uri)) continue;
        // Most stores list in the order of the names. Behind a file that comes too late only counting helps.
        is_in_order_ &= last_ < file.uri;
        last_ = file.uri;
        return file;
      }
      auto page = pages_().result();
      if (!page.ok()) {
        ended_ = true;
        return JobError(fmt::format("cannot list the store: {}", page.status().message()));
      }
      ended_ = arrow::IsIterationEnd(*page);
      if (ended_) break;
      page_ = std::move(*page);
      next_ = 0;
      std::sort(page_.begin(), page_.end(), [](const auto& a, const auto& b) { return a.path() < b.path(); });
    }
    return std::nullopt;
  }

  ListingPosition Position() const override {
    if (is_in_order_) return {.after = last_};
    return {.passed = std::max(listed_, from_.passed)};
  }

 private:
  // Up to the file that was handed out last the listing is in order: what is not, or is behind that file, is new.
  bool WasHandedOut(const std::string& uri) {
    if (listed_ <= from_.passed) return true;
    const bool is_before = !from_.after.empty() && uri <= from_.after && passed_over_ < uri;
    passed_over_ = uri;
    if (!is_before || uri == from_.after) from_.after.clear();
    return is_before;
  }

  bool Matches(const std::string& path) const {
    const auto names = SplitPath(path);
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const PathPattern& pattern) { return MatchesOne(pattern.segments, names); });
  }

  // reached[s]: the names so far can have matched the first s segments.
  bool MatchesOne(const std::vector<PatternSegment>& segments, const std::vector<std::string>& names) const {
    std::vector<char> reached(segments.size() + 1, 0);
    reached[0] = 1;
    for (size_t n = 0; n < names.size(); ++n) {
      const bool last = n + 1 == names.size();
      std::vector<char> next(segments.size() + 1, 0);
      for (size_t s = 0; s < segments.size(); ++s) {
        if (!reached[s]) continue;
        const bool any = segments[s].kind == Kind::kAnyFolders;
        if (any && s + 1 < segments.size()) reached[s + 1] = 1;
        if (!segments[s].Matches(names[n]) || (any && skip_underscored_ && names[n].starts_with('_'))) continue;
        if (any) next[s] = 1;
        if (!any || (last && s + 1 == segments.size())) next[s + 1] = 1;
      }
      reached = std::move(next);
    }
    return reached[segments.size()];
  }

  arrow::fs::FileInfoGenerator pages_;
  const std::vector<PathPattern> patterns_;
  const std::string scheme_;
  const bool skip_underscored_;
  ListingPosition from_;  // `after` until it is reached
  std::string passed_over_;
  std::string last_;    // handed out
  bool is_in_order_;
  int64_t listed_ = 0;  // files that matched, handed out now or before
  bool ended_ = false;
  std::vector<arrow::fs::FileInfo> page_;
  size_t next_ = 0;
};

}  // namespace

Result<std::unique_ptr<FileLister>> OpenRemoteLister(const std::string& uri, bool skip_underscored,
                                                     const ListingPosition& from) {
  ARROW_ASSIGN_OR_RAISE(const RemotePath remote, OpenRemote(uri));
  std::string folder = remote.path;
  while (folder.ends_with('/')) folder.pop_back();
  std::vector<PathPattern> patterns;
  if (!HasWildcards(remote.path)) {
    auto info = remote.store->GetFileInfo(folder);
    if (!info.ok()) return JobError(fmt::format("cannot examine '{}': {}", Escaped(uri), info.status().message()));
    if (info->type() == arrow::fs::FileType::File) {
      return ListOneFile(FromInfo(*info, remote.scheme), from);
    }
    if (info->type() == arrow::fs::FileType::NotFound) return JobError(fmt::format("there is no '{}'", Escaped(uri)));
    PathPattern pattern;
    for (std::string& name : SplitPath(folder)) pattern.segments.push_back({Kind::kLiteral, std::move(name)});
    pattern.segments.push_back({Kind::kAnyFolders, "**"});
    patterns.push_back(std::move(pattern));
  } else {
    ARROW_ASSIGN_OR_RAISE(patterns, ParsePathPatterns(remote.path));
    const size_t wildcard = folder.find_first_of("*?[{\\");
    const size_t slash = folder.rfind('/', wildcard);
    if (slash == std::string::npos) {
      return JobError(fmt::format("'{}': the bucket's name cannot be a pattern", Escaped(uri)));
    }
    folder.resize(slash);
  }
  arrow::fs::FileSelector selector;
  selector.base_dir = folder;
  selector.recursive = true;
  selector.allow_not_found = true;
  return ListPages(remote.store->GetFileInfoGenerator(selector), std::move(patterns), remote.scheme, skip_underscored,
                   from);
}

std::unique_ptr<FileLister> ListPages(arrow::fs::FileInfoGenerator pages, std::vector<PathPattern> patterns,
                                      std::string scheme, bool skip_underscored, ListingPosition from) {
  return std::make_unique<RemoteLister>(std::move(pages), std::move(patterns), std::move(scheme), skip_underscored,
                                        std::move(from));
}

}  // namespace mainstem
