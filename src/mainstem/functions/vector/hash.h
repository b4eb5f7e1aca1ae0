// Hash: a 64-bit number that depends on the content of values alone.
#pragma once

#include "mainstem/functions/function.h"

namespace mainstem {

FunctionDefinition HashFunction();

}  // namespace mainstem
