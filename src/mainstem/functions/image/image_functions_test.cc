#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "mainstem/functions/builtin.h"
#include "mainstem/media/image/decode.h"
#include "mainstem/media/image/encode.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using Given = std::map<std::string, OptionValue>;

class ImageFunctionsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(RegisterImageFunctions(registry_).ok()); }

  Result<BoundSignature> Bind(const std::string& name, const LogicalType& type, const Given& given) {
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, registry_.Find(name));
    ARROW_ASSIGN_OR_RAISE(Options options, Options::Check(name, function->options, given));
    return BoundSignature{.arguments = {type}, .options = std::move(options)};
  }
  Result<LogicalType> TypeOf(const std::string& name, const LogicalType& type, const Given& given = {}) {
    ARROW_ASSIGN_OR_RAISE(const BoundSignature signature, Bind(name, type, given));
    return (*registry_.Find(name))->result_type(signature);
  }
  Result<Value> Call(const std::string& name, const Value& value, const Given& given = {}) {
    const LogicalType type = value.Is<Image>() ? LogicalType::Image() : LogicalType::Binary();
    ARROW_ASSIGN_OR_RAISE(const BoundSignature signature, Bind(name, type, given));
    ARROW_RETURN_NOT_OK((*registry_.Find(name))->result_type(signature).status());
    ARROW_ASSIGN_OR_RAISE(const auto kernel, (*registry_.Find(name))->make_row_kernel(signature));
    return kernel->Run(std::span(&value, 1));
  }

  Registry registry_;
};

// Samples 0, 1, 2, … row by row.
Image Numbered(int32_t height, int32_t width, ImageMode mode = ImageMode::kRGB) {
  Image image = Image::Allocate(height, width, mode).ValueOrDie();
  std::iota(image.mutable_data(), image.mutable_data() + image.size_bytes(), uint8_t{0});
  return image;
}

Value Png(const Image& image) { return EncodeImage(image, {.format = ImageFormat::kPng}).ValueOrDie(); }

std::string Text(const Value& value) { return std::string(value.As<Bytes>().view()); }

TEST_F(ImageFunctionsTest, EveryFunctionIsDocumented) {
  for (const FunctionDefinition* function : registry_.All()) {
    EXPECT_GT(function->doc.size(), 30u) << function->name;
    EXPECT_TRUE(function->result_type && function->make_row_kernel) << function->name;
    for (const OptionSpec& option : function->options) EXPECT_FALSE(option.doc.empty()) << option.name;
  }
}

TEST_F(ImageFunctionsTest, DecodeGivesPixelsInTheModeAskedFor) {
  const Image image = Numbered(2, 3);
  const Value decoded = Call("image.decode", Png(image)).ValueOrDie();
  EXPECT_EQ(decoded.As<Image>().mode, ImageMode::kRGB);
  EXPECT_TRUE(std::equal(image.data(), image.data() + image.size_bytes(), decoded.As<Image>().data()));
  EXPECT_EQ(Call("image.decode", Png(image), {{"mode", "la"}})->As<Image>().mode, ImageMode::kLA);
  EXPECT_EQ(TypeOf("image.decode", LogicalType::Binary(), {{"mode", "L"}})->ToString(),
            LogicalType::Image(ImageMode::kL).ToString());
}

TEST_F(ImageFunctionsTest, DecodeReadsTheBytesOfAFetchedFile) {
  FileReference file{.uri = "photo.png", .data = Png(Numbered(2, 3)).As<Bytes>()};
  EXPECT_EQ(Call("image.decode", file)->As<Image>().width, 3);
}

TEST_F(ImageFunctionsTest, DecodeRefusesBrokenBytesAsARowAndBadOptionsAsAJob) {
  EXPECT_EQ(ClassOf(Call("image.decode", Value(std::string("no picture"))).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Call("image.decode", Png(Numbered(2, 3)), {{"pixel_limit", 5}}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Call("image.decode", Png(Numbered(2, 3)), {{"mode", "CMYK"}}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Call("image.decode", Png(Numbered(2, 3)), {{"pixel_limit", 0}}).status()), ErrorClass::kJob);
}

TEST_F(ImageFunctionsTest, EncodeWritesBytesOrADataUrl) {
  const Image image = Numbered(4, 4);
  EXPECT_THAT(Text(*Call("image.encode", image)), ::testing::StartsWith("\xff\xd8\xff"));
  EXPECT_THAT(Text(*Call("image.encode", image, {{"format", "webp"}})), ::testing::StartsWith("RIFF"));
  EXPECT_THAT(Text(*Call("image.encode", image, {{"format", "PNG"}, {"output", "data_url"}})),
              ::testing::StartsWith("data:image/png;base64,iVBORw0KGgo"));
  EXPECT_TRUE(TypeOf("image.encode", LogicalType::Image())->IsBytes());
  EXPECT_TRUE(TypeOf("image.encode", LogicalType::Image(), {{"output", "data_url"}})->IsText());
  const Status status = Call("image.encode", image, {{"format", "TIFF"}}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_THAT(status.message(), HasSubstr("JPEG, PNG, WEBP"));
}

TEST_F(ImageFunctionsTest, CompressAndConvertFormatWriteAgain) {
  const Value png = Png(Numbered(4, 4));
  EXPECT_THAT(Text(*Call("image.compress", png)), ::testing::StartsWith("\xff\xd8\xff"));
  EXPECT_THAT(Text(*Call("image.convert_format", png, {{"format", "WEBP"}})), ::testing::StartsWith("RIFF"));
  EXPECT_EQ(ClassOf(Call("image.convert_format", png).status()), ErrorClass::kJob);
}

TEST_F(ImageFunctionsTest, ResizeFixesTheSizeInItsType) {
  const LogicalType in = LogicalType::Image(ImageMode::kL);
  const Given options = {{"width", 7}, {"height", 5}};
  EXPECT_TRUE(*TypeOf("image.resize", in, options) == LogicalType::Image(ImageMode::kL, 5, 7));
  const Value resized = Call("image.resize", Numbered(20, 30), options).ValueOrDie();
  EXPECT_EQ(resized.As<Image>().width, 7);
  EXPECT_EQ(resized.As<Image>().height, 5);
  EXPECT_EQ(ClassOf(Call("image.resize", Numbered(2, 2), {{"width", 7}}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(TypeOf("image.resize", in, {{"width", 100'000}, {"height", 100'000}}).status()), ErrorClass::kJob);
}

TEST_F(ImageFunctionsTest, ResizeToTheSameSizeSharesThePixels) {
  const Image image = Numbered(5, 7);
  EXPECT_EQ(Call("image.resize", image, {{"width", 7}, {"height", 5}})->As<Image>().pixels, image.pixels);
}

TEST_F(ImageFunctionsTest, RescaleRoundsAndKeepsOnePixel) {
  EXPECT_EQ(Call("image.rescale", Numbered(10, 13), {{"scale", .5}})->As<Image>().width, 6);
  EXPECT_EQ(Call("image.rescale", Numbered(10, 13), {{"scale", .01}})->As<Image>().height, 1);
  EXPECT_EQ(ClassOf(Call("image.rescale", Numbered(10, 13), {{"scale", 1e6}}).status()), ErrorClass::kRow);
}

TEST_F(ImageFunctionsTest, CropByCoordinatesSizeAndRatio) {
  const Image image = Numbered(10, 10, ImageMode::kL);
  const auto first_sample_and_size = [&](const Given& given) {
    const Image out = Call("image.crop", image, given)->As<Image>();
    return std::tuple(int{out.data()[0]}, out.width, out.height);
  };
  EXPECT_EQ(first_sample_and_size({{"crop_coords", OptionValue::List{2, 3, 5, 4}}}), std::tuple(32, 3, 1));
  EXPECT_EQ(first_sample_and_size({}), std::tuple(11, 8, 8));
  EXPECT_EQ(first_sample_and_size({{"crop_size", OptionValue::List{4, 2}}}), std::tuple(43, 4, 2));
  EXPECT_EQ(first_sample_and_size({{"crop_type", "ratio"}, {"crop_ratio", OptionValue::List{.2, 1.0}}}),
            std::tuple(4, 2, 10));
  EXPECT_TRUE(*TypeOf("image.crop", LogicalType::Image(ImageMode::kL), {{"crop_size", OptionValue::List{4, 2}}}) ==
              LogicalType::Image(ImageMode::kL, 2, 4));
}

TEST_F(ImageFunctionsTest, CropRefusesOptionsThatDoNotFit) {
  const Image image = Numbered(10, 10);
  for (const Given& given : {Given{{"crop_type", "coordinate"}}, Given{{"crop_coords", OptionValue::List{1, 2, 3}}},
                             Given{{"crop_coords", OptionValue::List{5, 0, 5, 9}}},
                             Given{{"crop_ratio", OptionValue::List{0, .5}}},
                             Given{{"crop_type", "ratio"}, {"crop_size", OptionValue::List{4, 4}}},
                             Given{{"crop_size", OptionValue::List{1 << 20, 1 << 20}}}}) {
    EXPECT_EQ(ClassOf(Call("image.crop", image, given).status()), ErrorClass::kJob);
  }
}

TEST_F(ImageFunctionsTest, FlipAndConvertMode) {
  const Image image = Numbered(1, 3, ImageMode::kL);
  EXPECT_EQ(Call("image.flip", image)->As<Image>().data()[0], 2);
  EXPECT_EQ(Call("image.flip", image, {{"mode", "vertical"}})->As<Image>().data()[0], 0);
  EXPECT_EQ(Call("image.convert_mode", image, {{"mode", "RGB"}})->As<Image>().data()[5], 1);
  EXPECT_TRUE(*TypeOf("image.convert_mode", LogicalType::Image(ImageMode::kL, 2, 3), {{"mode", "RGB"}}) ==
              LogicalType::Image(ImageMode::kRGB, 2, 3));
}

TEST_F(ImageFunctionsTest, ToTensorScalesAndNormalises) {
  const Given size = {{"width", 2}, {"height", 1}};
  const Value tensor = Call("image.to_tensor", Numbered(1, 2), size).ValueOrDie();
  EXPECT_THAT(tensor.As<Tensor>().shape, ::testing::ElementsAre(3, 1, 2));
  EXPECT_FLOAT_EQ(tensor.As<Tensor>().data<float>()[1], 3 / 255.f);
  Given normalised = size;
  normalised["layout"] = "hwc";
  normalised["mean"] = OptionValue::List{0, 0, 1};
  normalised["std"] = OptionValue::List{1, .5, 1};
  const Value other = Call("image.to_tensor", Numbered(1, 2), normalised).ValueOrDie();
  EXPECT_THAT(other.As<Tensor>().shape, ::testing::ElementsAre(1, 2, 3));
  EXPECT_FLOAT_EQ(other.As<Tensor>().data<float>()[4], 4 / 255.f / .5f);
  EXPECT_FLOAT_EQ(other.As<Tensor>().data<float>()[5], 5 / 255.f - 1);
}

TEST_F(ImageFunctionsTest, ToTensorGivesNullForOtherPicturesAndRefusesOtherTypes) {
  const Given size = {{"width", 2}, {"height", 1}};
  EXPECT_TRUE(Call("image.to_tensor", Numbered(2, 2), size)->is_null());
  EXPECT_TRUE(Call("image.to_tensor", Numbered(1, 2, ImageMode::kL), size)->is_null());
  EXPECT_THAT(TypeOf("image.to_tensor", LogicalType::Image(ImageMode::kL), size).status().message(),
              HasSubstr("convert_mode('RGB')"));
  EXPECT_THAT(TypeOf("image.to_tensor", LogicalType::Image(ImageMode::kRGB, 9, 9), size).status().message(),
              HasSubstr("resize first"));
  Given wrong = size;
  wrong["mean"] = OptionValue::List{.5};
  EXPECT_THAT(TypeOf("image.to_tensor", LogicalType::Image(), wrong).status().message(), HasSubstr("takes 3 numbers"));
}

TEST_F(ImageFunctionsTest, MetadataReadsHeadersAndPixels) {
  const auto describe = [&](const Value& source) {
    const Value metadata = Call("image.metadata", source).ValueOrDie();
    const std::vector<Value>& fields = metadata.As<StructValue>().fields;
    return fmt::format("{} {} {} {} {}", fields[0].As<int64_t>(), fields[1].As<int64_t>(), fields[2].As<int64_t>(),
                       Text(fields[3]), Text(fields[4]));
  };
  EXPECT_EQ(describe(Png(Numbered(2, 3))), "3 2 3 RGB PNG");
  EXPECT_EQ(describe(Numbered(2, 3, ImageMode::kLA)), "3 2 2 LA UNKNOWN");
  EXPECT_TRUE(Call("image.metadata", Value(std::string("broken")))->is_null());
  EXPECT_TRUE(Call("image.aspect_ratio", Value(std::string("broken")))->is_null());
  EXPECT_DOUBLE_EQ(Call("image.aspect_ratio", Png(Numbered(2, 3)))->As<double>(), 1.5);
}

TEST_F(ImageFunctionsTest, PredicatesAnswerFalseOnBrokenInput) {
  const Value png = Png(Numbered(2, 3));
  const Value broken = Value(std::string("\x89PNG\r\n\x1a\nbroken"));
  const auto answer = [&](const std::string& name, const Value& source, const Given& given = {}) {
    return Call(name, source, given)->As<bool>();
  };
  EXPECT_TRUE(answer("image.is_valid", png));
  EXPECT_FALSE(answer("image.is_valid", broken));
  EXPECT_FALSE(answer("image.is_valid", png, {{"mode", "L"}}));
  EXPECT_FALSE(answer("image.is_valid", png, {{"pixel_limit", 5}}));
  EXPECT_TRUE(answer("image.size_filter", png, {{"min_w", 3}, {"max_h", 2}}));
  EXPECT_FALSE(answer("image.size_filter", png, {{"min_w", 4}}));
  EXPECT_FALSE(answer("image.size_filter", broken, {{"min_w", 1}}));
  EXPECT_TRUE(answer("image.shape_filter", png, {{"min_ratio", 1.5}, {"max_ratio", 1.5}}));
  EXPECT_FALSE(answer("image.shape_filter", png, {{"max_ratio", 1.4}}));
  const auto size = static_cast<int64_t>(png.As<Bytes>().size());
  EXPECT_TRUE(answer("image.file_size_filter", png, {{"min_bytes", size}, {"max_bytes", size}}));
  EXPECT_FALSE(answer("image.file_size_filter", png, {{"min_bytes", size + 1}}));
  EXPECT_FALSE(answer("image.file_size_filter", Numbered(2, 3), {{"min_bytes", 0}}));
  EXPECT_EQ(ClassOf(Call("image.size_filter", png).status()), ErrorClass::kJob);
}

TEST_F(ImageFunctionsTest, SharpnessOfOnePointOfLight) {
  // One white pixel in the middle of 5 × 5: over the nine inner pixels the Laplacian is -4 · 255 once and 255 four
  // times: mean 0, variance (16 + 4) · 255² / 9.
  Image image = Image::Allocate(5, 5, ImageMode::kL).ValueOrDie();
  std::fill_n(image.mutable_data(), 25, 0);
  image.mutable_data()[12] = 255;
  EXPECT_DOUBLE_EQ(Call("image.sharpness", image)->As<double>(), 20 * 255.0 * 255.0 / 9);
  // At 2 × 2 nothing is left inside.
  EXPECT_EQ(Call("image.sharpness", image, {{"max_edge", 2}})->As<double>(), 0.0);
  EXPECT_DOUBLE_EQ(Call("image.sharpness", image, {{"max_edge", 9}})->As<double>(), 20 * 255.0 * 255.0 / 9);
}

TEST_F(ImageFunctionsTest, HashIsHexadecimal) {
  // Brightness grows to the right: every pixel is brighter than its left neighbour.
  Image image = Image::Allocate(8, 9, ImageMode::kL).ValueOrDie();
  for (int i = 0; i < 72; ++i) image.mutable_data()[i] = i % 9 * 20;
  EXPECT_EQ(Text(*Call("image.hash", image, {{"method", "dhash"}})), "ffffffffffffffff");
  EXPECT_EQ(Text(*Call("image.hash", image)).size(), 16u);
  EXPECT_EQ(ClassOf(Call("image.hash", image, {{"method", "md5"}}).status()), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
