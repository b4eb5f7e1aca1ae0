#include <algorithm>
#include <cmath>

#include "mainstem/functions/image/families.h"
#include "mainstem/media/image/convert.h"
#include "mainstem/media/image/hash.h"
#include "mainstem/media/image/resize.h"
#include "mainstem/media/image/sharpness.h"

namespace mainstem {
namespace {

class SharpnessKernel : public RowKernel {
 public:
  SharpnessKernel(std::optional<int64_t> max_edge, bool allow_upscale)
      : max_edge_(max_edge), allow_upscale_(allow_upscale) {}

  Result<Value> Run(std::span<const Value> arguments) override {
    ARROW_ASSIGN_OR_RAISE(Image grey, ConvertMode(arguments[0].As<Image>(), ImageMode::kL));
    const int64_t edge = std::max(grey.width, grey.height);
    if (max_edge_ && (edge > *max_edge_ || (edge < *max_edge_ && allow_upscale_))) {
      const auto scaled = [&](int32_t side) {
        return static_cast<int32_t>(std::max<int64_t>(1, std::llround(static_cast<double>(side) * *max_edge_ / edge)));
      };
      ARROW_ASSIGN_OR_RAISE(grey, resizer_.Resize(grey, scaled(grey.height), scaled(grey.width)));
    }
    ARROW_ASSIGN_OR_RAISE(const double sharpness, Sharpness(grey));
    return Value(sharpness);
  }

 private:
  Resizer resizer_{ResizeMethod::kBilinear};
  const std::optional<int64_t> max_edge_;
  const bool allow_upscale_;
};

class HashKernel : public RowKernel {
 public:
  explicit HashKernel(HashMethod method) : hasher_(method) {}
  Result<Value> Run(std::span<const Value> arguments) override {
    ARROW_ASSIGN_OR_RAISE(const uint64_t hash, hasher_.Hash(arguments[0].As<Image>()));
    return Value(HashText(hash));
  }

 private:
  ImageHasher hasher_;
};

FunctionDefinition SharpnessDefinition() {
  constexpr double kMaxEdge = 13'000;  // squared still below the limit of a result
  FunctionDefinition sharpness;
  sharpness.name = "image.sharpness";
  sharpness.cost = CostClass::kHeavy;
  sharpness.doc =
      "Returns the variance of the 4-neighbour Laplacian of the grey picture (0 … 255) over its inner pixels: near 0 "
      "for blurred pictures, unbounded above. It depends on the size; max_edge makes pictures comparable.";
  sharpness.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  sharpness.options = {{.name = "max_edge",
                        .type = OptionType::kInt,
                        .doc = "Scales pictures whose longer side is greater down to it first (bilinear); None does "
                               "not.",
                        .minimum = 1,
                        .maximum = kMaxEdge},
                       {.name = "allow_upscale",
                        .type = OptionType::kBool,
                        .default_value = false,
                        .doc = "Scales smaller pictures up to max_edge too."}};
  sharpness.result_type = Always(LogicalType::Float64());
  sharpness.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return std::make_unique<SharpnessKernel>(signature.options.MaybeInt("max_edge"),
                                             signature.options.Bool("allow_upscale"));
  };
  return sharpness;
}

FunctionDefinition Hash() {
  FunctionDefinition hash;
  hash.name = "image.hash";
  hash.cost = CostClass::kHeavy;
  hash.doc =
      "Returns a perceptual hash of 64 bits as 16 hexadecimal digits, equal to the Python library imagehash; pictures "
      "that look alike differ in few bits. phash: low frequencies of the 32 × 32 cosine transform above their median; "
      "dhash: brighter than the left neighbour at 9 × 8; ahash: above the mean at 8 × 8.";
  hash.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  hash.options = {{.name = "method",
                   .type = OptionType::kString,
                   .default_value = "phash",
                   .doc = "'phash', 'dhash' or 'ahash'.",
                   .choices = {"phash", "dhash", "ahash"}}};
  hash.result_type = Always(LogicalType::String());
  hash.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    const std::string& name = signature.options.String("method");
    const HashMethod method = name == "phash"   ? HashMethod::kPerceptual
                              : name == "dhash" ? HashMethod::kDifference
                                                : HashMethod::kAverage;
    return std::make_unique<HashKernel>(method);
  };
  return hash;
}

}  // namespace

Status RegisterImageQuality(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(SharpnessDefinition()));
  return registry.Add(Hash());
}

}  // namespace mainstem
