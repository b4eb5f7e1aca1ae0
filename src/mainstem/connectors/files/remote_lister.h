// Remote lister: the objects of an s3:// uri or pattern, page by page.
#pragma once

#include <arrow/filesystem/filesystem.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/files/file_lister.h"
#include "mainstem/connectors/files/path_pattern.h"

namespace mainstem {

/// Lists what is below the part of the uri before its first wildcard and keeps what matches, in the order of the
/// store's pages.
Result<std::unique_ptr<FileLister>> OpenRemoteLister(const std::string& uri, bool skip_underscored,
                                                     const ListingPosition& from);

/// Lists the files of a store's pages that match. The pages' order is the store's; where it turns out not to be that of
/// the names, positions count.
std::unique_ptr<FileLister> ListPages(arrow::fs::FileInfoGenerator pages, std::vector<PathPattern> patterns,
                                      std::string scheme, bool skip_underscored, ListingPosition from);

}  // namespace mainstem
