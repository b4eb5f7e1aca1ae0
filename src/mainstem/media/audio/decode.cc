#include "mainstem/media/audio/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mainstem/base/quantity.h"

namespace mainstem::audio {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();
// Enough for a few seconds; small enough that a lying header costs nothing.
constexpr int64_t kFirstBytes = int64_t{4} << 20;
// FLAC seldom packs float samples tighter; where a claim is below, the whole buffer is taken at once.
constexpr int64_t kPlausibleExpansion = 64;

Status TooLarge(int64_t frames, int32_t channels, int64_t max_decoded_bytes) {
  return RowError(fmt::format("{} frames of {} channels decode to more than the limit of {} (max_decoded_bytes)",
                              frames, channels, FormatBytes(max_decoded_bytes)));
}

Status EndsEarly(int64_t got, int64_t promised) {
  return RowError(fmt::format("the sound is cut off: it promises {} frames and ends after {}", promised, got));
}

bool LengthIsReliable(const SoundFile& file) { return file.format() == "FLAC" || file.format() == "OGG"; }

// A buffer that grows with what has been decoded.
class SampleBuffer {
 public:
  static Result<SampleBuffer> Make(int64_t bytes) {
    SampleBuffer out;
    ARROW_ASSIGN_OR_RAISE(out.buffer_, arrow::AllocateResizableBuffer(bytes));
    return out;
  }
  int64_t size() const { return buffer_->size(); }
  float* at(int64_t sample) { return reinterpret_cast<float*>(buffer_->mutable_data()) + sample; }
  Status Resize(int64_t bytes) { return buffer_->Resize(bytes, /*shrink_to_fit=*/false); }
  std::shared_ptr<arrow::Buffer> Finish(int64_t bytes) && {
    std::shared_ptr<arrow::Buffer> whole = std::move(buffer_);
    return whole->size() == bytes ? whole : arrow::SliceBuffer(whole, 0, bytes);
  }

 private:
  std::unique_ptr<arrow::ResizableBuffer> buffer_;
};

}  // namespace

int64_t FrameAt(int64_t time_ms, int32_t sample_rate) {
  const auto product = static_cast<__int128>(time_ms) * sample_rate / 1000;
  return product > kUnknown ? kUnknown : static_cast<int64_t>(product);
}

Result<FrameRange> FramesOf(const TimeRange& range, const SoundFile& file) {
  const int64_t start_ms = range.start_ms.value_or(0);
  if (start_ms < 0 || (range.end_ms && *range.end_ms < start_ms)) {
    return RowError(
        fmt::format("the clip from {} ms to {} ms is not a time range", start_ms, range.end_ms.value_or(-1)));
  }
  const int64_t length = file.frames() < 0 ? kUnknown : file.frames();
  FrameRange frames{.begin = FrameAt(start_ms, file.sample_rate()), .end = length};
  if (range.end_ms) frames.end = std::min(length, FrameAt(*range.end_ms, file.sample_rate()));
  if (start_ms > 0 && frames.begin >= length) {
    return RowError(fmt::format("the clip starts at {} ms, but the sound has only {} ms", start_ms,
                                static_cast<int64_t>(static_cast<__int128>(length) * 1000 / file.sample_rate())));
  }
  return frames;
}

Result<Waveform> Decode(SoundFile& file, int64_t max_decoded_bytes, const TimeRange& range) {
  ARROW_ASSIGN_OR_RAISE(const FrameRange part, FramesOf(range, file));
  const int64_t frame_bytes = int64_t{file.channels()} * static_cast<int64_t>(sizeof(float));
  const int64_t max_frames = max_decoded_bytes / frame_bytes;
  const bool known = part.end != kUnknown;
  const int64_t wanted = part.end - part.begin;
  if (known && wanted > max_frames) return TooLarge(wanted, file.channels(), max_decoded_bytes);
  if (part.begin > 0) ARROW_RETURN_NOT_OK(file.Seek(part.begin));

  int64_t capacity = std::max<int64_t>(1, kFirstBytes / frame_bytes);
  const auto plausible = static_cast<__int128>(file.size_bytes()) * kPlausibleExpansion / frame_bytes;
  if (known && (wanted < capacity || wanted <= plausible)) capacity = wanted;
  capacity = std::min(capacity, max_frames);
  ARROW_ASSIGN_OR_RAISE(SampleBuffer buffer, SampleBuffer::Make(capacity * frame_bytes));

  int64_t frames = 0;
  while (frames < wanted) {
    if (frames == capacity) {
      if (capacity >= max_frames) return TooLarge(frames + 1, file.channels(), max_decoded_bytes);
      capacity = std::min({max_frames, capacity * 2, wanted});
      ARROW_RETURN_NOT_OK(buffer.Resize(capacity * frame_bytes));
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t read, file.Read(buffer.at(frames * file.channels()), capacity - frames));
    frames += read;
    if (read == 0) break;
  }
  if (known && frames < wanted && LengthIsReliable(file)) return EndsEarly(frames, wanted);

  Waveform out{.frames = frames, .channels = file.channels(), .sample_rate = file.sample_rate()};
  out.samples = std::move(buffer).Finish(frames * frame_bytes);
  out.start_time_ms = range.start_ms;
  out.end_time_ms = range.end_ms;
  return out;
}

Status CheckDecodes(SoundFile& file, const TimeRange& range) {
  ARROW_ASSIGN_OR_RAISE(const FrameRange part, FramesOf(range, file));
  if (part.begin > 0) ARROW_RETURN_NOT_OK(file.Seek(part.begin));
  const int64_t block = std::max<int64_t>(1, 65536 / file.channels());
  std::vector<float> scratch(static_cast<size_t>(block * file.channels()));
  int64_t frames = 0;
  const int64_t wanted = part.end - part.begin;
  while (frames < wanted) {
    ARROW_ASSIGN_OR_RAISE(const int64_t read, file.Read(scratch.data(), std::min(block, wanted - frames)));
    if (read == 0) break;
    frames += read;
  }
  if (part.end != kUnknown && frames < wanted && LengthIsReliable(file)) return EndsEarly(frames, wanted);
  return Status::OK();
}

std::optional<double> Metadata::duration_seconds() const {
  if (!frames) return {};
  return static_cast<double>(*frames) / sample_rate;
}

Result<Metadata> ReadMetadata(const SoundFile& file, const TimeRange& range) {
  ARROW_ASSIGN_OR_RAISE(const FrameRange part, FramesOf(range, file));
  Metadata out{.sample_rate = file.sample_rate(), .channels = file.channels(), .format = file.format(),
               .codec = file.codec(), .size = file.size_bytes()};
  const auto in_ms = [&](int64_t frames) {
    return static_cast<int64_t>(static_cast<__int128>(frames) * 1000 / file.sample_rate());
  };
  if (part.end != kUnknown) {
    out.frames = part.end - part.begin;
    out.duration_ms = in_ms(*out.frames);
  }
  if (file.frames() > 0) {
    const double seconds = static_cast<double>(file.frames()) / file.sample_rate();
    const double bit_rate = static_cast<double>(file.size_bytes()) * 8 / seconds;
    if (bit_rate < 9e18) out.bit_rate = static_cast<int64_t>(std::llround(bit_rate));
  }
  return out;
}

Metadata MetadataOf(const Waveform& waveform) {
  return {.sample_rate = waveform.sample_rate, .channels = waveform.channels, .frames = waveform.frames,
          .duration_ms = waveform.duration_ms(), .format = "UNKNOWN", .codec = "FLOAT",
          .bit_rate = int64_t{waveform.sample_rate} * waveform.channels * 32};
}

}  // namespace mainstem::audio
