// Where a function of sound finds its input: bytes, a uri, a file or a clip.
#pragma once

#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/logical_type.h"
#include "mainstem/data/value.h"
#include "mainstem/media/audio/decode.h"
#include "mainstem/media/audio/sound_file.h"

namespace mainstem {

/// An encoded sound and the part of it that is meant.
struct AudioSource {
  audio::SoundFile file;
  audio::TimeRange range;
  std::string uri;  ///< empty where the sound came from bytes
};

/// Opens a value of the type (see TypePattern::kAudioSource). Broken sound is a RowError; a file that cannot be
/// opened is a JobError. Messages name the uri.
Result<AudioSource> OpenAudioSource(const Value& value, const LogicalType& type);

/// Encoded bytes of the value, without decoding anything.
Result<int64_t> EncodedSize(const Value& value, const LogicalType& type);

}  // namespace mainstem
