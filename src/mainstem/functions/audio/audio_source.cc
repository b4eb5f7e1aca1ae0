#include "mainstem/functions/audio/audio_source.h"

#include <fmt/format.h>

#include "mainstem/functions/file/local_file.h"

namespace mainstem {
namespace {

class LocalSource : public audio::ByteSource {
 public:
  explicit LocalSource(LocalFile file) : file_(std::move(file)) {}
  int64_t size() const override { return file_.size(); }
  int64_t ReadAt(int64_t offset, int64_t length, void* out) override {
    return file_.ReadAt(offset, length, out).ValueOr(0);
  }

 private:
  LocalFile file_;
};

// What the value names, as a reference; bytes become a reference that carries them.
FileReference ReferenceOf(const Value& value, const LogicalType& type) {
  if (value.Is<FileReference>()) return value.As<FileReference>();
  FileReference reference;
  if (value.Is<MediaClip>()) {
    reference.uri = value.As<MediaClip>().uri;
  } else if (type.IsText()) {
    reference.uri = value.As<Bytes>().view();
  } else {
    reference.data = value.As<Bytes>();
  }
  return reference;
}

Result<audio::SoundFile> OpenSound(const FileReference& reference) {
  if (reference.data) return audio::SoundFile::Open(*reference.data);
  ARROW_ASSIGN_OR_RAISE(LocalFile file, LocalFile::Open(reference));
  return audio::SoundFile::Open(std::make_unique<LocalSource>(std::move(file)));
}

}  // namespace

Result<AudioSource> OpenAudioSource(const Value& value, const LogicalType& type) {
  const FileReference reference = ReferenceOf(value, type);
  Result<audio::SoundFile> file = OpenSound(reference);
  if (!file.ok()) {
    return reference.uri.empty() ? file.status() : WithContext(file.status(), "'" + Escaped(reference.uri) + "'");
  }
  AudioSource source{.file = std::move(file).ValueUnsafe(), .uri = reference.uri};
  if (value.Is<MediaClip>()) {
    source.range = {.start_ms = value.As<MediaClip>().start_time_ms, .end_ms = value.As<MediaClip>().end_time_ms};
  }
  return source;
}

Result<int64_t> EncodedSize(const Value& value, const LogicalType& type) {
  const FileReference reference = ReferenceOf(value, type);
  if (reference.data) return static_cast<int64_t>(reference.data->size());
  ARROW_ASSIGN_OR_RAISE(const LocalFile file, LocalFile::Open(reference));
  return file.size();
}

}  // namespace mainstem
