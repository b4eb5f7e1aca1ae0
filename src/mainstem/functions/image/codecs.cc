#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_options.h"
#include "mainstem/functions/image/image_source.h"
#include "mainstem/media/image/decode.h"
#include "mainstem/media/image/encode.h"

namespace mainstem {
namespace {

using Kernel = Result<std::unique_ptr<RowKernel>>;

FunctionDefinition Decode() {
  FunctionDefinition decode;
  decode.name = "image.decode";
  decode.cost = CostClass::kDecode;
  decode.doc =
      "Decodes a JPEG, PNG or WEBP picture (of an animation the first frame) to height × width × channels pixels. The "
      "mode is the stored one where there is such a mode; palettes and CMYK become RGB, transparent ones RGBA. Size "
      "is checked before memory is taken. Truncated or broken bytes are data errors and obey on_error.";
  decode.arguments = {{"source", TypePattern::kBytes, "The encoded picture."}};
  OptionSpec minimum{.name = "minimum_height",
                     .type = OptionType::kInt,
                     .doc = "Set by the planner where a resize follows: a JPEG may be scaled down while it is decoded "
                            "(to 1/8, 1/4 or 1/2) as long as this many rows and minimum_width columns are left.",
                     .minimum = 1};
  OptionSpec minimum_width = minimum;
  minimum_width.name = "minimum_width";
  minimum_width.doc = "Set by the planner; see minimum_height.";
  decode.options = {ModeOption("Mode of the result; None keeps the picture's own."),
                    PixelLimitOption(),
                    {.name = "apply_orientation",
                     .type = OptionType::kBool,
                     .default_value = false,
                     .doc = "Turns the picture upright as its EXIF orientation says."},
                    minimum,
                    minimum_width};
  decode.has_on_error = true;
  decode.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    return LogicalType::Image(ModeOf(signature.options));
  };
  decode.make_row_kernel = [](const BoundSignature& signature) -> Kernel {
    const Options& given = signature.options;
    const DecodeOptions options{.mode = ModeOf(given),
                                .pixel_limit = PixelLimitOf(given),
                                .apply_orientation = given.Bool("apply_orientation"),
                                .minimum_height = static_cast<int32_t>(given.MaybeInt("minimum_height").value_or(0)),
                                .minimum_width = static_cast<int32_t>(given.MaybeInt("minimum_width").value_or(0))};
    return MakeRowKernel([options](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const Bytes bytes, EncodedBytes(arguments[0]));
      ARROW_ASSIGN_OR_RAISE(Image image, DecodeImage(bytes.span(), options));
      return Value(std::move(image));
    });
  };
  return decode;
}

OptionSpec FormatOption(bool required) {
  return {.name = "format",
          .type = OptionType::kString,
          .doc = required ? "The format to write." : "The format to write; None is JPEG.",
          .required = required,
          .choices = {"JPEG", "PNG", "WEBP"}};
}

Result<EncodeOptions> EncodeOptionsOf(const Options& options) {
  EncodeOptions out;
  if (options.Has("format")) {
    ARROW_ASSIGN_OR_RAISE(out.format, ParseImageFormat(options.String("format")));
  }
  if (options.Has("quality")) out.quality = static_cast<int>(options.Int("quality"));
  return out;
}

FunctionDefinition Encode() {
  FunctionDefinition encode;
  encode.name = "image.encode";
  encode.cost = CostClass::kDecode;
  encode.doc =
      "Encodes pixels as JPEG (4:2:0), PNG or WEBP (lossy): bytes, or a data URL (RFC 2397). JPEG has no alpha, it is "
      "dropped; WEBP has colour only. BMP, GIF and TIFF cannot be written.";
  encode.arguments = {{"image", TypePattern::kImage, "The decoded picture."}};
  encode.options = {FormatOption(false),
                    QualityOption(),
                    {.name = "output",
                     .type = OptionType::kString,
                     .default_value = "bytes",
                     .doc = "'bytes', or 'data_url' for text that a web page can show.",
                     .choices = {"bytes", "data_url"}}};
  encode.has_on_error = true;
  encode.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    return signature.options.String("output") == "bytes" ? LogicalType::Binary() : LogicalType::String();
  };
  encode.make_row_kernel = [](const BoundSignature& signature) -> Kernel {
    ARROW_ASSIGN_OR_RAISE(const EncodeOptions options, EncodeOptionsOf(signature.options));
    const bool data_url = signature.options.String("output") == "data_url";
    return MakeRowKernel([options, data_url](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(std::string encoded, EncodeImage(arguments[0].As<Image>(), options));
      return Value(data_url ? DataUrl(options.format, encoded) : std::move(encoded));
    });
  };
  return encode;
}

// Bytes in, bytes out.
FunctionDefinition Reencode(std::string name, std::string doc, std::vector<OptionSpec> options) {
  FunctionDefinition reencode;
  reencode.name = std::move(name);
  reencode.cost = CostClass::kDecode;
  reencode.doc = std::move(doc);
  reencode.arguments = {{"source", TypePattern::kBytes, "The encoded picture."}};
  reencode.options = std::move(options);
  reencode.has_on_error = true;
  reencode.result_type = Always(LogicalType::Binary());
  reencode.make_row_kernel = [](const BoundSignature& signature) -> Kernel {
    ARROW_ASSIGN_OR_RAISE(const EncodeOptions options, EncodeOptionsOf(signature.options));
    return MakeRowKernel([options](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const Bytes bytes, EncodedBytes(arguments[0]));
      ARROW_ASSIGN_OR_RAISE(const Image image, DecodeImage(bytes.span()));
      ARROW_ASSIGN_OR_RAISE(std::string encoded, EncodeImage(image, options));
      return Value(std::move(encoded));
    });
  };
  return reencode;
}

}  // namespace

Status RegisterImageCodecs(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Decode()));
  ARROW_RETURN_NOT_OK(registry.Add(Encode()));
  OptionSpec format = FormatOption(false);
  format.default_value = "JPEG";
  format.doc = "The format to write.";
  ARROW_RETURN_NOT_OK(registry.Add(Reencode(
      "image.compress", "Decodes encoded bytes and encodes them again with the format and quality given.",
      {QualityOption(), format})));
  return registry.Add(Reencode("image.convert_format",
                               "Decodes encoded bytes and encodes them in another format, with quality 85 where that "
                               "has loss.",
                               {FormatOption(true)}));
}

}  // namespace mainstem
