#include "mainstem/media/image/resize.h"

#include <fmt/format.h>

#include <map>

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

using testdata::Expected;
using testdata::ExpectNear;

const std::map<std::string, ResizeMethod> kMethods = {{"nearest", ResizeMethod::kNearest},
                                                      {"bilinear", ResizeMethod::kBilinear},
                                                      {"bicubic", ResizeMethod::kBicubic},
                                                      {"lanczos", ResizeMethod::kLanczos}};
const std::map<std::string, std::string> kPictures = {
    {"L", "grey"}, {"LA", "grey_alpha"}, {"RGB", "rgb"}, {"RGBA", "rgba"}, {"L16", "grey16"}};

TEST(ResizeTest, EqualsPillow) {
  for (const auto& [method, code] : kMethods) {
    Resizer resizer(code);  // one for all, as in a job: tables and buffers are used again
    for (const auto& [mode, picture] : kPictures) {
      for (const std::string& name : testdata::ExpectedNames(fmt::format("resize/{}/{}/", mode, method))) {
        const Image expected = Expected(name);
        const auto actual = resizer.Resize(Expected(picture), expected.height, expected.width);
        ASSERT_TRUE(actual.ok()) << actual.status();
        ExpectNear(*actual, expected, 0, name);
      }
    }
  }
}

TEST(ResizeTest, TinyPicturesEqualPillow) {
  Resizer resizer(ResizeMethod::kLanczos);
  for (const std::string& name : testdata::ExpectedNames("resize/tiny/")) {
    const Image expected = Expected(name);
    ExpectNear(resizer.Resize(Expected("tiny"), expected.height, expected.width).ValueOrDie(), expected, 0, name);
  }
}

TEST(ResizeTest, VectorAndPortablePassesAgree) {
  if (!HasAvx2()) GTEST_SKIP() << "this processor has no AVX2";
  uint32_t random = 1;
  for (const int channels : {1, 2, 3, 4}) {
    for (const auto [in, out] : {std::pair(100, 31), std::pair(1000, 37), std::pair(13, 90), std::pair(3, 2)}) {
      AxisWeights weights;
      weights.Prepare(ResizeMethod::kLanczos, in, out, false);
      std::vector<std::vector<uint8_t>> rows(kRowsAtOnce);
      std::vector<std::vector<uint8_t>> vector_out(kRowsAtOnce, std::vector<uint8_t>(out * channels + kRowSlack));
      auto portable_out = vector_out;
      const uint8_t* in_rows[kRowsAtOnce];
      uint8_t* vector_rows[kRowsAtOnce];
      uint8_t* portable_rows[kRowsAtOnce];
      for (int i = 0; i < kRowsAtOnce; ++i) {
        for (size_t k = 0; k < in * channels + kRowSlack; ++k) {
          random = random * 1664525 + 1013904223;
          // Mostly black and white: the filter overshoots both ways.
          rows[i].push_back(random >> 30 == 0 ? random >> 20 : random >> 31 ? 255 : 0);
        }
        in_rows[i] = rows[i].data();
        vector_rows[i] = vector_out[i].data();
        portable_rows[i] = portable_out[i].data();
      }
      ResampleAcrossAvx2(weights, channels, in_rows, vector_rows, kRowsAtOnce);
      ResampleAcrossPortable(weights, channels, in_rows, portable_rows, kRowsAtOnce);
      for (int i = 0; i < kRowsAtOnce; ++i) {
        vector_out[i].resize(out * channels);
        portable_out[i].resize(out * channels);
        EXPECT_EQ(vector_out[i], portable_out[i]) << channels << " channels, " << in << " to " << out;
      }
    }
  }
}

TEST(ResizeTest, VectorAndPortableColumnsAgree) {
  if (!HasAvx2()) GTEST_SKIP() << "this processor has no AVX2";
  constexpr size_t kRowBytes = 75;
  for (const auto [in, out] : {std::pair(100, 31), std::pair(13, 90)}) {
    AxisWeights weights;
    weights.Prepare(ResizeMethod::kBicubic, in, out, false);
    std::vector<uint8_t> samples(in * kRowBytes);
    for (size_t i = 0; i < samples.size(); ++i) samples[i] = i * 2654435761u >> 24;
    for (int32_t y = 0; y < out; ++y) {
      std::vector<const uint8_t*> rows;
      for (int32_t k = 0; k < weights.stride; ++k) {
        rows.push_back(&samples[(weights.first[y] + std::min(k, weights.count[y] - 1)) * kRowBytes]);
      }
      std::vector<uint8_t> vector_out(kRowBytes), portable_out(kRowBytes);
      ResampleDownAvx2(weights, y, rows.data(), kRowBytes, vector_out.data());
      ResampleDownPortable(weights, y, rows.data(), 0, kRowBytes, portable_out.data());
      EXPECT_EQ(vector_out, portable_out);
    }
  }
}

TEST(ResizeTest, AConstantPictureStaysConstant) {
  for (const auto& [name, method] : kMethods) {
    Image image = Image::Allocate(301, 97, ImageMode::kRGB).ValueOrDie();
    std::fill_n(image.mutable_data(), image.size_bytes(), 201);
    const Image out = Resizer(method).Resize(image, 64, 200).ValueOrDie();
    EXPECT_TRUE(std::all_of(out.data(), out.data() + out.size_bytes(), [](uint8_t v) { return v == 201; })) << name;
  }
}

TEST(ResizeTest, TheSameSizeSharesThePixels) {
  const Image image = Expected("rgb");
  EXPECT_EQ(Resizer(ResizeMethod::kLanczos).Resize(image, 30, 40)->pixels, image.pixels);
}

TEST(ResizeTest, ImpossibleSizesAreRefused) {
  const Image image = Expected("rgb");
  Resizer resizer(ResizeMethod::kLanczos);
  EXPECT_EQ(ClassOf(resizer.Resize(image, 0, 5).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(resizer.Resize(image, 100'000, 100'000).status()), ErrorClass::kJob);
  // A million rows that all weigh on one result row of 100,000 pixels would need 300 GB.
  const Image tall = Image::Allocate(1'000'000, 1, ImageMode::kRGB).ValueOrDie();
  EXPECT_EQ(ClassOf(resizer.Resize(tall, 1, 100'000).status()), ErrorClass::kRow);
}

}  // namespace
}  // namespace mainstem
