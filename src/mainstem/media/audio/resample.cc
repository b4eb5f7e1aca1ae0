#include "mainstem/media/audio/resample.h"

#include <fmt/format.h>
#include <soxr.h>

#include <algorithm>
#include <memory>

#include "mainstem/base/quantity.h"

namespace mainstem::audio {
namespace {

// Fed in parts the resampler's own buffers stay within the cache.
constexpr int64_t kBlockFrames = 16384;

struct DeleteSoxr {
  void operator()(soxr* resampler) const { soxr_delete(resampler); }
};

Waveform Like(const Waveform& source, int64_t frames, int32_t channels, int32_t sample_rate) {
  Waveform out = source;
  out.frames = frames;
  out.channels = channels;
  out.sample_rate = sample_rate;
  out.samples = nullptr;
  return out;
}

Status CheckSize(__int128 frames, int32_t channels, int64_t max_bytes) {
  if (frames * channels * static_cast<int64_t>(sizeof(float)) <= max_bytes) return Status::OK();
  return RowError(fmt::format("the converted sound would be larger than the limit of {} (max_decoded_bytes)",
                              FormatBytes(max_bytes)));
}

Status SoxrFailed(const Waveform& waveform, int32_t sample_rate, const char* reason) {
  return RowError(fmt::format("sound of {} channels cannot be resampled from {} to {} Hz: {}", waveform.channels,
                              waveform.sample_rate, sample_rate, Escaped(reason)));
}

}  // namespace

Result<Waveform> Resample(const Waveform& waveform, int32_t sample_rate, int64_t max_bytes) {
  if (waveform.sample_rate == sample_rate) return waveform;
  if (waveform.sample_rate < 1 || waveform.channels < 1) {
    return RowError(fmt::format("sound of {} channels at {} Hz cannot be resampled", waveform.channels,
                                waveform.sample_rate));
  }
  // One frame more than the exact number: the resampler rounds.
  const __int128 expected = static_cast<__int128>(waveform.frames) * sample_rate / waveform.sample_rate + 1;
  ARROW_RETURN_NOT_OK(CheckSize(expected, waveform.channels, max_bytes));
  const auto capacity = static_cast<int64_t>(expected);
  ARROW_ASSIGN_OR_RAISE(Waveform out, Waveform::Allocate(capacity, waveform.channels, sample_rate));
  Waveform described = Like(waveform, 0, waveform.channels, sample_rate);

  soxr_error_t error = nullptr;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  const std::unique_ptr<soxr, DeleteSoxr> resampler(soxr_create(waveform.sample_rate, sample_rate,
                                                                static_cast<unsigned>(waveform.channels), &error, &io,
                                                                &quality, &runtime));
  if (error) return SoxrFailed(waveform, sample_rate, error);

  int64_t consumed = 0;
  int64_t produced = 0;
  while (produced < capacity) {
    // No input at all tells the resampler that the sound has ended.
    const int64_t block = std::min(kBlockFrames, waveform.frames - consumed);
    const float* in = block > 0 ? waveform.data() + consumed * waveform.channels : nullptr;
    size_t taken = 0;
    size_t made = 0;
    error = soxr_process(resampler.get(), in, static_cast<size_t>(block), &taken,
                         out.mutable_data() + produced * waveform.channels, static_cast<size_t>(capacity - produced),
                         &made);
    if (error) return SoxrFailed(waveform, sample_rate, error);
    consumed += static_cast<int64_t>(taken);
    produced += static_cast<int64_t>(made);
    if (block == 0 && made == 0) break;
  }
  described.frames = produced;
  described.samples = arrow::SliceBuffer(std::move(out.samples), 0,
                                         produced * waveform.channels * static_cast<int64_t>(sizeof(float)));
  return described;
}

Result<Waveform> MixChannels(const Waveform& waveform, int32_t channels, int64_t max_bytes) {
  if (waveform.channels == channels) return waveform;
  if (channels != 1 && waveform.channels != 1) {
    return RowError(fmt::format("sound of {} channels cannot become {}: only 1 channel (their average), or copies of "
                                "1 channel, can be made", waveform.channels, channels));
  }
  ARROW_RETURN_NOT_OK(CheckSize(waveform.frames, channels, max_bytes));
  ARROW_ASSIGN_OR_RAISE(Waveform out, Waveform::Allocate(waveform.frames, channels, waveform.sample_rate));
  const float* in = waveform.data();
  float* to = out.mutable_data();
  if (waveform.channels == 1) {
    for (int64_t i = 0; i < waveform.frames; ++i) std::fill_n(to + i * channels, channels, in[i]);
  } else if (waveform.channels == 2) {
    for (int64_t i = 0; i < waveform.frames; ++i) to[i] = (in[2 * i] + in[2 * i + 1]) * 0.5F;
  } else {
    for (int64_t i = 0; i < waveform.frames; ++i) {
      double sum = 0;
      for (int32_t c = 0; c < waveform.channels; ++c) sum += in[i * waveform.channels + c];
      to[i] = static_cast<float>(sum / waveform.channels);
    }
  }
  Waveform described = Like(waveform, waveform.frames, channels, waveform.sample_rate);
  described.samples = std::move(out.samples);
  return described;
}

Result<Waveform> Standardize(const Waveform& waveform, int32_t sample_rate, int32_t channels, int64_t max_bytes) {
  if (channels < waveform.channels) {
    ARROW_ASSIGN_OR_RAISE(const Waveform mixed, MixChannels(waveform, channels, max_bytes));
    return Resample(mixed, sample_rate, max_bytes);
  }
  ARROW_ASSIGN_OR_RAISE(const Waveform resampled, Resample(waveform, sample_rate, max_bytes));
  return MixChannels(resampled, channels, max_bytes);
}

}  // namespace mainstem::audio
