// Keyed distinct: passes the first row of each key on at once, also where the input never ends.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/operators/operator.h"

namespace mainstem {

/// Behind an exchange by the same keys (positions of columns). Remembers every key that it has seen; fails with a job
/// error when they outgrow half of the context's holding limit.
std::unique_ptr<Operator> MakeKeyedDistinct(std::vector<int> keys);

}  // namespace mainstem
