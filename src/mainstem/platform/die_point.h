// Die point: a named place where a test has this process die as if it had been killed there.
#pragma once

#include <string_view>

namespace mainstem {

/// Test-only. Where the environment variable MAINSTEM_DIE_AT is "point:n", the n-th passing of the point of that name
/// kills this process with SIGKILL: nothing is flushed, closed or told. Without the variable it costs a comparison.
/// tests/chaos/points.py lists the points. Thread-safe.
void DiePoint(std::string_view name);

}  // namespace mainstem
