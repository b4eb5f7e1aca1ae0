#include "mainstem/connectors/files/open_file.h"

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

#include <future>

#include "mainstem/connectors/fetcher.h"
#include "mainstem/connectors/files/remote_store.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {
namespace {

// A view of fetched bytes that keeps them.
class BytesBuffer : public arrow::Buffer {
 public:
  explicit BytesBuffer(Bytes bytes)
      : arrow::Buffer(bytes.data(), static_cast<int64_t>(bytes.size())), bytes_(std::move(bytes)) {}

 private:
  Bytes bytes_;
};

Result<std::shared_ptr<arrow::io::RandomAccessFile>> FetchWhole(const std::string& url, const OpenPolicy& policy) {
  const auto fetcher = MakeFetcher({.allow_private_addresses = policy.allow_private_addresses});
  std::promise<Result<Bytes>> promise;
  auto future = promise.get_future();
  fetcher->Fetch({.uri = url}, [&](Result<Bytes> result) { promise.set_value(std::move(result)); });
  Result<Bytes> bytes = future.get();
  fetcher->Stop();
  // Here the file is not one row's, it is the table.
  if (!bytes.ok()) return JobError(bytes.status().message());
  return std::make_shared<arrow::io::BufferReader>(std::make_shared<BytesBuffer>(std::move(*bytes)));
}

Status Changed(const ListedFile& file) {
  return JobError(fmt::format("'{}' has changed since it was listed; start the job again", Escaped(file.uri, 1000)));
}

Status Failed(const ListedFile& file, const Status& cause) {
  return JobError(fmt::format("cannot open '{}': {}", Escaped(file.uri, 1000), cause.message()));
}

}  // namespace

Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenFile(const ListedFile& file, const OpenPolicy& policy) {
  if (file.uri.starts_with("http://") || file.uri.starts_with("https://")) return FetchWhole(file.uri, policy);
  if (file.uri.starts_with('/')) {
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, LocalFileSystem().Stat(file.uri));
    if (status.kind == FileKind::kMissing) return JobError(fmt::format("there is no '{}'", Escaped(file.uri, 1000)));
    if (file.size && file.modified_ns && (*file.size != status.size || *file.modified_ns != status.modified_ns)) {
      return Changed(file);
    }
    auto opened = arrow::io::ReadableFile::Open(file.uri);
    if (!opened.ok()) return Failed(file, opened.status());
    return *opened;
  }
  ARROW_ASSIGN_OR_RAISE(const RemotePath remote, OpenRemote(file.uri));
  auto opened = remote.store->OpenInputFile(remote.path);
  if (!opened.ok()) return Failed(file, opened.status());
  if (file.size) {
    ARROW_ASSIGN_OR_RAISE(const int64_t size, (*opened)->GetSize());
    if (size != *file.size) return Changed(file);
  }
  return *opened;
}

Result<std::shared_ptr<arrow::io::InputStream>> OpenStream(const ListedFile& file, const OpenPolicy& policy) {
  static constexpr std::pair<std::string_view, arrow::Compression::type> kCompressions[] = {
      {".gz", arrow::Compression::GZIP}, {".zst", arrow::Compression::ZSTD},    {".bz2", arrow::Compression::BZ2},
      {".br", arrow::Compression::BROTLI}, {".lz4", arrow::Compression::LZ4_FRAME}};
  ARROW_ASSIGN_OR_RAISE(auto opened, OpenFile(file, policy));
  const bool is_local = file.uri.starts_with('/');
  const std::string path = is_local ? file.uri : file.uri.substr(0, file.uri.find_first_of("?#"));
  for (const auto& [extension, type] : kCompressions) {
    if (!path.ends_with(extension)) continue;
    // The stream keeps a reference to its codec's decompressor only, so the codec may go.
    auto codec = arrow::util::Codec::Create(type);
    if (!codec.ok()) return Failed(file, codec.status());
    auto stream = arrow::io::CompressedInputStream::Make(codec->get(), opened);
    if (!stream.ok()) return Failed(file, stream.status());
    return *stream;
  }
  return opened;
}

}  // namespace mainstem
