// PathPattern: one glob pattern, parsed: `*`, `?`, `[..]`, `{a,b}` and `**` as bash has them with globstar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// One name of a path, or a pattern for names.
struct PatternSegment {
  enum class Kind {
    kLiteral,    ///< exactly this name, escapes removed
    kWildcard,   ///< any name that matches
    kAnyFolders, ///< `**`: no folder, or any number of them
  };
  Kind kind = Kind::kLiteral;
  std::string text;

  /// A name that begins with a dot matches only where the pattern begins with one. Takes time linear in both.
  bool Matches(std::string_view name) const;
};

/// A pattern without braces, from the root or from where it is relative to.
struct PathPattern {
  bool absolute = false;
  std::vector<PatternSegment> segments;

  bool has_wildcards() const;
};

/// Says whether the text has any of `*?[{`, or a backslash that takes away their meaning.
bool HasWildcards(std::string_view text);

/// Parses a pattern; braces multiply it (at most 1,000 patterns). "." segments vanish, ".." stay as they are.
Result<std::vector<PathPattern>> ParsePathPatterns(const std::string& text);

}  // namespace mainstem
