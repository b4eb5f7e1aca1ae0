#include "mainstem/media/image/encode.h"

#include "mainstem/media/image/decode.h"
#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

Image RoundTrip(const Image& image, const EncodeOptions& options) {
  auto encoded = EncodeImage(image, options);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  auto decoded = DecodeImage(Bytes::Own(*std::move(encoded)).span());
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return *decoded;
}

double MeanSquare(const Image& a, const Image& b) {
  double squares = 0;
  for (int64_t i = 0; i < a.size_bytes(); ++i) {
    const double difference = double{1} * a.data()[i] - b.data()[i];
    squares += difference * difference;
  }
  return squares / static_cast<double>(a.size_bytes());
}

TEST(EncodeTest, PngKeepsEveryMode) {
  for (const char* name : {"rgb", "rgba", "grey", "grey_alpha", "grey16"}) {
    const Image image = testdata::Expected(name);
    testdata::ExpectNear(RoundTrip(image, {.format = ImageFormat::kPng}), image, 0, name);
  }
}

TEST(EncodeTest, LossyFormatsStayNearAndQualityCounts) {
  const Image image = DecodeImage(testdata::Read("smooth.jpg").span()).ValueOrDie();
  for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kWebp}) {
    const double fine = MeanSquare(RoundTrip(image, {.format = format, .quality = 95}), image);
    const double coarse = MeanSquare(RoundTrip(image, {.format = format, .quality = 20}), image);
    EXPECT_LT(fine, 25) << ToString(format);
    EXPECT_GT(coarse, 2 * fine) << ToString(format);
    EXPECT_LT(EncodeImage(image, {.format = format, .quality = 20})->size(),
              EncodeImage(image, {.format = format, .quality = 95})->size());
  }
}

TEST(EncodeTest, WhatAFormatCannotHoldIsConverted) {
  EXPECT_EQ(RoundTrip(testdata::Expected("rgba"), {.format = ImageFormat::kJpeg}).mode, ImageMode::kRGB);
  EXPECT_EQ(RoundTrip(testdata::Expected("grey_alpha"), {.format = ImageFormat::kJpeg}).mode, ImageMode::kL);
  EXPECT_EQ(RoundTrip(testdata::Expected("grey16"), {.format = ImageFormat::kJpeg}).mode, ImageMode::kL);
  EXPECT_EQ(RoundTrip(testdata::Expected("grey"), {.format = ImageFormat::kWebp}).mode, ImageMode::kRGB);
  EXPECT_EQ(RoundTrip(testdata::Expected("grey_alpha"), {.format = ImageFormat::kWebp}).mode, ImageMode::kRGBA);
}

TEST(EncodeTest, SidesBeyondAFormatsLimitAreRefused) {
  const Image wide = Image::Allocate(1, 70'000, ImageMode::kL).ValueOrDie();
  EXPECT_EQ(ClassOf(EncodeImage(wide, {.format = ImageFormat::kJpeg}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(EncodeImage(wide, {.format = ImageFormat::kWebp}).status()), ErrorClass::kRow);
}

TEST(EncodeTest, ADataUrlIsBase64) {
  // RFC 4648, section 10.
  EXPECT_EQ(DataUrl(ImageFormat::kPng, ""), "data:image/png;base64,");
  EXPECT_EQ(DataUrl(ImageFormat::kPng, "f"), "data:image/png;base64,Zg==");
  EXPECT_EQ(DataUrl(ImageFormat::kJpeg, "fo"), "data:image/jpeg;base64,Zm8=");
  EXPECT_EQ(DataUrl(ImageFormat::kWebp, "foobar"), "data:image/webp;base64,Zm9vYmFy");
}

TEST(EncodeTest, UnknownFormatsNameTheKnownOnes) {
  EXPECT_EQ(*ParseImageFormat("jpg"), ImageFormat::kJpeg);
  EXPECT_THAT(ParseImageFormat("TIFF").status().message(), ::testing::HasSubstr("JPEG, PNG and WEBP"));
}

}  // namespace
}  // namespace mainstem
