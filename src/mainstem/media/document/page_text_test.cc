#include "mainstem/media/document/page_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace mainstem::document {
namespace {

std::string Convert(std::vector<uint16_t> units) { return ToUtf8(units); }

TEST(ToUtf8Test, EncodesEveryLength) {
  // The examples of RFC 3629, section 7, and of the Unicode standard, table 3-5.
  EXPECT_EQ(Convert({0x41, 0x2262, 0x391, 0x2E}), "\x41\xE2\x89\xA2\xCE\x91\x2E");
  EXPECT_EQ(Convert({0xD800, 0xDF02}), "\xF0\x90\x8C\x82");
  EXPECT_EQ(Convert({0xDBFF, 0xDFFF}), "\xF4\x8F\xBF\xBF");
}

TEST(ToUtf8Test, ReplacesLoneSurrogates) {
  EXPECT_EQ(Convert({0xD83D}), "\xEF\xBF\xBD");
  EXPECT_EQ(Convert({0xDE00, 'a'}), "\xEF\xBF\xBD" "a");
  EXPECT_EQ(Convert({0xD83D, 0xD83D, 0xDE00}), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
}

TEST(ToUtf8Test, UnifiesLineEndsAndDropsNuls) {
  EXPECT_EQ(Convert({'a', '\r', '\n', 'b', '\r', 'c', '\n', 0, 'd'}), "a\nb\nc\nd");
}

TEST(ToUtf8Test, JoinsWordsBrokenAtTheEndOfALine) { EXPECT_EQ(Convert({'e', 'x', 0xFFFE, 'a'}), "exa"); }

}  // namespace
}  // namespace mainstem::document
