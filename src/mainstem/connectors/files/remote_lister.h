// Remote lister: the objects of an s3:// uri or pattern, page by page.
#pragma once

#include <memory>
#include <string>

#include "mainstem/connectors/files/file_lister.h"

namespace mainstem {

/// Lists what is below the part of the uri before its first wildcard and keeps what matches, in the order of the
/// store's pages.
Result<std::unique_ptr<FileLister>> OpenRemoteLister(const std::string& uri, bool skip_underscored,
                                                     const ListingPosition& from);

}  // namespace mainstem
