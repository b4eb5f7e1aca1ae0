// Changing the sample rate and the number of channels of decoded sound.
#pragma once

#include <cstdint>

#include "mainstem/base/error.h"
#include "mainstem/data/waveform.h"
#include "mainstem/media/audio/decode.h"

namespace mainstem::audio {

/// Returns the sound at another rate (libsoxr, quality HQ, one thread). frames = frames · rate / old rate, rounded. A
/// RowError where the result would be larger than `max_bytes`.
Result<Waveform> Resample(const Waveform& waveform, int32_t sample_rate, int64_t max_bytes = kMaxDecodedBytes);

/// Returns the sound with `channels` channels: the average of all where that is 1, copies where it was mono. Other
/// changes are a RowError: what should go where is not known.
Result<Waveform> MixChannels(const Waveform& waveform, int32_t channels, int64_t max_bytes = kMaxDecodedBytes);

/// Both at once; the channels are mixed first where that leaves fewer to resample.
Result<Waveform> Standardize(const Waveform& waveform, int32_t sample_rate, int32_t channels,
                             int64_t max_bytes = kMaxDecodedBytes);

}  // namespace mainstem::audio
