// A suggestion for a name that does not exist: the nearest of those that do.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mainstem {

/// Returns the candidate with the smallest edit distance (optimal string alignment) to `name`, or an empty
/// string where none is near enough to be what was meant.
std::string Nearest(std::string_view name, std::span<const std::string> candidates);

/// Returns " Did you mean 'x'?" or, where nothing is near, " There are: a, b, c." (at most twelve).
std::string Suggestion(std::string_view name, std::span<const std::string> candidates);

}  // namespace mainstem
