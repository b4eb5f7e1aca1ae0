// FileReference: names bytes that can be fetched again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mainstem/data/bytes.h"

namespace mainstem {

/// A reference to a file or a part of one; it is never fetched before it is needed.
struct FileReference {
  std::string uri;          ///< a local path, file://, http(s):// or s3://
  int64_t offset = 0;       ///< first byte
  int64_t length = -1;      ///< bytes, or -1 for all that follow
  std::string version;      ///< entity tag, or "size-mtime_ns" of a local file; empty where unknown
  std::optional<Bytes> data;  ///< the bytes themselves where they have been fetched
};

/// Says whether the reference names a whole file: it has no offset, and no length but the one that its version states.
bool NamesWholeFile(const FileReference& file);

/// Says whether the uri names a file of this machine's file system (a path or file://).
bool IsLocalUri(std::string_view uri);
/// Returns the path of a local uri.
std::string LocalPath(std::string_view uri);

}  // namespace mainstem
