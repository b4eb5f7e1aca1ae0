#include "mainstem/connectors/files/file_lister.h"

#include <fmt/format.h>

#include <utility>

#include "mainstem/connectors/files/local_lister.h"
#include "mainstem/connectors/files/path_pattern.h"
#include "mainstem/connectors/files/remote_lister.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {
namespace {

class OneFileLister : public FileLister {
 public:
  OneFileLister(ListedFile file, bool done) : file_(std::move(file)), done_(done) {}

  Result<std::optional<ListedFile>> Next() override {
    if (std::exchange(done_, true)) return std::nullopt;
    return file_;
  }

  ListingPosition Position() const override {
    if (!done_) return {};
    return {.after = file_.uri};
  }

 private:
  const ListedFile file_;
  bool done_;
};

class PathsLister : public FileLister {
 public:
  PathsLister(std::vector<std::string> paths, ListingRules rules, ListingPosition from)
      : paths_(std::move(paths)), rules_(rules), from_(std::move(from)), next_(static_cast<size_t>(from_.path)) {}

  Result<std::optional<ListedFile>> Next() override {
    for (;;) {
      if (!current_) {
        if (next_ >= paths_.size()) return std::nullopt;
        found_ = from_.is_inside();
        const ListingPosition from = std::exchange(from_, {});
        ARROW_ASSIGN_OR_RAISE(current_, Open(paths_[next_++], from));
      }
      ARROW_ASSIGN_OR_RAISE(auto file, current_->Next());
      if (file) {
        found_ = true;
        return file;
      }
      current_.reset();
      if (!found_ && !rules_.may_be_empty) return FoundNothing(paths_[next_ - 1]);
    }
  }

  ListingPosition Position() const override {
    ListingPosition position = current_ ? current_->Position() : from_;
    position.path = static_cast<int64_t>(current_ ? next_ - 1 : next_);
    return position;
  }

 private:
  Result<std::unique_ptr<FileLister>> Open(const std::string& path, const ListingPosition& from) const {
    if (path.empty()) return JobError("a path is empty; \".\" is the current folder");
    if (path.find('\0') != std::string::npos) return JobError(fmt::format("bad path '{}'", Escaped(path)));
    if (path.starts_with("http://") || path.starts_with("https://")) return ListOneFile({.uri = path}, from);
    if (path.starts_with('/') || IsLocalUri(path)) {
      return OpenLocalLister(path.starts_with("file://") ? LocalPath(path) : path, rules_.skip_underscored,
                             LocalFileSystem(), from);
    }
    return OpenRemoteLister(path, rules_.skip_underscored, from);
  }

  static Status FoundNothing(const std::string& path) {
    if (HasWildcards(path)) return JobError(fmt::format("no file matches '{}'", Escaped(path, 1000)));
    return JobError(fmt::format("there is no file below '{}' (hidden ones are not counted)", Escaped(path, 1000)));
  }

  const std::vector<std::string> paths_;
  const ListingRules rules_;
  ListingPosition from_;  // until the first path is opened
  size_t next_;
  std::unique_ptr<FileLister> current_;
  bool found_ = false;
};

}  // namespace

std::unique_ptr<FileLister> ListFiles(std::vector<std::string> paths, ListingRules rules, ListingPosition from) {
  return std::make_unique<PathsLister>(std::move(paths), rules, std::move(from));
}

std::unique_ptr<FileLister> ListOneFile(ListedFile file, const ListingPosition& from) {
  return std::make_unique<OneFileLister>(std::move(file), /*done=*/from.is_inside());
}

}  // namespace mainstem
