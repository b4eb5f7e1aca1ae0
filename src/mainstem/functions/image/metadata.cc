#include "mainstem/functions/image/families.h"
#include "mainstem/functions/image/image_source.h"

namespace mainstem {
namespace {

constexpr char kSourceDoc[] = "The picture, decoded or encoded; of encoded ones only the header is read.";

// Facts, or nothing where the bytes have no readable header; other errors are passed on.
Result<std::optional<ImageFacts>> FactsOrNothing(const Value& value) {
  Result<ImageFacts> facts = ReadImageFacts(value);
  if (facts.ok()) return std::optional(*facts);
  if (ClassOf(facts.status()) == ErrorClass::kRow) return std::optional<ImageFacts>();
  return facts.status();
}

FunctionDefinition Metadata() {
  FunctionDefinition metadata;
  metadata.name = "image.metadata";
  metadata.doc =
      "Returns width and height in pixels, channels, mode and format. Mode is the stored one in Pillow's names ('1', "
      "'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16'); format is 'JPEG', 'PNG' or 'WEBP', and 'UNKNOWN' for decoded "
      "pictures. Null where the header cannot be read.";
  metadata.arguments = {{"source", TypePattern::kImageOrBytes, kSourceDoc}};
  metadata.result_type = Always(LogicalType::Struct({{"width", LogicalType::Int32()},
                                                     {"height", LogicalType::Int32()},
                                                     {"channels", LogicalType::Int32()},
                                                     {"mode", LogicalType::String()},
                                                     {"format", LogicalType::String()}}));
  metadata.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const std::optional<ImageFacts> facts, FactsOrNothing(arguments[0]));
      if (!facts) return Value();
      return Value(StructValue{{Value(facts->width), Value(facts->height), Value(facts->channels),
                                Value(std::string(facts->mode)),
                                Value(std::string(facts->format ? ToString(*facts->format) : "UNKNOWN"))}});
    });
  };
  return metadata;
}

FunctionDefinition AspectRatio() {
  FunctionDefinition ratio;
  ratio.name = "image.aspect_ratio";
  ratio.doc = "Returns width / height. Null where the header cannot be read.";
  ratio.arguments = {{"source", TypePattern::kImageOrBytes, kSourceDoc}};
  ratio.result_type = Always(LogicalType::Float64());
  ratio.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([](std::span<const Value> arguments) -> Result<Value> {
      ARROW_ASSIGN_OR_RAISE(const std::optional<ImageFacts> facts, FactsOrNothing(arguments[0]));
      if (!facts) return Value();
      return Value(static_cast<double>(facts->width) / facts->height);
    });
  };
  return ratio;
}

}  // namespace

Status RegisterImageMetadata(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Metadata()));
  return registry.Add(AspectRatio());
}

}  // namespace mainstem
