#include "mainstem/data/file_reference.h"

namespace mainstem {

bool NamesWholeFile(const FileReference& file) {
  return file.offset == 0 && (file.length < 0 || file.version.starts_with(std::to_string(file.length) + "-"));
}

bool IsLocalUri(std::string_view uri) {
  return uri.starts_with("file://") || uri.find("://") == std::string_view::npos;
}

std::string LocalPath(std::string_view uri) {
  if (uri.starts_with("file://")) uri.remove_prefix(7);
  return std::string(uri);
}

}  // namespace mainstem
