// The families of functions of text and of vectors, one a file.
#pragma once

#include "mainstem/functions/registry.h"

namespace mainstem {

Status RegisterTextChunking(Registry& registry);      // text.chunk
Status RegisterVectorSimilarity(Registry& registry);  // vector.cosine, vector.dot

}  // namespace mainstem
