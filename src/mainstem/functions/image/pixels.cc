#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_options.h"
#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/to_tensor.h"

namespace mainstem {
namespace {

FunctionDefinition ConvertModeDefinition() {
  FunctionDefinition convert;
  convert.name = "image.convert_mode";
  convert.doc =
      "Changes the channels: L (grey), LA, RGB, RGBA with 8 bits a sample, L16 with 16. Grey is 0.299 R + 0.587 G + "
      "0.114 B (ITU-R 601, as Pillow); a new alpha is opaque; 8 and 16 bits are converted linearly (· 257, / 257).";
  convert.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  OptionSpec mode = ModeOption("The mode of the result.");
  mode.required = true;
  convert.options = {mode};
  convert.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    const LogicalType& in = signature.arguments[0];
    return LogicalType::Image(ModeOf(signature.options), in.image_height(), in.image_width());
  };
  convert.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([mode = *ModeOf(signature.options)](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(Image out, ConvertMode(arguments[0].As<Image>(), mode));
      return Value(std::move(out));
    });
  };
  return convert;
}

// What one call of image.to_tensor was bound to.
struct TensorRule {
  int32_t height = 0;
  int32_t width = 0;
  ImageMode mode = ImageMode::kRGB;
  TensorLayout layout = TensorLayout::kChw;
  std::vector<double> mean;
  std::vector<double> std;

  std::vector<int64_t> shape() const {
    const int64_t channels = Channels(mode);
    if (layout == TensorLayout::kChw) return {channels, height, width};
    return {height, width, channels};
  }
};

Result<TensorRule> TensorRuleOf(const BoundSignature& signature) {
  constexpr char kName[] = "image.to_tensor";
  const Options& options = signature.options;
  TensorRule rule{.height = static_cast<int32_t>(options.Int("height")),
                  .width = static_cast<int32_t>(options.Int("width")),
                  .mode = *ModeOf(options),
                  .layout = options.String("layout") == "CHW" ? TensorLayout::kChw : TensorLayout::kHwc};
  ARROW_RETURN_NOT_OK(CheckResultSize(kName, rule.height, rule.width));
  const auto channels = static_cast<size_t>(Channels(rule.mode));
  if (options.Has("mean")) {
    rule.mean = options.FloatList("mean");
    ARROW_RETURN_NOT_OK(CheckCount(kName, "mean", rule.mean.size(), channels));
  }
  if (options.Has("std")) {
    rule.std = options.FloatList("std");
    ARROW_RETURN_NOT_OK(CheckCount(kName, "std", rule.std.size(), channels));
    for (const double value : rule.std) {
      if (value <= 0) return JobError(fmt::format("{}: option 'std' must be above 0", kName));
    }
  }
  const LogicalType& in = signature.arguments[0];
  if (in.image_mode().value_or(rule.mode) != rule.mode) {
    return JobError(fmt::format("{0}: the pictures are {1}, not {2}; call convert_mode('{2}') first, or give mode='{1}'",
                                kName, ToString(*in.image_mode()), ToString(rule.mode)));
  }
  if (in.image_height().value_or(rule.height) != rule.height || in.image_width().value_or(rule.width) != rule.width) {
    return JobError(fmt::format("{}: the pictures are {} × {} pixels, not {} × {}; call resize first", kName,
                                in.image_width().value_or(rule.width), in.image_height().value_or(rule.height),
                                rule.width, rule.height));
  }
  return rule;
}

FunctionDefinition ToTensor() {
  FunctionDefinition to_tensor;
  to_tensor.name = "image.to_tensor";
  to_tensor.doc =
      "Returns float32 numbers of fixed shape, [channels, height, width] or [height, width, channels]: sample / 255 "
      "(65,535 for L16) in [0, 1], then (value - mean) / std of each channel where given. Nothing is resized or "
      "converted: a picture of another size or mode gives null.";
  to_tensor.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  OptionSpec mode = ModeOption("The mode that the pictures must have.");
  mode.default_value = "RGB";
  to_tensor.options = {SideOption("width"),
                       SideOption("height"),
                       mode,
                       {.name = "layout",
                        .type = OptionType::kString,
                        .default_value = "CHW",
                        .doc = "Order of the axes.",
                        .choices = {"CHW", "HWC"}},
                       {.name = "mean",
                        .type = OptionType::kFloatList,
                        .doc = "Subtracted from each channel after scaling to [0, 1]; one number a channel."},
                       {.name = "std",
                        .type = OptionType::kFloatList,
                        .doc = "Divides each channel after that; one number above 0 a channel."}};
  to_tensor.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_ASSIGN_OR_RAISE(const TensorRule rule, TensorRuleOf(signature));
    return LogicalType::Tensor(arrow::float32(), rule.shape());
  };
  to_tensor.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    ARROW_ASSIGN_OR_RAISE(const TensorRule rule, TensorRuleOf(signature));
    const TensorMaker maker(rule.mode, rule.layout, rule.mean, rule.std);
    return MakeRowKernel([rule, maker](std::span<const Value> arguments) -> Result<Value> {
      const Image& image = arguments[0].As<Image>();
      if (image.mode != rule.mode || image.height != rule.height || image.width != rule.width) return Value();
      ARROW_ASSIGN_OR_RAISE(Tensor tensor, maker.Make(image));
      return Value(std::move(tensor));
    });
  };
  return to_tensor;
}

}  // namespace

Status RegisterImagePixels(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(ConvertModeDefinition()));
  return registry.Add(ToTensor());
}

}  // namespace mainstem
