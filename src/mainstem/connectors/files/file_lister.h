// FileLister: the files that paths and patterns name, one at a time, one folder after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// A file that was listed.
struct ListedFile {
  std::string uri;                     ///< an absolute path, or a uri of another store
  std::optional<int64_t> size;         ///< not known of http(s)
  std::optional<int64_t> modified_ns;  ///< since 1970-01-01T00:00:00Z

  /// "size-mtime_ns", or empty where either is unknown.
  std::string Version() const;
};

/// Lists files. One thread at a time. Holds the names of the folders it is in, nothing more.
///
/// A path may be a file, a folder (everything below it), a pattern, a file:// or s3:// uri of these, or an
/// http(s):// url, which is taken as it is. Files come in the order of the paths and, below each, folder by folder
/// in the order of their names. Hidden files are listed only where the pattern names them; links to folders are
/// followed where the pattern has a name or wildcard for them, but not by `**` or below a folder, as in bash.
class FileLister {
 public:
  virtual ~FileLister() = default;
  /// Returns the next file, or nothing at the end. A path that does not exist, a pattern that matches nothing and
  /// a folder that cannot be read are job errors.
  virtual Result<std::optional<ListedFile>> Next() = 0;
};

/// `skip_underscored` leaves out names that begin with an underscore below folders (_SUCCESS, _metadata).
std::unique_ptr<FileLister> ListFiles(std::vector<std::string> paths, bool skip_underscored = false);

}  // namespace mainstem
