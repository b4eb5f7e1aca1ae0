#include "mainstem/media/image/decode.h"

#include <fmt/format.h>

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using testdata::Expected;
using testdata::ExpectNear;

Image Decoded(const std::string& name, const DecodeOptions& options = {}) {
  const Bytes bytes = testdata::Read(name);
  auto image = DecodeImage(bytes.span(), options);
  EXPECT_TRUE(image.ok()) << name << ": " << image.status();
  return image.ok() ? *image : Image::Allocate(1, 1, ImageMode::kL).ValueOrDie();
}

TEST(DecodeTest, LosslessFilesGiveTheirPixelsBack) {
  const std::pair<const char*, const char*> pictures[] = {
      {"rgb.png", "rgb"},           {"rgba.png", "rgba"},           {"grey.png", "grey"},
      {"grey16.png", "grey16"},     {"grey_alpha.png", "grey_alpha"}, {"interlaced.png", "rgb"},
      {"lossless.webp", "rgb"},     {"alpha.webp", "rgba"},         {"animated.webp", "rgb"},
  };
  for (const auto& [file, pixels] : pictures) ExpectNear(Decoded(file), Expected(pixels), 0, file);
}

TEST(DecodeTest, OddKindsOfPngAreDecodedAsPillowDoes) {
  for (const char* name : {"bilevel.png", "palette.png", "palette_transparent.png", "colour_key.png", "rgb16.png"}) {
    ExpectNear(Decoded(name), Expected(name), 0, name);
  }
}

TEST(DecodeTest, LossyFilesAreDecodedAsPillowDoes) {
  // Versions of the libraries may round differently.
  for (const char* name : {"rgb.jpg", "progressive.jpg", "grey.jpg", "lossy.webp"}) {
    ExpectNear(Decoded(name), Expected(name), 1, name);
  }
  ExpectNear(Decoded("cmyk.jpg"), Expected("cmyk.jpg"), 2, "cmyk.jpg");
}

TEST(DecodeTest, AModeThatIsAskedForIsDelivered) {
  ExpectNear(Decoded("rgb.png", {.mode = ImageMode::kL}), Expected("grey"), 0, "RGB as L");
  EXPECT_EQ(Decoded("grey.jpg", {.mode = ImageMode::kRGB}).mode, ImageMode::kRGB);
  EXPECT_EQ(Decoded("palette.png", {.mode = ImageMode::kRGBA}).mode, ImageMode::kRGBA);
}

TEST(DecodeTest, OrientationTurnsThePictureOnlyOnRequest) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string name = fmt::format("orientation_{}", orientation);
    ExpectNear(Decoded(name + ".png", {.apply_orientation = true}), Expected(name), 0, name);
    ExpectNear(Decoded(name + ".png"), Expected("orientation_1"), 0, name + " as stored");
  }
  for (const char* name : {"orientation_6.jpg", "orientation_6.webp"}) {
    EXPECT_EQ(Decoded(name).width, 40) << name;
    EXPECT_EQ(Decoded(name, {.apply_orientation = true}).width, 30) << name;
  }
}

TEST(DecodeTest, AJpegIsScaledToTheSmallestSizeThatIsLargeEnough) {
  // 160 × 120: an eighth is 20 × 15.
  const auto size = [](int32_t height, int32_t width) {
    const Image image = Decoded("smooth.jpg", {.minimum_height = height, .minimum_width = width});
    return std::pair(image.height, image.width);
  };
  EXPECT_EQ(size(60, 80), std::pair(60, 80));
  EXPECT_EQ(size(61, 80), std::pair(120, 160));
  EXPECT_EQ(size(1, 1), std::pair(15, 20));
  EXPECT_EQ(size(15, 21), std::pair(30, 40));
  EXPECT_EQ(size(120, 160), std::pair(120, 160));
  EXPECT_EQ(size(1000, 1), std::pair(120, 160));
  EXPECT_EQ(size(60, 0), std::pair(120, 160));
}

TEST(DecodeTest, AScaledJpegLooksLikeTheAverageOfItsPixels) {
  const Image half = Decoded("smooth.jpg", {.minimum_height = 60, .minimum_width = 80});
  const Image expected = Expected("smooth.jpg/half");
  ASSERT_EQ(half.size_bytes(), expected.size_bytes());
  double squares = 0;
  for (int64_t i = 0; i < half.size_bytes(); ++i) {
    const double difference = double{1} * half.data()[i] - expected.data()[i];
    squares += difference * difference;
  }
  EXPECT_LT(squares / static_cast<double>(half.size_bytes()), 4.0);
}

TEST(DecodeTest, TheMinimumRefersToTheUprightPicture) {
  // Stored 40 × 30; upright 30 × 40. Half of it is 15 wide and 20 high.
  const Image image = Decoded("orientation_6.jpg",
                              {.apply_orientation = true, .minimum_height = 20, .minimum_width = 15});
  EXPECT_EQ(image.width, 15);
  EXPECT_EQ(image.height, 20);
}

TEST(DecodeTest, TheLimitIsCheckedBeforeMemoryIsTaken) {
  const Bytes bomb = testdata::Read("bomb.png");
  const Status status = DecodeImage(bomb.span()).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("30000 × 30000"));
  EXPECT_THAT(DecodeImage(testdata::Read("rgb.jpg").span(), {.pixel_limit = 1199}).status().message(),
              HasSubstr("limit of 1199"));
  EXPECT_TRUE(DecodeImage(testdata::Read("rgb.jpg").span(), {.pixel_limit = 1200}).ok());
}

TEST(DecodeTest, ATruncatedPictureIsAnErrorAndNotGrey) {
  for (const std::string& name : testdata::Encoded()) {
    const Bytes bytes = testdata::Read(name);
    for (const size_t size : {bytes.size() / 4, bytes.size() / 2, bytes.size() * 9 / 10}) {
      if (name == "animated.webp" || (name == "orientation_6.webp" && size > bytes.size() / 2)) continue;
      const Status status = DecodeImage(bytes.Slice(0, size).span()).status();
      EXPECT_EQ(ClassOf(status), ErrorClass::kRow) << name << " cut to " << size << " of " << bytes.size();
    }
  }
}

TEST(DecodeTest, OtherFormatsAreNamed) {
  const auto message = [](std::string_view text) {
    return DecodeImage(Bytes(text, nullptr).span()).status().message();
  };
  EXPECT_THAT(message("GIF89a....."), HasSubstr("a GIF"));
  EXPECT_THAT(message("BM......"), HasSubstr("a BMP"));
  EXPECT_THAT(message("II*\0...."), HasSubstr("start with"));
  EXPECT_THAT(message("<html><body>404"), HasSubstr("an HTML"));
  EXPECT_THAT(message("hello\x01"), HasSubstr("hello\\x01"));
  EXPECT_THAT(message(""), HasSubstr("no bytes"));
}

}  // namespace
}  // namespace mainstem
