// The families of functions of images, one a file.
#pragma once

#include "mainstem/functions/registry.h"

namespace mainstem {

Status RegisterImageCodecs(Registry& registry);      // decode, encode, compress, convert_format
Status RegisterImageSizes(Registry& registry);       // resize, rescale
Status RegisterImageGeometry(Registry& registry);    // crop, flip
Status RegisterImagePixels(Registry& registry);      // convert_mode, to_tensor
Status RegisterImageMetadata(Registry& registry);    // metadata, aspect_ratio
Status RegisterImagePredicates(Registry& registry);  // is_valid, size_filter, shape_filter, file_size_filter
Status RegisterImageQuality(Registry& registry);     // sharpness, hash

}  // namespace mainstem
