#include "mainstem/functions/builtin.h"
#include "mainstem/functions/image/families.h"

namespace mainstem {

Status RegisterImageFunctions(Registry& registry) {
  for (const auto& add : {RegisterImageCodecs, RegisterImageSizes, RegisterImageGeometry, RegisterImagePixels,
                          RegisterImageMetadata, RegisterImagePredicates, RegisterImageQuality}) {
    ARROW_RETURN_NOT_OK(add(registry));
  }
  return Status::OK();
}

}  // namespace mainstem
