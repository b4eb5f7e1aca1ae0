#include "mainstem/media/image/geometry.h"

#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_options.h"

namespace mainstem {
namespace {

// The rectangle that the options of image.crop ask for; part of it may depend on the picture.
struct CropRule {
  std::optional<Box> box;             // fixed coordinates
  std::optional<int64_t> width;       // fixed size round the centre
  std::optional<int64_t> height;
  double width_ratio = 1.0;           // share of each side round the centre
  double height_ratio = 1.0;

  Box Of(const Image& image) const {
    if (box) return *box;
    if (width) return CenterBox(image, *width, *height);
    return CenterBox(image, std::max<int64_t>(1, static_cast<int64_t>(image.width * width_ratio)),
                     std::max<int64_t>(1, static_cast<int64_t>(image.height * height_ratio)));
  }
};

Result<CropRule> CropRuleOf(const Options& options) {
  const std::string name = "image.crop";
  const std::string& type = options.String("crop_type");
  CropRule rule;
  if (options.Has("crop_coords")) {
    const std::vector<int64_t> edges = options.IntList("crop_coords");
    ARROW_RETURN_NOT_OK(CheckCount(name, "crop_coords", edges.size(), 4));
    rule.box = Box{.left = edges[0], .top = edges[1], .right = edges[2], .bottom = edges[3]};
    if (edges[2] <= edges[0] || edges[3] <= edges[1]) {
      return JobError(name + ": crop_coords is [left, top, right, bottom] with right > left and bottom > top");
    }
    ARROW_RETURN_NOT_OK(CheckResultSize(name, edges[3] - edges[1], edges[2] - edges[0]));
    return rule;
  }
  if (type == "coordinate") return JobError(name + ": crop_type='coordinate' needs crop_coords");
  if (options.Has("crop_size")) {
    if (type != "center") return JobError(name + ": crop_size goes with crop_type='center'");
    const std::vector<int64_t> size = options.IntList("crop_size");
    ARROW_RETURN_NOT_OK(CheckCount(name, "crop_size", size.size(), 2));
    rule.width = size[0];
    rule.height = size[1];
    ARROW_RETURN_NOT_OK(CheckResultSize(name, size[1], size[0]));
    return rule;
  }
  const std::vector<double> ratio = options.FloatList("crop_ratio");
  ARROW_RETURN_NOT_OK(CheckCount(name, "crop_ratio", ratio.size(), 2));
  if (ratio[0] <= 0 || ratio[1] <= 0) return JobError(name + ": crop_ratio must be above 0");
  rule.width_ratio = ratio[0];
  rule.height_ratio = ratio[1];
  return rule;
}

std::vector<OptionSpec> CropOptions() {
  return {{.name = "crop_coords",
           .type = OptionType::kIntList,
           .doc = "[left, top, right, bottom] in pixels, right and bottom exclusive; overrides crop_type. What lies "
                  "outside the picture is zero.",
           .minimum = -(1 << 30),
           .maximum = 1 << 30},
          {.name = "crop_type",
           .type = OptionType::kString,
           .default_value = "center",
           .doc = "'coordinate' takes crop_coords; 'ratio' takes crop_ratio round the centre; 'center' takes crop_size "
                  "round the centre, or crop_ratio where no size is given.",
           .choices = {"coordinate", "ratio", "center"}},
          {.name = "crop_ratio",
           .type = OptionType::kFloatList,
           .default_value = OptionValue::List{0.8, 0.8},
           .doc = "[width, height] as shares of the picture's sides, rounded down to pixels, at least one.",
           .minimum = 0,
           .maximum = 1},
          {.name = "crop_size",
           .type = OptionType::kIntList,
           .doc = "[width, height] in pixels; what lies outside the picture is zero.",
           .minimum = 1,
           .maximum = 1 << 30}};
}

FunctionDefinition Crop() {
  FunctionDefinition crop;
  crop.name = "image.crop";
  crop.doc = "Cuts a rectangle out of the picture: by coordinates, by size or by share of its sides.";
  crop.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  crop.options = CropOptions();
  crop.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_ASSIGN_OR_RAISE(const CropRule rule, CropRuleOf(signature.options));
    const auto mode = signature.arguments[0].image_mode();
    const auto fixed = [&](int64_t height, int64_t width) {
      return LogicalType::Image(mode, static_cast<int32_t>(height), static_cast<int32_t>(width));
    };
    if (rule.box) return fixed(rule.box->bottom - rule.box->top, rule.box->right - rule.box->left);
    if (rule.width) return fixed(*rule.height, *rule.width);
    return LogicalType::Image(mode);
  };
  crop.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    ARROW_ASSIGN_OR_RAISE(const CropRule rule, CropRuleOf(signature.options));
    return MakeRowKernel([rule](std::span<const Value> arguments) -> Result<Value> {
      const Image& image = arguments[0].As<Image>();
      ARROW_ASSIGN_OR_RAISE(Image out, CropImage(image, rule.Of(image)));
      return Value(std::move(out));
    });
  };
  return crop;
}

FunctionDefinition FlipDefinition() {
  FunctionDefinition flip;
  flip.name = "image.flip";
  flip.doc =
      "Mirrors the picture left to right ('horizontal') or top to bottom ('vertical'), or turns it by 180 degrees.";
  flip.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  flip.options = {{.name = "mode",
                   .type = OptionType::kString,
                   .default_value = "horizontal",
                   .doc = "'horizontal', 'vertical' or 'rotate180'.",
                   .choices = {"horizontal", "vertical", "rotate180"}}};
  flip.result_type = SameAsArgument(0);
  flip.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    const std::string& mode = signature.options.String("mode");
    const Flip kind = mode == "horizontal" ? Flip::kHorizontal
                      : mode == "vertical" ? Flip::kVertical
                                           : Flip::kRotate180;
    return MakeRowKernel([kind](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(Image out, FlipImage(arguments[0].As<Image>(), kind));
      return Value(std::move(out));
    });
  };
  return flip;
}

}  // namespace

Status RegisterImageGeometry(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Crop()));
  return registry.Add(FlipDefinition());
}

}  // namespace mainstem
