#include "mainstem/state/key_group.h"

#include <xxhash.h>

namespace mainstem {

int KeyGroupOf(std::string_view key) { return static_cast<int>(XXH3_64bits(key.data(), key.size()) % kKeyGroups); }

}  // namespace mainstem
