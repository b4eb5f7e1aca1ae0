#include "mainstem/media/text/chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "mainstem/media/text/border.h"

namespace mainstem::text {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string_view> ChunkOrDie(std::string_view text, ChunkOptions options) {
  auto result = Chunk(text, options);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ValueOr({});
}

std::vector<std::string> Sentences(std::string_view text) {
  const auto characters = DecodeUtf8(text).ValueOrDie();
  std::vector<std::string> out;
  size_t start = 0;
  const Borders borders = FindBorders(text, characters, {});
  for (const Border& border : borders.preferred.back()) {
    out.emplace_back(text.substr(start, characters[border.end].offset - start));
    start = characters[border.begin].offset;
  }
  out.emplace_back(text.substr(start));
  return out;
}

TEST(Chunk, EndsOnSentencesWithinTheSize) {
  EXPECT_THAT(ChunkOrDie("One two. Three four. Five six.", {.size = 20, .overlap = 0}),
              ElementsAre("One two. Three four.", "Five six."));
  EXPECT_THAT(ChunkOrDie("One two. Three four. Five six.", {.size = 19, .overlap = 0}),
              ElementsAre("One two.", "Three four.", "Five six."));
}

TEST(Chunk, StartsTheNextOneWithinTheOverlap) {
  EXPECT_THAT(ChunkOrDie("Aa bb. Cc dd. Ee ff. Gg hh.", {.size = 13, .overlap = 6}),
              ElementsAre("Aa bb. Cc dd.", "Cc dd. Ee ff.", "Ee ff. Gg hh."));
  EXPECT_THAT(ChunkOrDie("Aa bb. Cc dd. Ee ff. Gg hh.", {.size = 13, .overlap = 5}),
              ElementsAre("Aa bb. Cc dd.", "dd. Ee ff.", "ff. Gg hh."));  // the sentence is longer: a word
  EXPECT_THAT(ChunkOrDie("Aa bb. Cc dd. Ee ff. Gg hh.", {.size = 13, .overlap = 2}),
              ElementsAre("Aa bb. Cc dd.", "Ee ff. Gg hh."));
}

TEST(Chunk, PrefersParagraphsInTheSecondHalf) {
  EXPECT_THAT(ChunkOrDie("One two three.\n\nFour. Five.", {.size = 21, .overlap = 0}),
              ElementsAre("One two three.", "Four. Five."));
  EXPECT_THAT(ChunkOrDie("One.\r\n\r\nTwo three four. Five.", {.size = 25, .overlap = 0}),
              ElementsAre("One.\r\n\r\nTwo three four.", "Five."));
}

TEST(Chunk, FallsBackToWordsAndThenToCharacters) {
  EXPECT_THAT(ChunkOrDie("alpha beta gamma delta", {.size = 11, .overlap = 0}),
              ElementsAre("alpha beta", "gamma delta"));
  EXPECT_THAT(ChunkOrDie("abcdefghij klm", {.size = 4, .overlap = 1}), ElementsAre("abcd", "efgh", "ij", "klm"));
  EXPECT_THAT(ChunkOrDie("alpha beta gamma delta epsilon", {.size = 11, .overlap = 5}),
              ElementsAre("alpha beta", "beta gamma", "gamma delta", "epsilon"));
}

TEST(Chunk, CountsCharactersNotBytes) {
  EXPECT_THAT(ChunkOrDie("äöü ßéè", {.size = 3, .overlap = 0}), ElementsAre("äöü", "ßéè"));
  EXPECT_THAT(ChunkOrDie("今天天气很好。我们去公园吧!", {.size = 8, .overlap = 0}),
              ElementsAre("今天天气很好。", "我们去公园吧!"));
}

TEST(Chunk, MayTurnOverAtEveryCjkCharacter) {
  EXPECT_THAT(ChunkOrDie("一二三四五六七", {.size = 4, .overlap = 1}), ElementsAre("一二三四", "四五六七"));
}

TEST(Chunk, DropsWhiteSpaceAtTheEnds) {
  EXPECT_THAT(ChunkOrDie("  \n One. \t\n", {.size = 100, .overlap = 10}), ElementsAre("One."));
  EXPECT_THAT(ChunkOrDie("", {}), IsEmpty());
  EXPECT_THAT(ChunkOrDie(" \n\t\u3000", {}), IsEmpty());
}

TEST(Chunk, UsesTheCallersSeparators) {
  EXPECT_THAT(ChunkOrDie("a;b;c|d;e", {.size = 6, .overlap = 0, .separators = {"|", ";"}}),
              ElementsAre("a;b;c|", "d;e"));
  EXPECT_THAT(ChunkOrDie("a;b;c|d;e", {.size = 5, .overlap = 0, .separators = {"|", ";"}}),
              ElementsAre("a;b;", "c|d;e"));
}

TEST(Chunk, RefusesInvalidUtf8AndNamesTheByte) {
  for (const std::string_view bad : {"abc\xff", "abc\xc3", "abc\xc0\xaf", "abc\xed\xa0\x80", "abc\xf4\x90\x80\x80",
                                     "abc\xe0\x80\x80", "abc\x80"}) {
    const auto result = Chunk(bad, {});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(ClassOf(result.status()), ErrorClass::kRow);
    EXPECT_NE(result.status().message().find("byte 3"), std::string::npos) << result.status();
  }
  EXPECT_EQ(ClassOf(Chunk("four", {.max_bytes = 3}).status()), ErrorClass::kRow);
}

TEST(Sentences, EndWherePeopleEndThem) {
  EXPECT_THAT(Sentences("Dr. Smith paid 3.14 dollars. He left! Why? \"Who knows.\" End…"),
              ElementsAre("Dr. Smith paid 3.14 dollars.", "He left!", "Why?", "\"Who knows.\"", "End…"));
  EXPECT_THAT(Sentences("See Fig. 2 and No. 5, e.g. J. R. Jones et al. 2020. No. Never."),
              ElementsAre("See Fig. 2 and No. 5, e.g. J. R. Jones et al. 2020.", "No.", "Never."));
  EXPECT_THAT(Sentences("It was approx. five p.m. today... Yes. (Really.) and so I. Then"),
              ElementsAre("It was approx. five p.m. today...", "Yes.", "(Really.) and so I.", "Then"));
  EXPECT_THAT(Sentences("visit example.com now. version 2.0 is out. Ok"),
              ElementsAre("visit example.com now. version 2.0 is out.", "Ok"));
}

// Each of these would take hours if the work grew with the square of the text.
TEST(Chunk, TakesNoTimeForTextThatIsMadeToTakeIt) {
  constexpr size_t kLength = 2'000'000;
  for (const char repeated : {')', '(', '.', '\n', 'a'}) {
    const std::string text = "x. " + std::string(kLength, repeated) + " y";
    for (const int64_t size : {int64_t{2048}, static_cast<int64_t>(kLength)}) {
      ASSERT_FALSE(ChunkOrDie(text, {.size = size, .overlap = size - 1}).empty());
      ASSERT_FALSE(ChunkOrDie(text, {.size = size, .overlap = 9, .separators = {"\n\n", "\n", ")", " "}}).empty());
    }
  }
  std::string words;
  for (size_t i = 0; i < kLength; i += 2) words += "a ";
  ASSERT_FALSE(ChunkOrDie(words, {.size = 100'000, .overlap = 50'000}).empty());
}

// The rule's promises, on texts that a generator made: sizes, overlaps, order, and that nothing is lost.
TEST(Chunk, KeepsItsPromisesOnRandomText) {
  std::mt19937 random(42);
  const std::vector<std::string> pieces = {"a",   "bc",   "word", "longerword", ".",  "!",   " ",
                                           " ",   " ",    "\n",   "\n\n",       "中", "。",  "é",
                                           "Dr.", "3.14", "\"",   ")",          "…",  "   ", "supercalifragilistic",
                                           "x;y"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = static_cast<int>(random() % 60); i > 0; --i) text += pieces[random() % pieces.size()];
    ChunkOptions options{.size = 1 + static_cast<int64_t>(random() % 40)};
    options.overlap = static_cast<int64_t>(random() % options.size);
    if (round % 3 == 0) options.separators = {".", ";"};
    SCOPED_TRACE(testing::Message() << "'" << text << "' size " << options.size << " overlap " << options.overlap);
    const auto characters = DecodeUtf8(text).ValueOrDie();
    const auto place = [&](const char* byte) {
      size_t at = 0;
      while (at < characters.size() && characters[at].offset < static_cast<uint32_t>(byte - text.data())) ++at;
      return static_cast<int64_t>(at);
    };
    int64_t begin_before = -1;
    int64_t covered = 0;
    for (const std::string_view chunk : ChunkOrDie(text, options)) {
      const int64_t begin = place(chunk.data());
      const int64_t end = place(chunk.data() + chunk.size());
      ASSERT_GT(begin, begin_before);
      ASSERT_GT(end, covered);
      ASSERT_LE(end - begin, options.size);
      ASSERT_LE(covered - begin, options.overlap);
      ASSERT_FALSE(IsSpace(characters[begin].code) || IsSpace(characters[end - 1].code));
      for (int64_t at = covered; at < begin; ++at) ASSERT_TRUE(IsSpace(characters[at].code));
      begin_before = begin;
      covered = end;
    }
    for (auto at = static_cast<size_t>(covered); at < characters.size(); ++at)
      ASSERT_TRUE(IsSpace(characters[at].code));
  }
}

}  // namespace
}  // namespace mainstem::text
