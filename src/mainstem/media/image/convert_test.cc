#include "mainstem/media/image/convert.h"

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

TEST(ConvertTest, EightBitModesAreConvertedAsPillowDoes) {
  for (const std::string& name : testdata::ExpectedNames("convert/")) {
    const std::string picture = name.substr(8, name.rfind('/') - 8);
    const Image expected = testdata::Expected(name);
    const auto actual = ConvertMode(testdata::Expected(picture), expected.mode);
    ASSERT_TRUE(actual.ok());
    testdata::ExpectNear(*actual, expected, 0, name);
  }
}

TEST(ConvertTest, SixteenBitsAreLinear) {
  Image grey = Image::Allocate(1, 3, ImageMode::kL).ValueOrDie();
  const uint8_t samples[] = {0, 7, 255};
  std::copy_n(samples, 3, grey.mutable_data());
  const Image wide = ConvertMode(grey, ImageMode::kL16).ValueOrDie();
  EXPECT_EQ(testdata::Sample(wide, 1), 7 * 257);
  EXPECT_EQ(testdata::Sample(wide, 2), 65535);
  testdata::ExpectNear(ConvertMode(wide, ImageMode::kL).ValueOrDie(), grey, 0, "back");
  EXPECT_EQ(ConvertMode(wide, ImageMode::kRGBA)->data()[4], 7);
}

TEST(ConvertTest, TheSameModeSharesThePixels) {
  const Image image = testdata::Expected("rgb");
  EXPECT_EQ(ConvertMode(image, ImageMode::kRGB)->pixels, image.pixels);
}

}  // namespace
}  // namespace mainstem
