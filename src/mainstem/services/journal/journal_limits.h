// Journal limits: the bounds that runs give a journal, and what was removed for their sake, as the journal remembers them.
#pragma once

#include <string>

#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// As it lies in the store, and back; what it has not, or has damaged, is zero.
std::string LimitsText(const JournalStats& stats);
void ReadLimits(const std::string& text, JournalStats* stats);

}  // namespace mainstem
