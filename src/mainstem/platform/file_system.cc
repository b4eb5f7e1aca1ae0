#include "mainstem/platform/file_system.h"

#include <fmt/format.h>

namespace mainstem {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string JoinPath(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  return folder.back() == '/' ? folder + name : folder + "/" + name;
}

Result<std::string> FileSystem::ReadAll(const std::string& path, int64_t size_max) {
  ARROW_ASSIGN_OR_RAISE(const auto file, Open(path));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, file->Stat());
  if (status.size > size_max) {
    return JobError(fmt::format("'{}' has {} bytes, more than the {} expected", Escaped(path), status.size, size_max));
  }
  std::string content(static_cast<size_t>(status.size), '\0');
  ARROW_ASSIGN_OR_RAISE(const int64_t count, file->ReadAt(0, status.size, content.data()));
  content.resize(static_cast<size_t>(count));
  return content;
}

Status FileSystem::WriteDurably(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  ARROW_RETURN_NOT_OK(Remove(beside));
  ARROW_ASSIGN_OR_RAISE(const auto file, Create(beside));
  ARROW_RETURN_NOT_OK(file->Write(content));
  ARROW_RETURN_NOT_OK(file->Sync());
  ARROW_RETURN_NOT_OK(file->Close());
  ARROW_RETURN_NOT_OK(Rename(beside, path));
  return SyncFolder(FolderOf(path));
}

}  // namespace mainstem
