// The video functions, each defined in its own file.
#pragma once

#include "mainstem/functions/function.h"

namespace mainstem {

FunctionDefinition VideoMetadataFunction();
FunctionDefinition VideoSplitFunction();
FunctionDefinition VideoExplodeFramesFunction();

}  // namespace mainstem
