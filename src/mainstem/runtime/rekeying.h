// Rekeying: gives keyed state, and the rows on their way to it, to the lanes that own the keys now.
#pragma once

#include <map>
#include <vector>

#include "mainstem/runtime/plants.h"
#include "mainstem/state/snapshot.h"

namespace mainstem::runtime {

/// `lanes`: what the lanes of a task behind an exchange by `keys` left, by their numbers, as Subtask names it; lanes that
/// own keys and left nothing are added. `owners`: the lanes among which keys are divided from now on, in that order. What
/// a lane has done with its rows stays with it: only lanes that own keys have state and input afterwards.
///
/// Every lane must have left it at the same barrier, or be paused: then each row stands in one of them.
Status Rekey(const std::vector<int>& keys, const std::vector<int>& owners, const Plants& plants,
             std::map<int, Snapshot>* lanes);

}  // namespace mainstem::runtime
