#include "mainstem/media/video/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <sstream>

namespace mainstem::video {
namespace {

constexpr char kAdvice[] =
    "Video functions need FFmpeg's libraries: 'apt-get install libavformat59 libavcodec59 libswscale6' (Debian 12), "
    "and Mainstem's plug-in libmainstem_ffmpeg.so, which is built where 'libavformat-dev libavcodec-dev "
    "libswscale-dev' are installed. Name its folder in MAINSTEM_PLUGIN_PATH if it lies elsewhere.";

std::string OwnFolder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&OwnFolder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failure;
  const std::filesystem::path path = std::filesystem::canonical(info.dli_fname, failure);
  // A program started by a bare name is not found that way.
  if (failure) return std::filesystem::read_symlink("/proc/self/exe", failure).parent_path().string();
  return path.parent_path().string();
}

}  // namespace

std::vector<std::string> DecoderPlaces() {
  std::vector<std::filesystem::path> folders;
  if (const char* variable = std::getenv("MAINSTEM_PLUGIN_PATH")) {
    std::istringstream parts(variable);
    for (std::string part; std::getline(parts, part, ':');) {
      if (!part.empty()) folders.emplace_back(part);
    }
  }
  if (const std::filesystem::path own = OwnFolder(); !own.empty()) {
    folders.push_back(own);
    folders.push_back(own / "plugins");
    folders.push_back(own.parent_path() / "plugins");
  }
#ifdef MAINSTEM_BUILD_PLUGIN_FOLDER
  folders.emplace_back(MAINSTEM_BUILD_PLUGIN_FOLDER);  // programs of the build tree
#endif
  std::vector<std::string> files;
  for (const auto& folder : folders) {
    files.push_back(folder.extension() == ".so" ? folder.string() : (folder / kDecoderFileName).string());
  }
  return files;
}

Result<const DecoderPlugin*> LoadDecoderFrom(std::span<const std::string> files) {
  std::string reasons;
  for (const std::string& file : files) {
    std::error_code failure;
    if (!std::filesystem::exists(file, failure)) continue;
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      reasons += fmt::format(" '{}' cannot be loaded: {}.", Escaped(file), Escaped(dlerror()));
      continue;
    }
    const auto entry = reinterpret_cast<DecoderEntryPoint>(dlsym(library, kDecoderEntryPoint));
    if (entry == nullptr) {
      reasons += fmt::format(" '{}' is not a plug-in of Mainstem.", Escaped(file));
      dlclose(library);
      continue;
    }
    const DecoderPlugin* plugin = entry();
    if (plugin == nullptr || plugin->version != kDecoderInterfaceVersion) {
      reasons += fmt::format(" '{}' has interface version {}, and {} is needed: build it again.", Escaped(file),
                             plugin == nullptr ? 0 : plugin->version, kDecoderInterfaceVersion);
      dlclose(library);
      continue;
    }
    return plugin;
  }
  return JobError(fmt::format("there is no video decoder.{} {}", reasons, kAdvice));
}

Result<const DecoderPlugin*> LoadDecoder() {
  // A loaded library is a fact of the process, so it is remembered for the process. Failure is not, so that
  // setting MAINSTEM_PLUGIN_PATH helps without a restart.
  static std::mutex mutex;
  static const DecoderPlugin* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    ARROW_ASSIGN_OR_RAISE(loaded, LoadDecoderFrom(DecoderPlaces()));
  }
  return loaded;
}

}  // namespace mainstem::video
