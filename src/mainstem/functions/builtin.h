// The functions that come with Mainstem, one registration line a family.
#pragma once

#include "mainstem/functions/registry.h"

namespace mainstem {

/// Returns a registry of every built-in function.
Result<Registry> BuiltinRegistry();

/// The families; each stands in a folder of its own.
Status RegisterVectorFunctions(Registry& registry);    // functions/vector: comparison … struct access
Status RegisterAggregates(Registry& registry);         // functions/vector
Status RegisterImageFunctions(Registry& registry);     // functions/image
Status RegisterAudioFunctions(Registry& registry);     // functions/audio
Status RegisterVideoFunctions(Registry& registry);     // functions/video
Status RegisterDocumentFunctions(Registry& registry);  // functions/document
Status RegisterTextFunctions(Registry& registry);      // functions/text: chunk, vector similarity
Status RegisterFileFunctions(Registry& registry);      // functions/file: bytes, size, mime_type
Status RegisterModelFunctions(Registry& registry);     // functions/model: ai.embed_text, …

}  // namespace mainstem
