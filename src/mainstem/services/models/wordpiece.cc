#include "mainstem/services/models/wordpiece.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace mainstem {

namespace {

constexpr size_t kWordCharactersMax = 100;  // longer words are unknown, as in BERT's reference code
constexpr utf8proc_int32_t kReplacement = 0xFFFD;

bool IsCjk(utf8proc_int32_t c) {
  // The blocks that BERT's reference code calls Chinese characters.
  constexpr std::array<std::pair<int32_t, int32_t>, 8> blocks = {{{0x4E00, 0x9FFF},
                                                                  {0x3400, 0x4DBF},
                                                                  {0x20000, 0x2A6DF},
                                                                  {0x2A700, 0x2B73F},
                                                                  {0x2B740, 0x2B81F},
                                                                  {0x2B920, 0x2CEAF},
                                                                  {0xF900, 0xFAFF},
                                                                  {0x2F800, 0x2FA1F}}};
  return std::any_of(blocks.begin(), blocks.end(),
                     [c](const auto& block) { return c >= block.first && c <= block.second; });
}

bool IsSpace(utf8proc_int32_t c, utf8proc_category_t category) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool IsDropped(utf8proc_int32_t c, utf8proc_category_t category) {
  if (c == '\t' || c == '\n' || c == '\r') {
    return false;
  }
  return c == 0 || c == kReplacement || category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

bool IsPunctuation(utf8proc_int32_t c, utf8proc_category_t category) {
  if ((c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126)) {
    return true;  // every printable ASCII character that is neither letter, digit nor space
  }
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

void Append(utf8proc_int32_t c, std::string* text) {
  std::array<utf8proc_uint8_t, 4> bytes;
  const auto count = utf8proc_encode_char(c, bytes.data());
  text->append(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(count));
}

}  // namespace

/// The word being gathered.
struct WordPiece::Word {
  std::string text;
  size_t characters = 0;
};

Result<WordPiece> WordPiece::Make(const std::vector<std::string>& vocabulary) {
  WordPiece wordpiece;
  for (size_t token = 0; token < vocabulary.size(); ++token) {
    const std::string& piece = vocabulary[token];
    const size_t bytes = piece.starts_with("##") ? piece.size() - 2 : piece.size();
    wordpiece.longest_piece_ = std::max(wordpiece.longest_piece_, bytes);
    wordpiece.pieces_.emplace(piece, static_cast<int64_t>(token));
  }
  for (const auto& [name, target] : {std::pair{"[PAD]", &wordpiece.pad_}, std::pair{"[UNK]", &wordpiece.unknown_},
                                     std::pair{"[CLS]", &wordpiece.start_}, std::pair{"[SEP]", &wordpiece.end_}}) {
    const auto it = wordpiece.pieces_.find(std::string_view(name));
    if (it == wordpiece.pieces_.end()) {
      return JobError(fmt::format("the vocabulary has no {}; is it the vocab.txt of an uncased BERT model?", name));
    }
    *target = it->second;
    wordpiece.special_.emplace_back(name, it->second);
  }
  if (const auto mask = wordpiece.pieces_.find(std::string_view("[MASK]")); mask != wordpiece.pieces_.end()) {
    wordpiece.special_.emplace_back("[MASK]", mask->second);
  }
  return wordpiece;
}

std::vector<int64_t> WordPiece::Encode(std::string_view text, size_t max_tokens) const {
  const size_t limit = max_tokens - 1;
  std::vector<int64_t> tokens = {start_};
  // A special token that is spelled out in the text counts as that token, as it does in the original.
  size_t from = 0;
  size_t bracket = 0;
  while (tokens.size() < limit && (bracket = text.find('[', bracket)) != std::string_view::npos) {
    const auto special = std::find_if(special_.begin(), special_.end(), [&](const auto& entry) {
      return text.substr(bracket).starts_with(entry.first);
    });
    if (special == special_.end()) {
      ++bracket;
      continue;
    }
    EncodePlain(text.substr(from, bracket - from), limit, &tokens);
    tokens.push_back(special->second);
    bracket += special->first.size();
    from = bracket;
  }
  EncodePlain(text.substr(from), limit, &tokens);
  tokens.resize(std::min(tokens.size(), limit));
  tokens.push_back(end_);
  return tokens;
}

void WordPiece::EncodePlain(std::string_view text, size_t limit, std::vector<int64_t>* tokens) const {
  Word word;
  const auto flush = [&] {
    if (word.characters > kWordCharactersMax) {
      tokens->push_back(unknown_);
    } else if (word.characters > 0) {
      EncodeWord(word.text, tokens);
    }
    word.text.clear();
    word.characters = 0;
  };
  const auto take = [&](utf8proc_int32_t c) {
    const auto category = utf8proc_category(c);
    if (category == UTF8PROC_CATEGORY_MN) {
      return;
    }
    c = utf8proc_tolower(c);
    if (IsSpace(c, category)) {
      flush();
    } else if (IsPunctuation(c, category)) {
      flush();
      Append(c, &word.text);
      word.characters = 1;
      flush();
    } else if (word.characters <= kWordCharactersMax) {  // more of an unknown word changes nothing
      Append(c, &word.text);
      ++word.characters;
    }
  };
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t i = 0; i < text.size() && tokens->size() < limit;) {
    utf8proc_int32_t c = 0;
    const auto length = utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &c);
    i += length > 0 ? static_cast<size_t>(length) : 1;
    if (length <= 0) {
      continue;  // a byte that is not UTF-8 is dropped like the replacement character that would stand for it
    }
    const auto category = utf8proc_category(c);
    if (IsDropped(c, category)) {
      continue;
    }
    const bool alone = IsCjk(c);
    if (alone) {
      flush();
    }
    std::array<utf8proc_int32_t, 32> parts;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(c, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
    if (count <= 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      take(c);
    } else {
      std::for_each(parts.begin(), parts.begin() + count, take);
    }
    if (alone) {
      flush();
    }
  }
  flush();
}

void WordPiece::EncodeWord(std::string_view word, std::vector<int64_t>* tokens) const {
  const size_t before = tokens->size();
  std::string candidate;
  for (size_t from = 0; from < word.size();) {
    candidate.assign(from == 0 ? "" : "##");
    const size_t prefix = candidate.size();
    candidate.append(word.substr(from, longest_piece_));
    int64_t token = -1;
    while (candidate.size() > prefix) {
      const auto it = pieces_.find(std::string_view(candidate));
      if (it != pieces_.end()) {
        token = it->second;
        break;
      }
      candidate.pop_back();
    }
    if (token < 0) {
      tokens->resize(before);
      tokens->push_back(unknown_);
      return;
    }
    tokens->push_back(token);
    from += candidate.size() - prefix;
  }
}

}  // namespace mainstem
