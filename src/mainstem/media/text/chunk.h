// Cutting text into chunks that a model can take, on borders that people would choose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem::text {

struct ChunkOptions {
  int64_t size = 2048;    ///< most characters of a chunk, at least 1
  int64_t overlap = 200;  ///< most characters that a chunk repeats of the one before, less than size
  std::vector<std::string> separators;  ///< empty: paragraphs, then sentences
  int64_t max_bytes = int64_t{64} << 20;  ///< longer text is refused: its index takes some ten times its size
};

/// Cuts text into chunks, views into it, in its order. The rule:
///
/// A chunk ends at the text's end where that is within reach (`size` characters from its start). Otherwise it ends at
/// the last border within reach of the best rank that has one: a paragraph's end in the second half of the reach, a
/// sentence's end, a word's end, or else after exactly `size` characters. (Of separators all but the last rank count
/// in the second half only.)
///
/// The next chunk starts at the earliest sentence's start in the last `overlap` characters of the chunk from which
/// the end found is of no worse rank than without overlap; else at the earliest such word's start; else right behind
/// the chunk.
///
/// White space at both ends of a chunk is dropped, so every character is in a chunk, except white space between
/// chunks. Text of white space has no chunks. Text that is not UTF-8 or too long is a RowError.
Result<std::vector<std::string_view>> Chunk(std::string_view text, const ChunkOptions& options);

}  // namespace mainstem::text
