#include "mainstem/media/image/to_tensor.h"

#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

// Two pixels: (0, 51, 255) and (102, 153, 204).
Image TwoPixels() {
  Image image = Image::Allocate(1, 2, ImageMode::kRGB).ValueOrDie();
  const uint8_t samples[] = {0, 51, 255, 102, 153, 204};
  std::copy_n(samples, 6, image.mutable_data());
  return image;
}

std::vector<float> Values(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.count()};
}

TEST(ToTensorTest, PlanesOfSamplesOver255) {
  const Tensor tensor = TensorMaker(ImageMode::kRGB, TensorLayout::kChw, {}, {}).Make(TwoPixels()).ValueOrDie();
  EXPECT_THAT(tensor.shape, ElementsAre(3, 1, 2));
  EXPECT_THAT(Values(tensor),
              ElementsAre(FloatEq(0), FloatEq(.4f), FloatEq(.2f), FloatEq(.6f), FloatEq(1), FloatEq(.8f)));
}

TEST(ToTensorTest, InterleavedAndNormalised) {
  const Tensor tensor =
      TensorMaker(ImageMode::kRGB, TensorLayout::kHwc, {.5, 0, 1}, {.5, 2, 1}).Make(TwoPixels()).ValueOrDie();
  EXPECT_THAT(tensor.shape, ElementsAre(1, 2, 3));
  EXPECT_THAT(Values(tensor), ElementsAre(FloatEq(-1), FloatEq(.1f), FloatEq(0), FloatEq((102 / 255.f - .5f) / .5f),
                                          FloatEq(.3f), FloatEq(204 / 255.f - 1)));
}

TEST(ToTensorTest, SixteenBitsAreDividedByTheirMaximum) {
  Image image = Image::Allocate(1, 2, ImageMode::kL16).ValueOrDie();
  reinterpret_cast<uint16_t*>(image.mutable_data())[0] = 65535;
  reinterpret_cast<uint16_t*>(image.mutable_data())[1] = 13107;
  const Tensor tensor = TensorMaker(ImageMode::kL16, TensorLayout::kChw, {}, {}).Make(image).ValueOrDie();
  EXPECT_THAT(Values(tensor), ElementsAre(FloatEq(1), FloatEq(.2f)));
}

}  // namespace
}  // namespace mainstem
