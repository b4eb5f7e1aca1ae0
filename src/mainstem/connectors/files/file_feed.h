// FileFeed: the files that a files source hands out, whether its paths are listed once or again and again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/files/listing_position.h"
#include "mainstem/platform/clock.h"

namespace mainstem {

/// One thread at a time.
class FileFeed {
 public:
  virtual ~FileFeed() = default;
  /// Returns the next file, or nothing: at the end, or for now.
  virtual Result<std::optional<ListedFile>> Next() = 0;
  /// After Next returned nothing: 0 = at the end.
  virtual int64_t retry_after_ns() const { return 0; }
  virtual nlohmann::json Position() const = 0;
};

/// Lists once, in the order of FileLister. `position` is null for the beginning.
Result<std::unique_ptr<FileFeed>> FeedListing(const std::vector<std::string>& paths, const StatedPosition* position);

/// Lists again `interval_ns` after each listing, without end, and hands out every path once, as soon as it is seen;
/// what was found together in the order of (modified, uri). A file that changes later is not handed out again.
///
/// A folder that cannot be read, or is gone, is warned of and looked for again; one that is not there in the beginning
/// is a job error (what is below a bucket comes and goes with its objects, so there it is not). What was handed out
/// costs 16 bytes a file for good, and 22 in a position; what was found and not yet handed out is held whole, and found
/// again after a restart.
Result<std::unique_ptr<FileFeed>> FeedNewFiles(const std::vector<std::string>& paths, int64_t interval_ns,
                                               const Clock& clock, const StatedPosition* position);

}  // namespace mainstem
