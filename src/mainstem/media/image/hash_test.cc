#include "mainstem/media/image/hash.h"

#include "mainstem/media/image/decode.h"
#include "mainstem/media/image/sharpness.h"
#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

Image Picture(const std::string& name) {
  return name == "smooth" ? DecodeImage(testdata::Read("smooth.jpg").span()).ValueOrDie() : testdata::Expected(name);
}

TEST(HashTest, EqualsImagehash) {
  for (const std::string name : {"rgb", "rgba", "grey", "smooth"}) {
    const Image image = Picture(name);
    EXPECT_EQ(HashText(*ImageHasher(HashMethod::kPerceptual).Hash(image)), testdata::Fact("phash/" + name)) << name;
    EXPECT_EQ(HashText(*ImageHasher(HashMethod::kDifference).Hash(image)), testdata::Fact("dhash/" + name)) << name;
    EXPECT_EQ(HashText(*ImageHasher(HashMethod::kAverage).Hash(image)), testdata::Fact("ahash/" + name)) << name;
  }
}

TEST(HashTest, OnePixelIsEnough) {
  Image dot = Image::Allocate(1, 1, ImageMode::kL).ValueOrDie();
  dot.mutable_data()[0] = 9;
  EXPECT_EQ(*ImageHasher(HashMethod::kAverage).Hash(dot), 0u);
  EXPECT_EQ(*ImageHasher(HashMethod::kDifference).Hash(dot), 0u);
}

TEST(SharpnessTest, EqualsTheVarianceThatNumpyComputes) {
  for (const std::string name : {"rgb", "rgba", "grey"}) {
    EXPECT_NEAR(*Sharpness(Picture(name)), std::stod(testdata::Fact("sharpness/" + name)), 1e-6) << name;
  }
  // Versions of the JPEG library may round differently.
  EXPECT_NEAR(*Sharpness(Picture("smooth")), std::stod(testdata::Fact("sharpness/smooth")), 0.1);
}

TEST(SharpnessTest, PicturesWithoutInnerPixelsHaveNone) {
  EXPECT_EQ(*Sharpness(Image::Allocate(2, 50, ImageMode::kL).ValueOrDie()), 0.0);
}

}  // namespace
}  // namespace mainstem
