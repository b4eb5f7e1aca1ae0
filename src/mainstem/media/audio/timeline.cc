#include "mainstem/media/audio/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mainstem/base/quantity.h"

namespace mainstem::audio {
namespace {

constexpr int64_t kWindowMs = 10;

// The mean square of the average of the channels.
double Energy(const Waveform& waveform, const FrameRange& part) {
  double energy = 0;
  for (int64_t frame = part.begin; frame < part.end; ++frame) {
    double mono = 0;
    for (int32_t c = 0; c < waveform.channels; ++c) mono += waveform.data()[frame * waveform.channels + c];
    mono /= waveform.channels;
    energy += mono * mono;
  }
  return energy / static_cast<double>(part.end - part.begin);
}

}  // namespace

std::vector<TimeSpan> FindSilence(const Waveform& waveform, double threshold_db, int64_t min_silence_ms) {
  const double threshold = std::pow(10.0, threshold_db / 10);  // of energy, the square of the amplitude
  const int64_t offset_ms = waveform.start_time_ms.value_or(0);
  const int64_t end_ms = waveform.duration_ms();
  std::vector<TimeSpan> out;
  TimeSpan open{-1, -1};
  const auto close = [&] {
    if (open.start_ms >= 0 && open.end_ms - open.start_ms >= std::max<int64_t>(1, min_silence_ms)) {
      out.push_back({offset_ms + open.start_ms, offset_ms + open.end_ms});
    }
    open = {-1, -1};
  };
  for (int64_t start_ms = 0;; start_ms += kWindowMs) {
    const FrameRange window{FrameAt(start_ms, waveform.sample_rate),
                            std::min(waveform.frames, FrameAt(start_ms + kWindowMs, waveform.sample_rate))};
    if (window.begin >= waveform.frames) break;
    // Below 100 Hz some windows hold no frame: they continue what was before.
    if (window.begin == window.end) continue;
    if (Energy(waveform, window) <= threshold) {
      if (open.start_ms < 0) open.start_ms = start_ms;
      open.end_ms = std::min(end_ms, start_ms + kWindowMs);
    } else {
      close();
    }
  }
  close();
  return out;
}

Waveform Part(const Waveform& waveform, const FrameRange& frames, const TimeSpan& place) {
  const int64_t frame_bytes = int64_t{waveform.channels} * static_cast<int64_t>(sizeof(float));
  Waveform out = waveform;
  out.frames = frames.end - frames.begin;
  out.samples = arrow::SliceBuffer(waveform.samples, frames.begin * frame_bytes, out.frames * frame_bytes);
  out.start_time_ms = place.start_ms;
  out.end_time_ms = place.end_ms;
  return out;
}

Result<Waveform> Concat(std::span<const Waveform* const> parts, int64_t max_bytes) {
  if (parts.empty()) return RowError("there is no sound to join");
  const Waveform& first = *parts[0];
  __int128 frames = 0;
  for (const Waveform* part : parts) {
    if (part->sample_rate != first.sample_rate || part->channels != first.channels) {
      return RowError(fmt::format("sounds of {} Hz and {} channels and of {} Hz and {} channels cannot be joined; "
                                  "standardize them first", first.sample_rate, first.channels, part->sample_rate,
                                  part->channels));
    }
    frames += part->frames;
  }
  const int64_t frame_bytes = int64_t{first.channels} * static_cast<int64_t>(sizeof(float));
  if (frames * frame_bytes > max_bytes) {
    return RowError(fmt::format("the joined sound would be larger than the limit of {} (max_decoded_bytes)",
                                FormatBytes(max_bytes)));
  }
  ARROW_ASSIGN_OR_RAISE(Waveform out,
                        Waveform::Allocate(static_cast<int64_t>(frames), first.channels, first.sample_rate));
  auto* to = reinterpret_cast<char*>(out.mutable_data());
  for (const Waveform* part : parts) {
    if (part->frames == 0) continue;
    std::memcpy(to, part->data(), static_cast<size_t>(part->frames * frame_bytes));
    to += part->frames * frame_bytes;
  }
  return out;
}

}  // namespace mainstem::audio
