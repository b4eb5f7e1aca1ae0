#include <fmt/format.h>

#include <limits>

#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_options.h"
#include "mainstem/functions/image/image_source.h"

namespace mainstem {
namespace {

constexpr char kSourceDoc[] = "The picture, decoded or encoded; of encoded ones only the header is read.";

// A bound of a filter; without a value it does not hold anything back.
OptionSpec Bound(std::string name, OptionType type, std::string doc) {
  return {.name = std::move(name), .type = type, .doc = std::move(doc), .minimum = 0};
}

using Test = std::function<bool(const ImageFacts&)>;

// A predicate on the header: bytes without a readable one answer false.
FunctionDefinition HeaderPredicate(std::string name, std::string doc, std::vector<OptionSpec> options,
                                   std::function<Result<Test>(const Options&)> bind) {
  FunctionDefinition predicate;
  predicate.name = std::move(name);
  predicate.doc = std::move(doc);
  predicate.arguments = {{"source", TypePattern::kImageOrBytes, kSourceDoc}};
  predicate.options = std::move(options);
  predicate.null_is_false = true;
  predicate.result_type = [bind](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_RETURN_NOT_OK(bind(signature.options).status());
    return LogicalType::Bool();
  };
  predicate.make_row_kernel = [bind](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    ARROW_ASSIGN_OR_RAISE(Test test, bind(signature.options));
    return MakeRowKernel([test = std::move(test)](std::span<const Value> arguments) -> Result<Value> {
      const Result<ImageFacts> facts = ReadImageFacts(arguments[0]);
      if (facts.ok()) return Value(test(*facts));
      if (ClassOf(facts.status()) == ErrorClass::kRow) return Value(false);
      return facts.status();
    });
  };
  return predicate;
}

Status CheckSomeBound(const std::string& function, const Options& options, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (options.Has(name)) return Status::OK();
  }
  return JobError(fmt::format("{}: give at least one bound", function));
}

FunctionDefinition IsValid() {
  return HeaderPredicate(
      "image.is_valid",
      "Says whether the header is that of a JPEG, PNG or WEBP picture within the limit; pixels are not decoded and may "
      "still be broken. False for null.",
      {ModeOption("Also asks that decoding gives this mode."), PixelLimitOption()},
      [](const Options& options) -> Result<Test> {
        return [mode = ModeOf(options), limit = PixelLimitOf(options)](const ImageFacts& facts) {
          return int64_t{facts.width} * facts.height <= limit && facts.width <= kMaxImageSide &&
                 facts.height <= kMaxImageSide && mode.value_or(facts.decoded_mode) == facts.decoded_mode;
        };
      });
}

FunctionDefinition SizeFilter() {
  return HeaderPredicate(
      "image.size_filter", "Says whether width and height are within the bounds given (inclusive). False for null.",
      {Bound("min_w", OptionType::kInt, "Least width in pixels."),
       Bound("min_h", OptionType::kInt, "Least height in pixels."),
       Bound("max_w", OptionType::kInt, "Most width in pixels."),
       Bound("max_h", OptionType::kInt, "Most height in pixels.")},
      [](const Options& options) -> Result<Test> {
        ARROW_RETURN_NOT_OK(CheckSomeBound("image.size_filter", options, {"min_w", "min_h", "max_w", "max_h"}));
        constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
        return [min_w = options.MaybeInt("min_w").value_or(0), min_h = options.MaybeInt("min_h").value_or(0),
                max_w = options.MaybeInt("max_w").value_or(kMost),
                max_h = options.MaybeInt("max_h").value_or(kMost)](const ImageFacts& facts) {
          return facts.width >= min_w && facts.width <= max_w && facts.height >= min_h && facts.height <= max_h;
        };
      });
}

FunctionDefinition ShapeFilter() {
  return HeaderPredicate(
      "image.shape_filter", "Says whether width / height is within the bounds given (inclusive). False for null.",
      {Bound("min_ratio", OptionType::kFloat, "Least aspect ratio."),
       Bound("max_ratio", OptionType::kFloat, "Greatest aspect ratio.")},
      [](const Options& options) -> Result<Test> {
        ARROW_RETURN_NOT_OK(CheckSomeBound("image.shape_filter", options, {"min_ratio", "max_ratio"}));
        constexpr double kMost = std::numeric_limits<double>::infinity();
        return [least = options.MaybeFloat("min_ratio").value_or(0),
                most = options.MaybeFloat("max_ratio").value_or(kMost)](const ImageFacts& facts) {
          const double ratio = static_cast<double>(facts.width) / facts.height;
          return ratio >= least && ratio <= most;
        };
      });
}

FunctionDefinition FileSizeFilter() {
  FunctionDefinition filter;
  filter.name = "image.file_size_filter";
  filter.doc =
      "Says whether the number of encoded bytes is within the bounds given (inclusive). False for null and for decoded "
      "pictures.";
  filter.arguments = {{"source", TypePattern::kImageOrBytes, "The encoded picture."}};
  filter.options = {Bound("min_bytes", OptionType::kInt, "Least number of bytes."),
                    Bound("max_bytes", OptionType::kInt, "Most bytes.")};
  filter.null_is_false = true;
  filter.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_RETURN_NOT_OK(CheckSomeBound("image.file_size_filter", signature.options, {"min_bytes", "max_bytes"}));
    return LogicalType::Bool();
  };
  filter.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    const int64_t least = signature.options.MaybeInt("min_bytes").value_or(0);
    const int64_t most = signature.options.MaybeInt("max_bytes").value_or(std::numeric_limits<int64_t>::max());
    return MakeRowKernel([least, most](std::span<const Value> arguments) -> Result<Value> {
      if (arguments[0].Is<Image>()) return Value(false);
      ARROW_ASSIGN_OR_RAISE(const Bytes bytes, EncodedBytes(arguments[0]));
      const auto size = static_cast<int64_t>(bytes.size());
      return Value(size >= least && size <= most);
    });
  };
  return filter;
}

}  // namespace

Status RegisterImagePredicates(Registry& registry) {
  for (const auto& make : {IsValid, SizeFilter, ShapeFilter, FileSizeFilter}) {
    ARROW_RETURN_NOT_OK(registry.Add(make()));
  }
  return Status::OK();
}

}  // namespace mainstem
