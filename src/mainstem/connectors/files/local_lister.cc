#include "mainstem/connectors/files/local_lister.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

#include "mainstem/base/log.h"
#include "mainstem/connectors/files/path_pattern.h"

namespace mainstem {
namespace {

using Kind = PatternSegment::Kind;

// Where a walk stands in one of its patterns: the segments before `segment` have been matched.
struct State {
  size_t pattern;
  size_t segment;
  bool operator==(const State&) const = default;
};

// A folder being walked through: what is left of its names, and the states that hold inside it.
struct Frame {
  std::string folder;
  std::vector<FolderEntry> entries;
  size_t next = 0;
  std::vector<State> states;
  // The folder is one that the last file of an earlier walk was below: which of that file's names comes next.
  std::optional<size_t> resumes_at = std::nullopt;
};

std::vector<std::string> NamesOf(std::string_view path) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    names.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// Walks once for all alternatives of a pattern, like an automaton that reads names instead of characters.
class LocalLister : public FileLister {
 public:
  LocalLister(std::vector<PathPattern> patterns, bool skip_underscored, FileSystem& files)
      : patterns_(std::move(patterns)), skip_underscored_(skip_underscored), files_(files) {}

  Status Start(std::string root, const ListingPosition& from) {
    if (from.is_inside()) {
      const std::string above = root.ends_with('/') ? root : root + "/";
      if (!from.after.starts_with(above)) {
        return JobError(fmt::format("the files up to '{}' were read before, but that is not below '{}'",
                                    Escaped(from.after, 1000), Escaped(root, 1000)));
      }
      resumed_names_ = NamesOf(std::string_view(from.after).substr(above.size()));
      last_ = from.after;
    }
    Frame frame{.folder = std::move(root)};
    if (from.is_inside()) frame.resumes_at = 0;
    for (size_t i = 0; i < patterns_.size(); ++i) frame.states.push_back({i, 0});
    return Enter(std::move(frame));
  }

  Result<std::optional<ListedFile>> Next() override {
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.next == frame.entries.size()) {
        frames_.pop_back();
        continue;
      }
      const FolderEntry entry = frame.entries[frame.next++];
      ARROW_ASSIGN_OR_RAISE(auto file, Visit(entry));
      if (!file) continue;
      last_ = file->uri;
      return file;
    }
    return std::nullopt;
  }

  ListingPosition Position() const override { return {.after = last_}; }

 private:
  const PatternSegment& SegmentOf(State state) const { return patterns_[state.pattern].segments[state.segment]; }
  bool IsEnd(State state) const { return state.segment == patterns_[state.pattern].segments.size(); }
  bool IsLast(State state) const { return state.segment + 1 == patterns_[state.pattern].segments.size(); }

  static void AddState(std::vector<State>* states, State state) {
    if (std::find(states->begin(), states->end(), state) == states->end()) states->push_back(state);
  }

  // `**` also stands for no folder at all.
  void AddClosure(std::vector<State>* states, State state) const {
    AddState(states, state);
    if (!IsEnd(state) && SegmentOf(state).kind == Kind::kAnyFolders && !IsLast(state)) {
      AddState(states, {state.pattern, state.segment + 1});
    }
  }

  bool Named(const PatternSegment& segment, const std::string& name) const {
    if (segment.kind == Kind::kAnyFolders && skip_underscored_ && name.starts_with('_')) return false;
    return segment.Matches(name);
  }

  // Lists the folder, unless all that is looked for in it has a known name: what is above the first wildcard need
  // not be readable.
  Status Enter(Frame frame) {
    std::vector<State> states;
    for (const State state : frame.states) AddClosure(&states, state);
    frame.states = std::move(states);
    const bool all_known = std::all_of(frame.states.begin(), frame.states.end(), [&](State state) {
      return SegmentOf(state).kind == Kind::kLiteral;
    });
    if (all_known) {
      for (const State state : frame.states) {
        frame.entries.push_back({SegmentOf(state).text, FileKind::kLink});  // kLink: ask what it is
      }
    } else {
      auto listed = files_.List(frame.folder);
      if (!listed.ok()) {
        // Removed while we walked: as if it had never been there.
        ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(frame.folder));
        if (status.kind != FileKind::kFolder) return Status::OK();
        return listed.status();
      }
      frame.entries = std::move(*listed);
    }
    const auto by_name = [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; };
    const auto same_name = [](const FolderEntry& a, const FolderEntry& b) { return a.name == b.name; };
    std::sort(frame.entries.begin(), frame.entries.end(), by_name);
    frame.entries.erase(std::unique(frame.entries.begin(), frame.entries.end(), same_name), frame.entries.end());
    if (frame.resumes_at) {
      const FolderEntry first{.name = resumed_names_[*frame.resumes_at]};
      const auto found = std::lower_bound(frame.entries.begin(), frame.entries.end(), first, by_name);
      frame.next = static_cast<size_t>(found - frame.entries.begin());
    }
    frames_.push_back(std::move(frame));
    return Status::OK();
  }

  Result<std::optional<ListedFile>> Visit(const FolderEntry& entry) {
    const Frame& frame = frames_.back();
    bool ends_here = false;
    bool through_name = false;      // a name or wildcard leads below, which follows links; `**` does not
    std::vector<State> below;
    std::vector<State> below_link;
    for (const State state : frame.states) {
      const PatternSegment& segment = SegmentOf(state);
      if (!Named(segment, entry.name)) continue;
      ends_here |= IsLast(state);
      if (segment.kind == Kind::kAnyFolders) {
        AddState(&below, state);
      } else if (!IsLast(state)) {
        through_name = true;
        AddState(&below, {state.pattern, state.segment + 1});
        AddState(&below_link, {state.pattern, state.segment + 1});
      }
    }
    if (!ends_here && below.empty()) return std::nullopt;
    if (entry.kind == FileKind::kOther) return std::nullopt;
    const std::string path = JoinPath(frame.folder, entry.name);
    const bool resumed = frame.resumes_at && entry.name == resumed_names_[*frame.resumes_at];
    std::optional<size_t> resumes_at;
    if (resumed && *frame.resumes_at + 1 < resumed_names_.size()) resumes_at = *frame.resumes_at + 1;

    FileStatus status{.kind = entry.kind};
    if (entry.kind == FileKind::kLink || (entry.kind == FileKind::kFile && ends_here)) {
      ARROW_ASSIGN_OR_RAISE(status, files_.Stat(path));
    }
    if (status.kind == FileKind::kFolder) {
      const bool is_link = entry.kind == FileKind::kLink && !through_name;
      if (!is_link && !below.empty()) {
        ARROW_RETURN_NOT_OK(Enter({.folder = path,
                                   .states = entry.kind == FileKind::kLink ? below_link : below,
                                   .resumes_at = resumes_at}));
      }
      return std::nullopt;
    }
    if (status.kind == FileKind::kMissing && ends_here && entry.kind == FileKind::kLink) {
      Log(LogLevel::kWarning, "connectors", "skipped '{}': its link leads nowhere", Escaped(path));
    }
    if (status.kind != FileKind::kFile || !ends_here || resumed) return std::nullopt;
    return ListedFile{.uri = path, .size = status.size, .modified_ns = status.modified_ns};
  }

  const std::vector<PathPattern> patterns_;
  const bool skip_underscored_;
  FileSystem& files_;
  std::vector<Frame> frames_;
  std::vector<std::string> resumed_names_;  // of the last file of an earlier walk, from the root of the walk
  std::string last_;
};

Result<std::string> CurrentFolder() {
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  if (error) return JobError(fmt::format("cannot tell the current folder: {}", error.message()));
  return folder.string();
}

}  // namespace

Result<std::unique_ptr<FileLister>> OpenLocalLister(const std::string& path, bool skip_underscored,
                                                    FileSystem& files, const ListingPosition& from) {
  std::string root = "/";
  if (!path.starts_with('/')) {
    ARROW_ASSIGN_OR_RAISE(root, CurrentFolder());
  }
  const std::string full = path.starts_with('/') ? path : JoinPath(root, path);
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(full));
  std::vector<PathPattern> patterns;
  if (status.kind == FileKind::kFile) {
    const std::string normal = std::filesystem::path(full).lexically_normal().string();
    return ListOneFile({.uri = normal, .size = status.size, .modified_ns = status.modified_ns}, from);
  }
  if (status.kind == FileKind::kFolder) {
    root = std::filesystem::path(full).lexically_normal().string();
    if (root.size() > 1 && root.back() == '/') root.pop_back();
    patterns.push_back({.absolute = true, .segments = {{Kind::kAnyFolders, "**"}}});
  } else if (!HasWildcards(path)) {
    if (status.kind == FileKind::kMissing) return JobError(fmt::format("there is no '{}'", Escaped(full, 1000)));
    return JobError(fmt::format("'{}' is neither a file nor a folder", Escaped(full, 1000)));
  } else {
    ARROW_ASSIGN_OR_RAISE(patterns, ParsePathPatterns(path));
  }
  // A pattern whose last name is a folder's means what is below it, as a path does.
  for (PathPattern& pattern : patterns) {
    if (pattern.has_wildcards()) continue;
    std::string literal = root;
    for (const PatternSegment& segment : pattern.segments) literal = JoinPath(literal, segment.text);
    ARROW_ASSIGN_OR_RAISE(const FileStatus named, files.Stat(literal));
    if (named.kind == FileKind::kMissing) return JobError(fmt::format("there is no '{}'", Escaped(literal, 1000)));
    if (named.kind == FileKind::kFolder) pattern.segments.push_back({Kind::kAnyFolders, "**"});
  }
  auto lister = std::make_unique<LocalLister>(std::move(patterns), skip_underscored, files);
  ARROW_RETURN_NOT_OK(lister->Start(root, from));
  return lister;
}

}  // namespace mainstem
