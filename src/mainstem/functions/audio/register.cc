#include "mainstem/functions/audio/families.h"
#include "mainstem/functions/builtin.h"

namespace mainstem {

Status RegisterAudioFunctions(Registry& registry) {
  for (const auto& add :
       {RegisterAudioDecoding, RegisterAudioMetadata, RegisterAudioTransforms, RegisterAudioSegments}) {
    ARROW_RETURN_NOT_OK(add(registry));
  }
  return Status::OK();
}

}  // namespace mainstem
