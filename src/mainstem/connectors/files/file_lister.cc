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

// A url of http(s), as it was given.
class UrlLister : public FileLister {
 public:
  explicit UrlLister(std::string url) : url_(std::move(url)) {}
  Result<std::optional<ListedFile>> Next() override {
    if (url_.empty()) return std::nullopt;
    return ListedFile{.uri = std::exchange(url_, {})};
  }

 private:
  std::string url_;
};

class PathsLister : public FileLister {
 public:
  PathsLister(std::vector<std::string> paths, bool skip_underscored)
      : paths_(std::move(paths)), skip_underscored_(skip_underscored) {}

  Result<std::optional<ListedFile>> Next() override {
    for (;;) {
      if (!current_) {
        if (next_ == paths_.size()) return std::nullopt;
        ARROW_ASSIGN_OR_RAISE(current_, Open(paths_[next_++]));
        found_ = false;
      }
      ARROW_ASSIGN_OR_RAISE(auto file, current_->Next());
      if (file) {
        found_ = true;
        return file;
      }
      current_.reset();
      if (!found_ && HasWildcards(paths_[next_ - 1])) {
        return JobError(fmt::format("no file matches '{}'", Escaped(paths_[next_ - 1], 1000)));
      }
      if (!found_) {
        return JobError(fmt::format("there is no file below '{}' (hidden ones are not counted)",
                                    Escaped(paths_[next_ - 1], 1000)));
      }
    }
  }

 private:
  Result<std::unique_ptr<FileLister>> Open(const std::string& path) const {
    if (path.empty()) return JobError("a path is empty; \".\" is the current folder");
    if (path.find('\0') != std::string::npos) return JobError(fmt::format("bad path '{}'", Escaped(path)));
    if (path.starts_with("http://") || path.starts_with("https://")) return std::make_unique<UrlLister>(path);
    if (path.starts_with('/') || IsLocalUri(path)) {
      return OpenLocalLister(path.starts_with("file://") ? LocalPath(path) : path, skip_underscored_,
                             LocalFileSystem());
    }
    return OpenRemoteLister(path, skip_underscored_);
  }

  const std::vector<std::string> paths_;
  const bool skip_underscored_;
  size_t next_ = 0;
  std::unique_ptr<FileLister> current_;
  bool found_ = false;
};

}  // namespace

std::string ListedFile::Version() const {
  return size && modified_ns ? fmt::format("{}-{}", *size, *modified_ns) : "";
}

std::unique_ptr<FileLister> ListFiles(std::vector<std::string> paths, bool skip_underscored) {
  return std::make_unique<PathsLister>(std::move(paths), skip_underscored);
}

}  // namespace mainstem
