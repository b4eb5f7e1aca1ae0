#include "mainstem/connectors/files/path_pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace mainstem {
namespace {

constexpr size_t kPatternsMax = 1000;

// Finds the brace that closes the one at `open` and the commas between them; false where it is no alternative.
bool FindAlternatives(std::string_view text, size_t open, size_t* close, std::vector<size_t>* commas) {
  int depth = 0;
  commas->clear();
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == ',' && depth == 1) {
      commas->push_back(i);
    } else if (text[i] == '}' && --depth == 0) {
      *close = i;
      return !commas->empty();
    }
  }
  return false;
}

Status ExpandBraces(const std::string& text, size_t from, std::vector<std::string>* out) {
  size_t close = 0;
  std::vector<size_t> commas;
  for (size_t i = from; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{' && FindAlternatives(text, i, &close, &commas)) {
      size_t begin = i + 1;
      commas.push_back(close);
      for (const size_t end : commas) {
        const std::string chosen = text.substr(0, i) + text.substr(begin, end - begin) + text.substr(close + 1);
        ARROW_RETURN_NOT_OK(ExpandBraces(chosen, i, out));
        begin = end + 1;
      }
      return Status::OK();
    }
  }
  if (out->size() >= kPatternsMax) {
    return JobError(fmt::format("the braces of '{}' stand for more than {} patterns", Escaped(text), kPatternsMax));
  }
  out->push_back(text);
  return Status::OK();
}

// Matches one character against the set at `set` ("[a-z]"); sets its length, or 0 where it is never closed.
bool InSet(std::string_view set, unsigned char c, size_t* length) {
  size_t i = 1;
  const bool negated = i < set.size() && (set[i] == '!' || set[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < set.size() && (first || set[i] != ']'); first = false) {
    if (set[i] == '\\' && i + 1 < set.size()) ++i;
    const auto low = static_cast<unsigned char>(set[i++]);
    auto high = low;
    if (i + 1 < set.size() && set[i] == '-' && set[i + 1] != ']') {
      high = static_cast<unsigned char>(set[i + 1]);
      i += 2;
    }
    found |= low <= c && c <= high;
  }
  *length = i < set.size() ? i + 1 : 0;
  return found != negated;
}

// Length of the UTF-8 character at the start: `?` stands for one character, not for one byte.
size_t CharacterLength(std::string_view name) {
  size_t length = 1;
  while (length < name.size() && length < 4 && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) ++length;
  return static_cast<unsigned char>(name[0]) >= 0xC0 ? length : 1;
}

// Matches one element of the pattern (not `*`) at the start of the name.
bool MatchElement(std::string_view pattern, std::string_view name, size_t* pattern_length, size_t* name_length) {
  *pattern_length = 1;
  *name_length = 1;
  if (pattern[0] == '?') {
    *name_length = CharacterLength(name);
    return true;
  }
  if (pattern[0] == '[') {
    size_t length = 0;
    const bool found = InSet(pattern, static_cast<unsigned char>(name[0]), &length);
    if (length > 0) {
      *pattern_length = length;
      return found;
    }
  }
  if (pattern[0] == '\\' && pattern.size() > 1) {
    *pattern_length = 2;
    return pattern[1] == name[0];
  }
  return pattern[0] == name[0];
}

// Only the last star ever needs to be tried again, so this takes at most |pattern| × |name| steps.
bool MatchGlob(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0;
  size_t star = std::string_view::npos, star_n = 0;
  while (n < name.size()) {
    size_t pattern_length = 0, name_length = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_n = n;
    } else if (p < pattern.size() && MatchElement(pattern.substr(p), name.substr(n), &pattern_length, &name_length)) {
      p += pattern_length;
      n += name_length;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_n;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string WithoutEscapes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

PatternSegment ParseSegment(std::string_view text) {
  if (text == "**") return {PatternSegment::Kind::kAnyFolders, "**"};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return {PatternSegment::Kind::kWildcard, std::string(text)};
    }
  }
  return {PatternSegment::Kind::kLiteral, WithoutEscapes(text)};
}

PathPattern ParseOne(std::string_view text) {
  PathPattern pattern;
  pattern.absolute = text.starts_with('/');
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    // Two `**` in a row mean the same as one, and cost more.
    const bool repeated = part == "**" && !pattern.segments.empty() &&
                          pattern.segments.back().kind == PatternSegment::Kind::kAnyFolders;
    if (!part.empty() && part != "." && !repeated) pattern.segments.push_back(ParseSegment(part));
    begin = end + 1;
  }
  return pattern;
}

}  // namespace

bool PatternSegment::Matches(std::string_view name) const {
  if (kind == Kind::kLiteral) return name == text;
  if (name.starts_with('.') && !(text.starts_with('.') || text.starts_with("\\."))) return false;
  return kind == Kind::kAnyFolders || MatchGlob(text, name);
}

bool PathPattern::has_wildcards() const {
  return std::any_of(segments.begin(), segments.end(),
                     [](const PatternSegment& segment) { return segment.kind != PatternSegment::Kind::kLiteral; });
}

bool HasWildcards(std::string_view text) { return text.find_first_of("*?[{\\") != std::string_view::npos; }

Result<std::vector<PathPattern>> ParsePathPatterns(const std::string& text) {
  std::vector<std::string> expanded;
  ARROW_RETURN_NOT_OK(ExpandBraces(text, 0, &expanded));
  std::vector<PathPattern> patterns;
  for (const std::string& one : expanded) patterns.push_back(ParseOne(one));
  return patterns;
}

}  // namespace mainstem
