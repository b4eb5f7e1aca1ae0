// The families of functions of sound, one a file.
#pragma once

#include "mainstem/functions/registry.h"

namespace mainstem {

Status RegisterAudioDecoding(Registry& registry);     // decode, is_valid
Status RegisterAudioMetadata(Registry& registry);     // metadata, duration, duration_filter, size_filter
Status RegisterAudioTransforms(Registry& registry);   // standardize, resample, encode, silence_detection, concat
Status RegisterAudioSegments(Registry& registry);     // split_by_duration

/// struct<start_ms, end_ms, duration_ms: int64>: one stretch of time.
LogicalType TimeSpanType();

}  // namespace mainstem
