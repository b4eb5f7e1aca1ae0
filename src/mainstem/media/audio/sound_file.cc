#include "mainstem/media/audio/sound_file.h"

#include <fmt/format.h>
#include <sndfile.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace mainstem::audio {
namespace {

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  int64_t ReadAt(int64_t offset, int64_t length, void* out) override {
    if (offset < 0 || offset >= size() || length <= 0) return 0;
    length = std::min(length, size() - offset);
    std::memcpy(out, bytes_.data() + offset, static_cast<size_t>(length));
    return length;
  }

 private:
  Bytes bytes_;
};

// A source and the place where the decoder reads next.
struct Stream {
  std::unique_ptr<ByteSource> source;
  sf_count_t position = 0;
};

sf_count_t StreamLength(void* user) { return static_cast<Stream*>(user)->source->size(); }
sf_count_t StreamTell(void* user) { return static_cast<Stream*>(user)->position; }
sf_count_t StreamWrite(const void*, sf_count_t, void*) { return 0; }

sf_count_t StreamSeek(sf_count_t offset, int whence, void* user) {
  auto& stream = *static_cast<Stream*>(user);
  const sf_count_t size = stream.source->size();
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? stream.position : size;
  sf_count_t target = 0;
  // Headers make these numbers: the sum may overflow, and the target may lie anywhere.
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return -1;
  return stream.position = target;
}

sf_count_t StreamRead(void* out, sf_count_t count, void* user) {
  auto& stream = *static_cast<Stream*>(user);
  const sf_count_t read = stream.source->ReadAt(stream.position, count, out);
  stream.position += read;
  return read;
}

bool IsSupported(std::string_view head) {
  const auto tag = [&](size_t at, std::string_view text) {
    return head.substr(std::min(at, head.size()), 4) == text;
  };
  if ((tag(0, "RIFF") || tag(0, "RIFX") || tag(0, "RF64")) && tag(8, "WAVE")) return true;
  if (tag(0, "FORM") && (tag(8, "AIFF") || tag(8, "AIFC"))) return true;
  if (tag(0, "fLaC") || tag(0, "OggS") || head.substr(0, 3) == "ID3") return true;
  // The sync word of an MPEG audio frame.
  return head.size() >= 2 && head[0] == '\xff' && (head[1] & 0xe0) == 0xe0;
}

std::string_view FormatName(int format) {
  switch (format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
    case SF_FORMAT_RF64: return "WAV";
    case SF_FORMAT_FLAC: return "FLAC";
    case SF_FORMAT_OGG: return "OGG";
    case SF_FORMAT_AIFF: return "AIFF";
    case SF_FORMAT_MPEG: return "MP3";
    default: return "";
  }
}

std::string_view CodecName(int format) {
  switch (format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8: return "PCM_S8";
    case SF_FORMAT_PCM_16: return "PCM_16";
    case SF_FORMAT_PCM_24: return "PCM_24";
    case SF_FORMAT_PCM_32: return "PCM_32";
    case SF_FORMAT_PCM_U8: return "PCM_U8";
    case SF_FORMAT_FLOAT: return "FLOAT";
    case SF_FORMAT_DOUBLE: return "DOUBLE";
    case SF_FORMAT_ULAW: return "ULAW";
    case SF_FORMAT_ALAW: return "ALAW";
    case SF_FORMAT_IMA_ADPCM: return "IMA_ADPCM";
    case SF_FORMAT_MS_ADPCM: return "MS_ADPCM";
    case SF_FORMAT_GSM610: return "GSM610";
    case SF_FORMAT_G721_32: return "G721_32";
    case SF_FORMAT_VORBIS: return "VORBIS";
    case SF_FORMAT_OPUS: return "OPUS";
    case SF_FORMAT_MPEG_LAYER_I: return "MPEG_LAYER_I";
    case SF_FORMAT_MPEG_LAYER_II: return "MPEG_LAYER_II";
    case SF_FORMAT_MPEG_LAYER_III: return "MPEG_LAYER_III";
    default: return "UNKNOWN";
  }
}

}  // namespace

std::unique_ptr<ByteSource> SourceOf(Bytes bytes) { return std::make_unique<MemorySource>(std::move(bytes)); }

struct SoundFile::State {
  Stream stream;
  SF_INFO info{};
  SNDFILE* file = nullptr;

  ~State() {
    if (file) sf_close(file);
  }
};

SoundFile::SoundFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SoundFile::SoundFile(SoundFile&&) noexcept = default;
SoundFile& SoundFile::operator=(SoundFile&&) noexcept = default;
SoundFile::~SoundFile() = default;

Result<SoundFile> SoundFile::Open(Bytes encoded) { return Open(SourceOf(std::move(encoded))); }

Result<SoundFile> SoundFile::Open(std::unique_ptr<ByteSource> source) {
  char head[12] = {};
  const int64_t head_size = source->ReadAt(0, sizeof(head), head);
  if (head_size == 0) return RowError("the sound is empty: there are no bytes to decode");
  if (!IsSupported({head, static_cast<size_t>(head_size)})) {
    return RowError(fmt::format("not a sound that can be read (WAV, FLAC, OGG, AIFF or MP3): it starts with '{}'",
                                Escaped({head, static_cast<size_t>(head_size)})));
  }
  auto state = std::make_unique<State>();
  state->stream.source = std::move(source);
  SF_VIRTUAL_IO io = {StreamLength, StreamSeek, StreamRead, StreamWrite, StreamTell};
  state->file = sf_open_virtual(&io, SFM_READ, &state->info, &state->stream);
  if (!state->file) {
    return RowError(fmt::format("the sound's header cannot be read: {}", Escaped(sf_strerror(nullptr))));
  }
  const SF_INFO& info = state->info;
  if (info.channels < 1 || info.samplerate < 1 || info.frames < 0 || FormatName(info.format).empty()) {
    return RowError(fmt::format("the sound's header makes no sense: {} channels, {} Hz, {} frames", info.channels,
                                info.samplerate, info.frames));
  }
  return SoundFile(std::move(state));
}

int64_t SoundFile::frames() const { return state_->info.frames == SF_COUNT_MAX ? -1 : state_->info.frames; }
int32_t SoundFile::channels() const { return state_->info.channels; }
int32_t SoundFile::sample_rate() const { return state_->info.samplerate; }
std::string SoundFile::format() const { return std::string(FormatName(state_->info.format)); }
std::string SoundFile::codec() const { return std::string(CodecName(state_->info.format)); }
int64_t SoundFile::size_bytes() const { return state_->stream.source->size(); }

Status SoundFile::Seek(int64_t frame) {
  if (sf_seek(state_->file, frame, SEEK_SET) != frame) {
    return RowError(fmt::format("the sound cannot be read from frame {} on: {}", frame,
                                Escaped(sf_strerror(state_->file))));
  }
  return Status::OK();
}

Result<int64_t> SoundFile::Read(float* out, int64_t frames) {
  const sf_count_t read = sf_readf_float(state_->file, out, frames);
  if (read < frames && sf_error(state_->file) != SF_ERR_NO_ERROR) {
    return RowError(fmt::format("the sound is broken: {}", Escaped(sf_strerror(state_->file))));
  }
  return read;
}

}  // namespace mainstem::audio
