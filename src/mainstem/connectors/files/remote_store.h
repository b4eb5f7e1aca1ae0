// Remote store: Arrow's file system behind an s3:// uri (or any other that Arrow knows).
#pragma once

#include <arrow/filesystem/type_fwd.h>

#include <memory>
#include <string>

#include "mainstem/base/error.h"

namespace mainstem {

/// A store and a path in it.
struct RemotePath {
  std::shared_ptr<arrow::fs::FileSystem> store;
  std::string path;     ///< "bucket/key"
  std::string scheme;   ///< "s3"
};

/// Opens the store of a uri. Region, endpoint and credentials come from the environment (AWS_REGION,
/// AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …) or from the uri's own parameters (`?region=`, `&endpoint_override=`,
/// `&scheme=http`). Stores are kept for the life of the process and shared. Thread-safe. Wildcards in the key are
/// left as they are.
Result<RemotePath> OpenRemote(const std::string& uri);

}  // namespace mainstem
