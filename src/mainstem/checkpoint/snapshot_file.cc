#include "mainstem/checkpoint/snapshot_file.h"

#include <arrow/util/endian.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace mainstem::checkpoint {
namespace {

constexpr std::string_view kMagic = "MAINSTEM";
constexpr size_t kHashed = 24;        // bytes of the head that the checksum covers
constexpr int64_t kStep = 1 << 20;    // bytes hashed at a time while verifying
constexpr char kDamageId[] = "mainstem::checkpoint::Damage";

// Takes the place of the error's class, which is the job's where none is attached.
class DamageDetail : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return kDamageId; }
  std::string ToString() const override { return "damage"; }
};

class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), XXH3_freeState) {
    if (state_) XXH3_128bits_reset(state_.get());
  }
  bool ok() const { return state_ != nullptr; }
  void Add(const void* bytes, size_t size) {
    if (size > 0) XXH3_128bits_update(state_.get(), bytes, size);
  }
  std::string Digest() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    return std::string(reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest);
  }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

template <typename T>
void Put(std::string* out, T value) {
  value = arrow::bit_util::ToLittleEndian(value);
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T Get(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return arrow::bit_util::FromLittleEndian(value);
}

std::string_view NameOf(FileContent kind) {
  switch (kind) {
    case FileContent::kSnapshot: return "snapshot";
    case FileContent::kManifest: return "manifest";
    case FileContent::kEpoch: return "epoch";
    case FileContent::kCommit: return "note of a commit";
  }
  return "file";
}

struct Head {
  std::string bytes;  // all of it
  int64_t length = 0;
};

// Reads the head and checks what can be known without the content.
Result<Head> ReadHead(ReadableFile* file, const std::string& path, int64_t size) {
  Head head;
  head.bytes.resize(static_cast<size_t>(kEnvelopeBytes));
  ARROW_ASSIGN_OR_RAISE(const int64_t count, file->ReadAt(0, kEnvelopeBytes, head.bytes.data()));
  if (count == 0) return Damaged(path, "it is empty");
  const size_t seen = std::min(static_cast<size_t>(count), kMagic.size());
  if (head.bytes.compare(0, seen, kMagic, 0, seen) != 0) return Damaged(path, "it is not a file of Mainstem's");
  if (count < kEnvelopeBytes) {
    return Damaged(path, fmt::format("it is truncated: {} bytes, less than its head of {}", count, kEnvelopeBytes));
  }
  const auto length = Get<uint64_t>(head.bytes, 16);
  const auto there = static_cast<uint64_t>(size - kEnvelopeBytes);
  if (length > there) {
    return Damaged(path, fmt::format("it is truncated: {} bytes of content, {} expected", there, length));
  }
  if (length < there) {
    return Damaged(path, fmt::format("it is too long: {} bytes of content, {} expected", there, length));
  }
  head.length = static_cast<int64_t>(length);
  return head;
}

// What a head says whose checksum is right.
Status CheckKind(const std::string& head, const std::string& path, FileContent kind) {
  const auto version = Get<uint32_t>(head, 8);
  if (version > kFormatVersion) {
    return JobError(fmt::format("'{}' was written by a newer version of Mainstem (format {}, this one reads up to {}); "
                                "use that version",
                                Escaped(path, 1000), version, kFormatVersion));
  }
  if (version == 0) return Damaged(path, "its format has version 0, which was never written");
  const auto found = Get<uint32_t>(head, 12);
  if (found == static_cast<uint32_t>(kind)) return Status::OK();
  return Damaged(path, fmt::format("it is no {} (kind {}, expected {})", NameOf(kind), found,
                                   static_cast<uint32_t>(kind)));
}

Result<std::unique_ptr<ReadableFile>> OpenExisting(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files.Stat(path));
  if (status.kind == FileKind::kMissing) return Damaged(path, "it is missing");
  if (status.kind != FileKind::kFile) return Damaged(path, "it is not a file");
  return files.Open(path);
}

// Reads and verifies all of a file, whose size it returns. `prepare` learns the length of the content, `place` says
// where the part that begins at an offset goes: kStep bytes of room, or what is left.
Result<int64_t> ReadVerified(FileSystem& files, const std::string& path, FileContent kind, int64_t bytes_max,
                             const std::function<Status(int64_t length)>& prepare,
                             const std::function<uint8_t*(int64_t offset)>& place) {
  ARROW_ASSIGN_OR_RAISE(const auto file, OpenExisting(files, path));
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, file->Stat());
  if (status.size > bytes_max) {
    return Damaged(path, fmt::format("it has {} bytes, more than the {} expected", status.size, bytes_max));
  }
  ARROW_ASSIGN_OR_RAISE(const Head head, ReadHead(file.get(), path, status.size));
  ARROW_RETURN_NOT_OK(prepare(head.length));
  Checksum checksum;
  if (!checksum.ok()) return Status::OutOfMemory("no memory for a checksum");
  checksum.Add(head.bytes.data(), kHashed);
  for (int64_t offset = 0; offset < head.length;) {
    uint8_t* out = place(offset);
    const int64_t wanted = std::min(kStep, head.length - offset);
    ARROW_ASSIGN_OR_RAISE(const int64_t count, file->ReadAt(kEnvelopeBytes + offset, wanted, out));
    if (count < wanted) return Damaged(path, "it was cut while it was read");
    checksum.Add(out, static_cast<size_t>(count));
    offset += count;
  }
  if (head.bytes.substr(kHashed) != checksum.Digest()) return Damaged(path, "its checksum does not match its content");
  ARROW_RETURN_NOT_OK(CheckKind(head.bytes, path, kind));
  return status.size;
}

Status WriteAll(WritableFile* file, const std::string& head, const Buffers& content, bool sync) {
  ARROW_RETURN_NOT_OK(file->Write(head));
  for (const auto& buffer : content) {
    if (buffer->size() > 0) ARROW_RETURN_NOT_OK(file->Write(std::string_view(*buffer)));
  }
  if (sync) ARROW_RETURN_NOT_OK(file->Sync());
  return file->Close();
}

}  // namespace

bool IsDamage(const Status& status) {
  return status.detail() && std::string_view(status.detail()->type_id()) == kDamageId;
}

Status Damaged(const std::string& path, std::string_view what) {
  return JobError(fmt::format("'{}' is damaged: {}", Escaped(path, 1000), what))
      .WithDetail(std::make_shared<DamageDetail>());
}

Result<std::string> EnvelopeHead(FileContent kind, const Buffers& content) {
  uint64_t length = 0;
  for (const auto& buffer : content) {
    if (!buffer || !buffer->is_cpu()) return JobError("a snapshot can be written from this machine's memory only");
    length += static_cast<uint64_t>(buffer->size());
  }
  std::string head(kMagic);
  Put(&head, kFormatVersion);
  Put(&head, static_cast<uint32_t>(kind));
  Put(&head, length);
  Checksum checksum;
  if (!checksum.ok()) return Status::OutOfMemory("no memory for a checksum");
  checksum.Add(head.data(), head.size());
  for (const auto& buffer : content) checksum.Add(buffer->data(), static_cast<size_t>(buffer->size()));
  return head + checksum.Digest();
}

Result<int64_t> WriteSnapshotFile(FileSystem& files, const std::string& path, FileContent kind, const Buffers& content,
                                  bool sync) {
  ARROW_ASSIGN_OR_RAISE(const std::string head, EnvelopeHead(kind, content));
  ARROW_ASSIGN_OR_RAISE(auto file, files.Create(path));
  const Status written = WriteAll(file.get(), head, content, sync);
  file.reset();
  if (!written.ok()) {
    // The error that counts is the first one.
    (void)files.Remove(path);
    return written;
  }
  int64_t bytes = kEnvelopeBytes;
  for (const auto& buffer : content) bytes += buffer->size();
  return bytes;
}

Result<std::shared_ptr<arrow::Buffer>> ReadSnapshotFile(FileSystem& files, const std::string& path, FileContent kind,
                                                        int64_t bytes_max) {
  std::unique_ptr<arrow::Buffer> content;
  const auto prepare = [&](int64_t length) { return arrow::AllocateBuffer(length).Value(&content); };
  const auto place = [&](int64_t offset) { return content->mutable_data() + offset; };
  ARROW_RETURN_NOT_OK(ReadVerified(files, path, kind, bytes_max, prepare, place));
  return std::shared_ptr<arrow::Buffer>(std::move(content));
}

Result<int64_t> VerifySnapshotFile(FileSystem& files, const std::string& path, FileContent kind) {
  std::vector<uint8_t> scratch;
  const auto prepare = [&](int64_t length) {
    scratch.resize(static_cast<size_t>(std::min(length, kStep)));
    return Status::OK();
  };
  const auto place = [&](int64_t) { return scratch.data(); };
  return ReadVerified(files, path, kind, INT64_MAX, prepare, place);
}

}  // namespace mainstem::checkpoint
