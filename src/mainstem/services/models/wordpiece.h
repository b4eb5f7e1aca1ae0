// WordPiece: the tokenizer of uncased BERT models, from text to token numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// Tokenizes as HuggingFace's BertTokenizerFast with do_lower_case does: control characters dropped, spaces around
/// CJK ideographs, accents stripped (NFD without Mn), lower case, punctuation split off, then the longest pieces
/// of the vocabulary from left to right. Immutable; safe to share between threads.
class WordPiece {
 public:
  /// Builds from the lines of a vocab.txt; the line number is the token. Fails where [PAD], [UNK], [CLS] or
  /// [SEP] is missing.
  static Result<WordPiece> Make(const std::vector<std::string>& vocabulary);

  /// Returns [CLS] pieces… [SEP], at most `max_tokens` (at least 2) long; the text beyond is not looked at.
  std::vector<int64_t> Encode(std::string_view text, size_t max_tokens) const;

  int64_t pad() const { return pad_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Word;

  void EncodePlain(std::string_view text, size_t limit, std::vector<int64_t>* tokens) const;
  void EncodeWord(std::string_view word, std::vector<int64_t>* tokens) const;

  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> pieces_;  ///< continuing ones with their ##
  std::vector<std::pair<std::string, int64_t>> special_;                   ///< taken literally from the text
  size_t longest_piece_ = 0;                                               ///< bytes, without ##
  int64_t pad_ = 0;
  int64_t unknown_ = 0;
  int64_t start_ = 0;
  int64_t end_ = 0;
};

}  // namespace mainstem
