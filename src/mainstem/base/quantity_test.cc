#include "mainstem/base/quantity.h"

#include <gtest/gtest.h>

namespace mainstem {
namespace {

TEST(ParseBytes, KnowsDecimalAndBinaryUnits) {
  EXPECT_EQ(*ParseBytes("512MB"), 512'000'000);
  EXPECT_EQ(*ParseBytes("2 GiB"), 2'147'483'648);
  EXPECT_EQ(*ParseBytes("1.5kib"), 1536);
  EXPECT_EQ(*ParseBytes("17"), 17);
}

TEST(ParseBytes, RefusesNonsenseWithAnExample) {
  for (const char* text : {"", "MB", "-1MB", "5 parsecs", "1e300GB", "nan"}) {
    const auto result = ParseBytes(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.status().message().find("512MB"), std::string::npos);
  }
}

TEST(ParseDuration, KnowsItsUnits) {
  EXPECT_EQ(*ParseDuration("250ms"), 250'000'000);
  EXPECT_EQ(*ParseDuration("5min"), 300'000'000'000);
  EXPECT_FALSE(ParseDuration("5").ok());
}

TEST(Format, IsShort) {
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatDuration(184'000'000'000), "3 min 4 s");
  EXPECT_EQ(FormatDuration(1'250'000'000), "1.25 s");
}

}  // namespace
}  // namespace mainstem
