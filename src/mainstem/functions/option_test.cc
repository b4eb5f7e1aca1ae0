#include "mainstem/functions/option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mainstem {
namespace {

using ::testing::HasSubstr;

const std::vector<OptionSpec> kSpecs = {
    {.name = "quality", .type = OptionType::kInt, .default_value = 85, .minimum = 1, .maximum = 100},
    {.name = "format", .type = OptionType::kString, .required = true, .choices = {"JPEG", "PNG"}},
    {.name = "scale", .type = OptionType::kFloat, .minimum = 0},
    {.name = "sides", .type = OptionType::kIntList, .maximum = 9},
    {.name = "exact", .type = OptionType::kBool, .default_value = false}};

std::string ErrorOf(const std::map<std::string, OptionValue>& given) {
  const auto options = Options::Check("image.encode", kSpecs, given);
  EXPECT_FALSE(options.ok());
  EXPECT_EQ(ClassOf(options.status()), ErrorClass::kJob);
  return options.status().message();
}

TEST(Options, FillsDefaultsAndTheCanonicalChoice) {
  const Options options = *Options::Check("f", kSpecs, {{"format", "jpeg"}, {"scale", 2}});
  EXPECT_EQ(options.Int("quality"), 85);
  EXPECT_EQ(options.String("format"), "JPEG");
  EXPECT_EQ(options.Float("scale"), 2.0);
  EXPECT_FALSE(options.Has("sides"));
  EXPECT_FALSE(options.Bool("exact"));
}

TEST(Options, SuggestsTheNearestName) {
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"qualty", 3}}), HasSubstr("quality"));
}

TEST(Options, NamesTheFunctionAndTheLimits) {
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"quality", 0}}), HasSubstr("image.encode: option quality=0"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"quality", 101}}), HasSubstr("between 1 and 100"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"scale", -0.5}}), HasSubstr("at least 0"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"sides", OptionValue::List{1, 10}}}), HasSubstr("at most 9"));
}

TEST(Options, RefusesOtherTypesAndNumbersThatAreNone) {
  EXPECT_THAT(ErrorOf({{"format", 3}}), HasSubstr("takes a string"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"quality", "85"}}), HasSubstr("takes an integer"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"quality", true}}), HasSubstr("takes an integer"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"exact", 1}}), HasSubstr("True or False"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"scale", std::nan("")}}), HasSubstr("takes a number"));
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"sides", OptionValue::List{"a"}}}), HasSubstr("list of integers"));
}

TEST(Options, WantsRequiredOptionsAndListsChoices) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("'format' must be given"));
  EXPECT_THAT(ErrorOf({{"format", OptionValue()}}), HasSubstr("'format' must be given"));
  EXPECT_THAT(ErrorOf({{"format", "GIF"}}), HasSubstr("JPEG, PNG"));
}

TEST(Options, NoneIsTheDefaultOnlyWhereTheDefaultIsNone) {
  EXPECT_TRUE(Options::Check("f", kSpecs, {{"format", "PNG"}, {"scale", OptionValue()}}).ok());
  EXPECT_THAT(ErrorOf({{"format", "PNG"}, {"quality", OptionValue()}}), HasSubstr("cannot be None"));
}

TEST(OptionValue, IdentityTellsApartWhatPrintsAlike) {
  const std::string same(300, 'x');
  EXPECT_NE(OptionValue(same + "a").Identity(), OptionValue(same + "b").Identity());
  EXPECT_NE(OptionValue(1).Identity(), OptionValue("1").Identity());
  EXPECT_NE((OptionValue(OptionValue::List{"a", "b"}).Identity()), (OptionValue(OptionValue::List{"a, b"}).Identity()));
  EXPECT_EQ(OptionValue(same).Identity(), OptionValue(same).Identity());
}

}  // namespace
}  // namespace mainstem
