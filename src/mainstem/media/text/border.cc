#include "mainstem/media/text/border.h"

#include <algorithm>
#include <array>
#include <string>

namespace mainstem::text {
namespace {

using Characters = std::vector<Character>;

// Sorted. Words behind whose full stop a sentence goes on.
constexpr std::array<std::string_view, 29> kAbbreviations = {
    "al", "approx", "capt", "cf", "col", "dr", "e.g", "ed", "eds", "gen", "hon", "i.e", "jr", "lt", "messrs",
    "mr", "mrs", "ms", "mt", "prof", "rep", "rev", "sen", "sgt", "sr", "st", "viz", "vol", "vs"};
// Sorted. The same, but only before a number: "No. 5", "Fig. 2", "pp. 7–9".
constexpr std::array<std::string_view, 9> kNumbered = {"ch", "eq", "fig", "figs", "no", "nos", "p", "pp", "sec"};

// Closing quotes and brackets that are looked through for the stop; bounded, so that a text of brackets takes no time.
constexpr size_t kMaxClosers = 8;

bool IsStop(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x2026; }
bool IsCjkStop(char32_t c) { return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff61; }
bool IsCloser(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || c == 0xbb || c == 0x2019 || c == 0x201d ||
         c == 0x300d || c == 0x300f || c == 0x3011 || c == 0xff09 || c == 0x203a;
}
bool IsOpener(char32_t c) {
  return c == '"' || c == '\'' || c == '(' || c == '[' || c == 0xab || c == 0x2018 || c == 0x201c || c == 0x201e;
}
bool IsAsciiLetter(char32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool IsDigit(char32_t c) { return c >= '0' && c <= '9'; }
// Latin, Greek and Cyrillic: enough to see that a sentence goes on.
bool IsLower(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 0xdf && c <= 0xff && c != 0xf7) || (c >= 0x3b1 && c <= 0x3c9) ||
         (c >= 0x430 && c <= 0x45f);
}

// The word of letters and inner points that ends before `end`, in lower case; cut where it is too long to be listed.
std::string WordBefore(const Characters& text, size_t end) {
  std::string word;
  size_t at = end;
  while (at > 0 && word.size() < 8 && (IsAsciiLetter(text[at - 1].code) || text[at - 1].code == '.')) {
    word.insert(word.begin(), static_cast<char>(text[--at].code | 0x20));  // a point has this bit already
  }
  // "Edr." is no "Dr.".
  if (at > 0 && !IsSpace(text[at - 1].code) && !IsOpener(text[at - 1].code)) return "";
  return word;
}

// Says whether the full stop at `stop` only shortens a word; `next` is the first character of what follows.
bool IsAbbreviation(const Characters& text, size_t stop, size_t next) {
  const std::string word = WordBefore(text, stop);
  const bool capital = stop > 0 && text[stop - 1].code <= 'Z';
  if (capital && word.size() == 1 && word != "i") return true;
  if (word.size() >= 3 && word[word.size() - 2] == '.') return true;
  if (std::binary_search(kAbbreviations.begin(), kAbbreviations.end(), word)) return true;
  return IsDigit(text[next].code) && std::binary_search(kNumbered.begin(), kNumbered.end(), word);
}

// Says whether a sentence ends before `end`, with `begin` the start of what follows.
bool EndsSentence(const Characters& text, size_t end, size_t begin) {
  size_t last = end;
  while (last > 0 && end - last < kMaxClosers && IsCloser(text[last - 1].code)) --last;
  if (last == 0) return false;
  const char32_t stop = text[last - 1].code;
  if (IsCjkStop(stop)) return true;
  if (!IsStop(stop) || begin == end) return false;
  size_t first_letter = begin;
  while (first_letter + 1 < text.size() && IsOpener(text[first_letter].code)) ++first_letter;
  if (stop != '.') return !(stop == 0x2026 && IsLower(text[first_letter].code));
  if (IsLower(text[first_letter].code)) return false;
  const bool dots = last >= 2 && text[last - 2].code == '.';
  return dots || last < end || !IsAbbreviation(text, last - 1, first_letter);
}

bool IsParagraph(const Characters& text, const Border& border) {
  int line_feeds = 0;
  for (int64_t at = border.end; at < border.begin; ++at) {
    line_feeds += text[at].code == '\n' || text[at].code == 0x2029 ? 1 : 0;
    if (text[at].code == 0x2029) return true;
  }
  return line_feeds >= 2;
}

// Between two characters without white space a word may end beside CJK, but never before what closes or stops.
bool IsCjkBorder(char32_t before, char32_t after) {
  if (IsCloser(after) || IsStop(after) || IsCjkStop(after) || after == 0x3001 || after == 0xff0c) return false;
  return IsCjk(before) || IsCjk(after) || IsCjkStop(before) || before == 0x3001 || before == 0xff0c;
}

std::vector<Border> FindWords(const Characters& text) {
  std::vector<Border> out;
  const auto count = static_cast<int64_t>(text.size());
  for (int64_t at = 1; at < count; ++at) {
    if (IsSpace(text[at].code)) {
      const int64_t end = at;
      while (at < count && IsSpace(text[at].code)) ++at;
      if (at < count && !IsSpace(text[end - 1].code)) out.push_back({end, at});
    } else if (!IsSpace(text[at - 1].code)) {
      const bool closes_cjk = IsCloser(text[at - 1].code) && EndsSentence(text, at, at);
      if (IsCjkBorder(text[at - 1].code, text[at].code) || (closes_cjk && !IsCloser(text[at].code)))
        out.push_back({at, at});
    }
  }
  return out;
}

// The characters' numbers behind every place where one of the separators stands.
std::vector<Border> FindSeparators(std::string_view bytes, const Characters& text, const std::string& separator) {
  std::vector<Border> out;
  const auto count = static_cast<int64_t>(text.size());
  for (size_t found = bytes.find(separator); found != std::string_view::npos;) {
    const size_t after = found + separator.size();
    const auto place = std::lower_bound(text.begin(), text.end(), after,
                                        [](const Character& c, size_t offset) { return c.offset < offset; });
    int64_t end = place - text.begin();
    int64_t begin = end;
    while (end > 0 && IsSpace(text[end - 1].code)) --end;
    while (begin < count && IsSpace(text[begin].code)) ++begin;
    if (begin == count) break;
    if (end > 0) out.push_back({end, begin});
    // Other places that end in the same white space are the same border.
    const size_t next = text[begin].offset + 1;
    found = bytes.find(separator, std::max(after, next > separator.size() ? next - separator.size() : 0));
  }
  return out;
}

// Adds the borders of `more` to those of `base`, in order, each once.
std::vector<Border> Merged(const std::vector<Border>& base, const std::vector<Border>& more) {
  std::vector<Border> out;
  const auto before = [](const Border& a, const Border& b) { return a.begin < b.begin; };
  std::merge(base.begin(), base.end(), more.begin(), more.end(), std::back_inserter(out), before);
  const auto same = [](const Border& a, const Border& b) { return a.begin == b.begin; };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

}  // namespace

Borders FindBorders(std::string_view text, const Characters& characters, const std::vector<std::string>& separators) {
  Borders out;
  out.words = FindWords(characters);
  if (separators.empty()) {
    std::vector<Border> paragraphs;
    std::vector<Border> sentences;
    for (const Border& border : out.words) {
      const bool paragraph = IsParagraph(characters, border);
      if (paragraph) paragraphs.push_back(border);
      if (paragraph || EndsSentence(characters, border.end, border.begin)) sentences.push_back(border);
    }
    out.preferred = {std::move(paragraphs), std::move(sentences)};
    return out;
  }
  for (const std::string& separator : separators) {
    std::vector<Border> found = FindSeparators(text, characters, separator);
    out.preferred.push_back(out.preferred.empty() ? std::move(found) : Merged(out.preferred.back(), found));
  }
  out.words = Merged(out.words, out.preferred.back());
  return out;
}

}  // namespace mainstem::text
