#include "mainstem/media/image/header.h"

#include <fmt/format.h>

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

TEST(HeaderTest, SaysWhatPillowSays) {
  for (const std::string& name : testdata::Encoded()) {
    const Bytes bytes = testdata::Read(name);
    const auto header = ReadImageHeader(bytes.span());
    ASSERT_TRUE(header.ok()) << name << header.status();
    EXPECT_EQ(fmt::format("{} {} {} {} {}", ToString(header->format), header->width, header->height, header->channels,
                          header->stored_mode),
              testdata::Fact("header/" + name))
        << name;
  }
}

TEST(HeaderTest, ReadsTheOrientation) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Bytes bytes = testdata::Read(fmt::format("orientation_{}.png", orientation));
    EXPECT_EQ(ReadImageHeader(bytes.span())->orientation, orientation);
  }
  for (const char* name : {"orientation_6.jpg", "orientation_6.webp"}) {
    EXPECT_EQ(ReadImageHeader(testdata::Read(name).span())->orientation, 6) << name;
  }
}

TEST(HeaderTest, NeedsOnlyTheBeginning) {
  // SOI, JFIF, two tables, SOF0 and SOS end within the first 640 bytes of these small files.
  for (const char* name : {"rgb.jpg", "rgb.png", "lossy.webp"}) {
    const Bytes bytes = testdata::Read(name);
    EXPECT_TRUE(ReadImageHeader(bytes.Slice(0, std::min<size_t>(bytes.size(), 640)).span()).ok()) << name;
  }
}

}  // namespace
}  // namespace mainstem
