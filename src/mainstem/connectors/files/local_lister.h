// Local lister: walks folders of this machine along a pattern.
#pragma once

#include <memory>
#include <string>

#include "mainstem/connectors/files/file_lister.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {

/// Lists the files that a path or pattern names. A name that exists as it is written wins over its meaning as a
/// pattern. Goes on behind `from`; a job error where that is not below the path.
Result<std::unique_ptr<FileLister>> OpenLocalLister(const std::string& path, bool skip_underscored,
                                                    FileSystem& files, const ListingPosition& from);

}  // namespace mainstem
