// Encoding samples into sound files.
#pragma once

#include "mainstem/base/error.h"
#include "mainstem/data/bytes.h"
#include "mainstem/data/waveform.h"

namespace mainstem::audio {

/// How sound is stored: WAV, FLAC and AIFF as 16-bit PCM, OGG as Vorbis.
enum class Encoding { kWav, kFlac, kOgg, kAiff };

/// Encodes samples; those beyond full scale are clipped. A RowError where a sample is not finite, or where the format
/// cannot hold the number of channels (FLAC: 8), the rate, or no frames at all (FLAC).
Result<Bytes> Encode(const Waveform& waveform, Encoding encoding);

}  // namespace mainstem::audio
