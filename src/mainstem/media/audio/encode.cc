#include "mainstem/media/audio/encode.h"

#include <fmt/format.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

namespace mainstem::audio {
namespace {

// libvorbis keeps what it is given on the stack: large writes overflow it.
constexpr int64_t kBlockFrames = 1024;

struct Sink {
  std::string bytes;
  sf_count_t position = 0;
};

sf_count_t SinkLength(void* user) { return static_cast<sf_count_t>(static_cast<Sink*>(user)->bytes.size()); }
sf_count_t SinkTell(void* user) { return static_cast<Sink*>(user)->position; }

sf_count_t SinkSeek(sf_count_t offset, int whence, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? sink.position : SinkLength(user);
  if (base + offset < 0) return -1;
  return sink.position = base + offset;
}

sf_count_t SinkRead(void* out, sf_count_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  count = std::clamp<sf_count_t>(SinkLength(user) - sink.position, 0, count);
  std::memcpy(out, sink.bytes.data() + sink.position, static_cast<size_t>(count));
  sink.position += count;
  return count;
}

sf_count_t SinkWrite(const void* in, sf_count_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  const auto end = static_cast<size_t>(sink.position + count);
  if (sink.bytes.size() < end) sink.bytes.resize(end);
  std::memcpy(sink.bytes.data() + sink.position, in, static_cast<size_t>(count));
  sink.position += count;
  return count;
}

int FormatOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kWav: return SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    case Encoding::kFlac: return SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
    case Encoding::kOgg: return SF_FORMAT_OGG | SF_FORMAT_VORBIS;
    case Encoding::kAiff: return SF_FORMAT_AIFF | SF_FORMAT_PCM_16;
  }
  return 0;
}

Status Failed(const Waveform& waveform, const char* reason) {
  return RowError(fmt::format("sound of {} channels at {} Hz cannot be encoded: {}", waveform.channels,
                              waveform.sample_rate, Escaped(reason)));
}

}  // namespace

Result<Bytes> Encode(const Waveform& waveform, Encoding encoding) {
  const float* samples = waveform.data();
  for (int64_t i = 0; i < waveform.frames * waveform.channels; ++i) {
    if (!std::isfinite(samples[i])) {
      return RowError(
          fmt::format("the sample at frame {} is not a finite number; replace such samples before encoding",
                      i / waveform.channels));
    }
  }
  Sink sink;
  SF_INFO info{};
  info.channels = waveform.channels;
  info.samplerate = waveform.sample_rate;
  info.format = FormatOf(encoding);
  if (!sf_format_check(&info))
    return Failed(waveform, "the format does not hold this number of channels or this rate");
  SF_VIRTUAL_IO io = {SinkLength, SinkSeek, SinkRead, SinkWrite, SinkTell};
  SNDFILE* file = sf_open_virtual(&io, SFM_WRITE, &info, &sink);
  if (!file) return Failed(waveform, sf_strerror(nullptr));
  sf_command(file, SFC_SET_CLIPPING, nullptr, SF_TRUE);
  for (int64_t done = 0; done < waveform.frames;) {
    const int64_t block = std::min(kBlockFrames, waveform.frames - done);
    if (sf_writef_float(file, samples + done * waveform.channels, block) != block) {
      const Status failed = Failed(waveform, sf_strerror(file));
      sf_close(file);
      return failed;
    }
    done += block;
  }
  if (const int error = sf_close(file); error != 0) return Failed(waveform, sf_error_number(error));
  // Without a frame libsndfile starts no FLAC stream.
  if (sink.bytes.empty()) return Failed(waveform, "the format does not hold sound without frames");
  return Bytes::Own(std::move(sink.bytes));
}

}  // namespace mainstem::audio
