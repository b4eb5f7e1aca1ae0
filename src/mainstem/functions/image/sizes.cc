#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_options.h"
#include "mainstem/media/image/header.h"

namespace mainstem {
namespace {

constexpr char kResampling[] =
    " Equal to Pillow's Image.resize: a convolution whose support grows with the factor when the picture shrinks; "
    "pictures with alpha are weighted by it.";

class ResizeKernel : public RowKernel {
 public:
  ResizeKernel(ResizeMethod method, int32_t height, int32_t width)
      : resizer_(method), height_(height), width_(width) {}
  Result<Value> Run(std::span<const Value> arguments) override {
    ARROW_ASSIGN_OR_RAISE(Image image, resizer_.Resize(arguments[0].As<Image>(), height_, width_));
    return Value(std::move(image));
  }

 private:
  Resizer resizer_;
  const int32_t height_;
  const int32_t width_;
};

class RescaleKernel : public RowKernel {
 public:
  RescaleKernel(ResizeMethod method, double scale) : resizer_(method), scale_(scale) {}
  Result<Value> Run(std::span<const Value> arguments) override {
    const Image& image = arguments[0].As<Image>();
    const double height = std::max(1.0, std::nearbyint(image.height * scale_));
    const double width = std::max(1.0, std::nearbyint(image.width * scale_));
    if (height > kMaxImageSide || width > kMaxImageSide || height * width > kDefaultPixelLimit) {
      return RowError(fmt::format("image.rescale: {} × {} pixels scaled by {} are too many", image.width, image.height,
                                  scale_));
    }
    ARROW_ASSIGN_OR_RAISE(Image out, resizer_.Resize(image, static_cast<int32_t>(height), static_cast<int32_t>(width)));
    return Value(std::move(out));
  }

 private:
  Resizer resizer_;
  const double scale_;
};

FunctionDefinition Resize() {
  FunctionDefinition resize;
  resize.name = "image.resize";
  resize.cost = CostClass::kHeavy;
  resize.doc =
      std::string("Returns the picture with the width and height given, whatever its aspect ratio.") + kResampling;
  resize.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  resize.options = {SideOption("width"), SideOption("height"), ResizeMethodOption()};
  resize.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    const int64_t height = signature.options.Int("height");
    const int64_t width = signature.options.Int("width");
    ARROW_RETURN_NOT_OK(CheckResultSize("image.resize", height, width));
    return LogicalType::Image(signature.arguments[0].image_mode(), static_cast<int32_t>(height),
                              static_cast<int32_t>(width));
  };
  resize.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return std::make_unique<ResizeKernel>(ResizeMethodOf(signature.options),
                                          static_cast<int32_t>(signature.options.Int("height")),
                                          static_cast<int32_t>(signature.options.Int("width")));
  };
  return resize;
}

FunctionDefinition Rescale() {
  FunctionDefinition rescale;
  rescale.name = "image.rescale";
  rescale.cost = CostClass::kHeavy;
  rescale.doc =
      std::string("Multiplies both sides by a factor, rounded to whole pixels (half to even), at least one.") +
      kResampling;
  rescale.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  rescale.options = {{.name = "scale",
                      .type = OptionType::kFloat,
                      .doc = "The factor.",
                      .required = true,
                      .minimum = 1e-6,
                      .maximum = 1e6},
                     ResizeMethodOption()};
  rescale.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    return LogicalType::Image(signature.arguments[0].image_mode());
  };
  rescale.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return std::make_unique<RescaleKernel>(ResizeMethodOf(signature.options), signature.options.Float("scale"));
  };
  return rescale;
}

}  // namespace

Status RegisterImageSizes(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Resize()));
  return registry.Add(Rescale());
}

}  // namespace mainstem
