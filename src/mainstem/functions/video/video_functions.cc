#include "mainstem/functions/video/video_functions.h"

#include "mainstem/functions/builtin.h"

namespace mainstem {

Status RegisterVideoFunctions(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(VideoMetadataFunction()));
  ARROW_RETURN_NOT_OK(registry.Add(VideoSplitFunction()));
  return registry.Add(VideoExplodeFramesFunction());
}

}  // namespace mainstem
