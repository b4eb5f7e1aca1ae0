#include "mainstem/media/text/chunk.h"

#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/quantity.h"
#include "mainstem/media/text/border.h"

namespace mainstem::text {
namespace {

// Where a chunk ends, where the rest starts, and how good the cut is: 0 is the best.
struct Cut {
  Border border;
  size_t rank = 0;
};

class Chunker {
 public:
  Chunker(const std::vector<Character>& text, Borders borders, const ChunkOptions& options)
      : text_(text), borders_(std::move(borders)), options_(options), count_(static_cast<int64_t>(text.size())) {
    while (count_ > 0 && IsSpace(text_[count_ - 1].code)) --count_;
  }

  // Calls `emit(begin, end)` for each chunk, in characters.
  template <typename Emit>
  void Run(const Emit& emit) const {
    int64_t start = 0;
    while (start < count_ && IsSpace(text_[start].code)) ++start;
    int64_t covered = start;
    while (covered < count_) {
      const Cut cut = FindCut(start, covered);
      emit(start, cut.border.end);
      covered = cut.border.end;
      if (covered >= count_) break;
      start = NextStart(cut.border, start);
    }
  }

 private:
  // The best end of a chunk that starts at `start` and reaches beyond `covered`.
  Cut FindCut(int64_t start, int64_t covered) const {
    const int64_t reach = start + options_.size;
    if (reach >= count_) return {{count_, count_}, 0};
    size_t rank = 1;
    for (const std::vector<Border>& borders : borders_.preferred) {
      const bool last = &borders == &borders_.preferred.back();
      const int64_t least = last ? covered : std::max(covered, start + options_.size / 2);
      if (const Border* border = LastWithin(borders, least, reach)) return {*border, rank};
      ++rank;
    }
    if (const Border* border = LastWithin(borders_.words, covered, reach)) return {*border, rank};
    // A hard cut; white space around it is dropped like any other.
    Border hard{reach, reach};
    while (hard.end > start + 1 && IsSpace(text_[hard.end - 1].code)) --hard.end;
    while (hard.begin < count_ && IsSpace(text_[hard.begin].code)) ++hard.begin;
    return {hard, rank + 1};
  }

  // The last border with least < end <= reach.
  static const Border* LastWithin(const std::vector<Border>& borders, int64_t least, int64_t reach) {
    const auto after = std::upper_bound(borders.begin(), borders.end(), reach,
                                        [](int64_t value, const Border& border) { return value < border.end; });
    if (after == borders.begin() || (after - 1)->end <= least) return nullptr;
    return &*(after - 1);
  }

  int64_t NextStart(const Border& cut, int64_t start) const {
    if (options_.overlap == 0) return cut.begin;
    const int64_t earliest = std::max(start + 1, cut.end - options_.overlap);
    // Paragraphs count as sentences here: where exactly a chunk's second half lies must not decide.
    const size_t good = std::max(FindCut(cut.begin, cut.end).rank, borders_.preferred.size());
    for (const std::vector<Border>* borders : {&borders_.preferred.back(), &borders_.words}) {
      auto first = std::lower_bound(borders->begin(), borders->end(), earliest,
                                    [](const Border& border, int64_t value) { return border.begin < value; });
      const auto end = std::lower_bound(first, borders->end(), cut.end,
                                        [](const Border& border, int64_t value) { return border.begin < value; });
      // The later the start, the farther the reach, the better the cut.
      first = std::partition_point(first, end, [&](const Border& border) {
        const Cut next = FindCut(border.begin, cut.end);
        return next.rank > good || next.border.end <= cut.end;
      });
      if (first != end) return first->begin;
    }
    return cut.begin;
  }

  const std::vector<Character>& text_;
  const Borders borders_;
  const ChunkOptions& options_;
  int64_t count_;
};

}  // namespace

Result<std::vector<std::string_view>> Chunk(std::string_view text, const ChunkOptions& options) {
  if (static_cast<int64_t>(text.size()) > options.max_bytes) {
    return RowError(fmt::format("the text has {}, more than the limit of {} (max_text_bytes)",
                                FormatBytes(static_cast<int64_t>(text.size())), FormatBytes(options.max_bytes)));
  }
  ARROW_ASSIGN_OR_RAISE(const std::vector<Character> characters, DecodeUtf8(text));
  const auto offset = [&](int64_t character) {
    return static_cast<size_t>(character) < characters.size() ? static_cast<size_t>(characters[character].offset)
                                                              : text.size();
  };
  std::vector<std::string_view> out;
  Chunker(characters, FindBorders(text, characters, options.separators), options)
      .Run([&](int64_t begin, int64_t end) {
        out.push_back(text.substr(offset(begin), offset(end) - offset(begin)));
      });
  return out;
}

}  // namespace mainstem::text
