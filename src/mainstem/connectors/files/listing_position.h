// Listing position: where a listing of files goes on, and listed files as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "mainstem/base/error.h"
#include "mainstem/connectors/position.h"

namespace mainstem {

/// A file that was listed.
struct ListedFile {
  std::string uri;                     ///< an absolute path, or a uri of another store
  std::optional<int64_t> size;         ///< not known of http(s)
  std::optional<int64_t> modified_ns;  ///< since 1970-01-01T00:00:00Z

  /// "size-mtime_ns", or empty where either is unknown.
  std::string Version() const;
};

/// Strictly behind the files that were handed out: of the path that is being listed, those up to `after`; where a store
/// lists in an order that is not that of the names, the first `passed` ones.
struct ListingPosition {
  int64_t path = 0;
  std::string after;
  int64_t passed = 0;

  bool is_inside() const { return !after.empty() || passed > 0; }  ///< files of the path have been handed out
};

nlohmann::json ToJson(const ListingPosition& position);
/// `paths` is how many paths are listed.
Result<ListingPosition> ParseListingPosition(const StatedPosition& stated, size_t paths);

/// Members uri, size and modified_ns, as splits have them: bytes of a name that are not UTF-8 are to be replaced by
/// whoever writes the text; such a file is then found missing, by name, when it is read.
nlohmann::json ToJson(const ListedFile& file);
Result<ListedFile> ParseListedFile(const StatedPosition& stated);

/// The same, exact for any name.
nlohmann::json ToPositionJson(const ListedFile& file);
Result<ListedFile> ParsePositionFile(const StatedPosition& stated);

}  // namespace mainstem
