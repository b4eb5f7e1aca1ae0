#include "mainstem/media/document/page_text.h"

namespace mainstem::document {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr uint16_t kWordBreak = 0xFFFE;

bool IsHighSurrogate(uint16_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool IsLowSurrogate(uint16_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

void Append(char32_t point, std::string* out) {
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out->push_back(static_cast<char>(0xC0 | point >> 6));
    out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else if (point < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | point >> 12));
    out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | point >> 18));
    out->push_back(static_cast<char>(0x80 | (point >> 12 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
  }
}

}  // namespace

std::string ToUtf8(std::span<const uint16_t> units) {
  std::string text;
  text.reserve(units.size());
  for (size_t i = 0; i < units.size(); ++i) {
    const uint16_t unit = units[i];
    const uint16_t next = i + 1 < units.size() ? units[i + 1] : 0;
    if (unit == 0 || unit == kWordBreak) continue;
    if (unit == '\r') {
      if (next != '\n') text.push_back('\n');
    } else if (IsHighSurrogate(unit) && IsLowSurrogate(next)) {
      Append(0x10000 + ((char32_t{unit} - 0xD800) << 10) + (next - 0xDC00), &text);
      ++i;
    } else if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
      Append(kReplacement, &text);
    } else {
      Append(unit, &text);
    }
  }
  return text;
}

}  // namespace mainstem::document
