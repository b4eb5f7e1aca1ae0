// FileLister: the files that paths and patterns name, one at a time, one folder after the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/connectors/files/listing_position.h"

namespace mainstem {

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
  /// a folder that cannot be read are job errors; asked again, it goes on behind what it failed on.
  virtual Result<std::optional<ListedFile>> Next() = 0;
  /// Behind the file that was handed out last.
  virtual ListingPosition Position() const = 0;
};

struct ListingRules {
  bool skip_underscored = false;  ///< leave out names that begin with an underscore below folders (_SUCCESS, _metadata)
  bool may_be_empty = false;      ///< a folder without files and a pattern that matches nothing are no errors
};

/// `from` is where an earlier listing of the same paths stood: what is before is listed again, but not examined.
std::unique_ptr<FileLister> ListFiles(std::vector<std::string> paths, ListingRules rules = {},
                                      ListingPosition from = {});

/// Lists one file, unless it was handed out before.
std::unique_ptr<FileLister> ListOneFile(ListedFile file, const ListingPosition& from);

}  // namespace mainstem
