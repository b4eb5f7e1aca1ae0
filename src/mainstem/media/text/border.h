// Borders: the places where text may be cut, from the best to the worst.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/media/text/utf8.h"

namespace mainstem::text {

/// A place between two pieces of text: what stands before ends at `end`, what follows starts at `begin`, and between
/// them is white space only. Both count characters.
struct Border {
  int64_t end = 0;
  int64_t begin = 0;
};

/// Borders in the order of the text, by rank. A better rank's borders are also those of every worse one.
struct Borders {
  /// Paragraphs, then sentences; or one rank for each separator that the caller named.
  std::vector<std::vector<Border>> preferred;
  /// Words: at white space and beside CJK characters.
  std::vector<Border> words;
};

/// Finds the borders. Without separators the preferred ranks are:
/// 1. paragraphs: white space that holds two or more line feeds;
/// 2. sentences: after . ! ? … and the quotes and brackets that close behind them, before white space; after 。！？｡
///    and what closes behind them, always. A full stop ends no sentence behind a known abbreviation ("Dr.", and "No."
///    before a number), behind single letters ("J. Smith", "e.g.", "U.S."), or before a lower-case letter; nor does a
///    point without white space behind it ("3.14").
/// With separators, rank n is the places behind the first n of them, wherever they stand in the text.
Borders FindBorders(std::string_view text, const std::vector<Character>& characters,
                    const std::vector<std::string>& separators);

}  // namespace mainstem::text
