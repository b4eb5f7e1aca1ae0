#include "mainstem/media/text/utf8.h"

#include <fmt/format.h>

namespace mainstem::text {
namespace {

// Length of the character that starts with this byte, 0 where none does.
int LengthOf(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;  // a continuation, or an overlong form
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

Status Invalid(std::string_view text, size_t at) {
  return RowError(fmt::format("the text is not valid UTF-8 at byte {}: '{}'", at, Escaped(text.substr(at, 8))));
}

}  // namespace

Result<std::vector<Character>> DecodeUtf8(std::string_view text) {
  std::vector<Character> out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const int length = LengthOf(first);
    if (length == 0 || at + length > text.size()) return Invalid(text, at);
    char32_t code = length == 1 ? first : first & (0x7f >> length);
    for (int i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0) != 0x80) return Invalid(text, at);
      code = code << 6 | (next & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return Invalid(text, at);
    out.push_back({code, static_cast<uint32_t>(at)});
    at += length;
  }
  return out;
}

bool IsSpace(char32_t code) {
  if (code <= 0x20) return code == ' ' || (code >= 0x09 && code <= 0x0d);
  if (code < 0x1680) return code == 0x85 || code == 0xa0;
  return code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

bool IsCjk(char32_t code) {
  return (code >= 0x3040 && code <= 0x30ff) || (code >= 0x3400 && code <= 0x4dbf) ||
         (code >= 0x4e00 && code <= 0x9fff) || (code >= 0xac00 && code <= 0xd7a3) ||
         (code >= 0xf900 && code <= 0xfaff) || (code >= 0x20000 && code <= 0x3ffff);
}

}  // namespace mainstem::text
