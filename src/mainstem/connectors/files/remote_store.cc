#include "mainstem/connectors/files/remote_store.h"

#include <arrow/filesystem/filesystem.h>
#include <arrow/util/config.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "mainstem/platform/file_system.h"

namespace mainstem {
namespace {

// Arrow's S3 client lives in a library of its own beside libarrow; loading it registers the scheme.
Status LoadS3() {
  static const Status status = [] {
    Dl_info info;
    if (dladdr(reinterpret_cast<const void*>(&arrow::fs::LoadFileSystemFactories), &info) == 0 || !info.dli_fname) {
      return JobError("cannot tell where libarrow lies, so its S3 library cannot be found");
    }
    const std::string library =
        JoinPath(FolderOf(info.dli_fname), "libarrow_s3.so." + std::string(ARROW_SO_VERSION));
    const Status loaded = arrow::fs::LoadFileSystemFactories(library.c_str());
    return loaded.ok() ? loaded : JobError(fmt::format("cannot load Arrow's S3 library: {}", loaded.message()));
  }();
  return status;
}

// Splits "s3://bucket/key?region=x" into what names the store, and "bucket/key".
Status SplitUri(const std::string& uri, std::string* scheme, std::string* path, std::string* parameters) {
  const size_t colon = uri.find("://");
  *scheme = uri.substr(0, colon);
  *path = uri.substr(colon + 3);
  // '?' is a wildcard too: parameters are only what follows a '?' that an '=' follows.
  const size_t question = path->rfind('?');
  if (question != std::string::npos && path->find('=', question) != std::string::npos) {
    *parameters = path->substr(question);
    path->resize(question);
  }
  if (path->empty() || path->front() == '/') return JobError(fmt::format("'{}' names no bucket", Escaped(uri)));
  return Status::OK();
}

// Arrow takes an endpoint from the uri only; the AWS tools take it from the environment.
void AddEndpoint(std::string* parameters) {
  if (parameters->find("endpoint_override=") != std::string::npos) return;
  const char* endpoint = std::getenv("AWS_ENDPOINT_URL_S3");
  if (!endpoint) endpoint = std::getenv("AWS_ENDPOINT_URL");
  if (!endpoint) return;
  std::string_view host = endpoint;
  std::string_view scheme = "https";
  if (const size_t colon = host.find("://"); colon != std::string_view::npos) {
    scheme = host.substr(0, colon);
    host.remove_prefix(colon + 3);
  }
  while (host.ends_with('/')) host.remove_suffix(1);
  *parameters += fmt::format("{}scheme={}&endpoint_override={}", parameters->empty() ? "?" : "&", scheme, host);
}

// A small object is then one request, not the three of an upload in parts. What is wrong with it shows when it is closed.
void AddOneRequestWrites(std::string* parameters) {
  if (parameters->find("allow_delayed_open=") != std::string::npos) return;
  *parameters += fmt::format("{}allow_delayed_open=true", parameters->empty() ? "?" : "&");
}

// Stores by the uri of their bucket.
struct OpenStores {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<arrow::fs::FileSystem>> by_uri;
};

// Never destroyed: Arrow's S3 client has statics of its own, and what order they would go in is not known here.
OpenStores& Stores() {
  static auto& stores = *new OpenStores;
  return stores;
}

}  // namespace

Result<RemotePath> OpenRemote(const std::string& uri) {
  RemotePath remote;
  std::string parameters;
  ARROW_RETURN_NOT_OK(SplitUri(uri, &remote.scheme, &remote.path, &parameters));
  if (remote.scheme != "s3") {
    return JobError(fmt::format("'{}': there is no store for {}://; there are paths, file://, http://, https:// "
                                "and s3://",
                                Escaped(uri), Escaped(remote.scheme)));
  }
  ARROW_RETURN_NOT_OK(LoadS3());
  AddEndpoint(&parameters);
  AddOneRequestWrites(&parameters);
  const std::string bucket = remote.path.substr(0, remote.path.find('/'));
  const std::string key = fmt::format("s3://{}/{}", bucket, parameters);

  OpenStores& stores = Stores();
  const std::lock_guard lock(stores.mutex);
  auto& store = stores.by_uri[key];
  if (!store) {
    auto opened = arrow::fs::FileSystemFromUri(key);
    if (!opened.ok()) {
      stores.by_uri.erase(key);
      return JobError(fmt::format("cannot open the store of '{}': {}", Escaped(uri), opened.status().message()));
    }
    store = std::move(*opened);
    // The client has threads that must end before the process does. Said after it was made, so that this comes first
    // when things go.
    static const int registered = std::atexit(arrow::fs::EnsureFinalized);
    (void)registered;
  }
  remote.store = store;
  return remote;
}

}  // namespace mainstem
