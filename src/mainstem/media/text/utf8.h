// UTF-8 text as a sequence of Unicode characters.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem::text {

/// One character and where it starts.
struct Character {
  char32_t code = 0;
  uint32_t offset = 0;  ///< in bytes
};

/// Splits text of less than 4 GiB into characters. A RowError with the byte's place where it is not valid UTF-8 (RFC
/// 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
Result<std::vector<Character>> DecodeUtf8(std::string_view text);

/// Unicode's White_Space property.
bool IsSpace(char32_t code);
/// Han, Hiragana, Katakana and Hangul: scripts in which a line may break between any two characters, or nearly.
bool IsCjk(char32_t code);

}  // namespace mainstem::text
