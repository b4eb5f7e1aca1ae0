#include "mainstem/media/image/geometry.h"

#include <numeric>

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

// 0 1 2 / 3 4 5
Image Numbered() {
  Image image = Image::Allocate(2, 3, ImageMode::kL).ValueOrDie();
  std::iota(image.mutable_data(), image.mutable_data() + 6, uint8_t{0});
  return image;
}

std::vector<int> Samples(const Image& image) {
  return std::vector<int>(image.data(), image.data() + image.size_bytes());
}

TEST(GeometryTest, CropEqualsPillowInsideAndBeyondTheEdges) {
  const Image image = testdata::Expected("rgb");
  const Image outside = CropImage(image, {-3, 5, 44, 33}).ValueOrDie();
  const Image inside = CropImage(image, {7, 5, 30, 20}).ValueOrDie();
  testdata::ExpectNear(outside, testdata::Expected("crop/outside"), 0, "outside");
  testdata::ExpectNear(inside, testdata::Expected("crop/inside"), 0, "inside");
}

TEST(GeometryTest, ACropWhollyOutsideIsBlack) {
  EXPECT_EQ(Samples(CropImage(Numbered(), {10, 10, 12, 11}).ValueOrDie()), (std::vector<int>{0, 0}));
}

TEST(GeometryTest, ImpossibleCropsAreRowErrors) {
  for (const Box& box : {Box{2, 0, 2, 2}, Box{2, 0, 1, 2}, Box{0, 0, 1 << 20, 1 << 20},
                         Box{INT64_MIN, 0, INT64_MAX, 2}}) {
    EXPECT_EQ(ClassOf(CropImage(Numbered(), box).status()), ErrorClass::kRow);
  }
}

TEST(GeometryTest, TheCentreBoxLeavesTheOddPixelAtTheEnd) {
  const Box box = CenterBox(Numbered(), 2, 4);
  EXPECT_EQ(box.left, 0);
  EXPECT_EQ(box.right, 2);
  EXPECT_EQ(box.top, -1);
  EXPECT_EQ(box.bottom, 3);
}

TEST(GeometryTest, FlipsMoveThePixels) {
  EXPECT_EQ(Samples(FlipImage(Numbered(), Flip::kHorizontal).ValueOrDie()), (std::vector<int>{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(Samples(FlipImage(Numbered(), Flip::kVertical).ValueOrDie()), (std::vector<int>{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(Samples(FlipImage(Numbered(), Flip::kRotate180).ValueOrDie()), (std::vector<int>{5, 4, 3, 2, 1, 0}));
}

TEST(GeometryTest, FlippingTwiceGivesEveryModeBack) {
  for (const char* name : {"rgb", "rgba", "grey", "grey_alpha", "grey16"}) {
    const Image image = testdata::Expected(name);
    for (const Flip flip : {Flip::kHorizontal, Flip::kVertical, Flip::kRotate180}) {
      testdata::ExpectNear(FlipImage(FlipImage(image, flip).ValueOrDie(), flip).ValueOrDie(), image, 0, name);
    }
  }
}

}  // namespace
}  // namespace mainstem
