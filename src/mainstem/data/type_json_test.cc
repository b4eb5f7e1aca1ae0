#include "mainstem/data/type_json.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

namespace mainstem {
namespace {

TEST(TypeJson, WritesWhatItReads) {
  const LogicalType types[] = {
      LogicalType::Bool(), LogicalType::Plain(arrow::null()), LogicalType::Binary(), LogicalType::String(),
      LogicalType::Plain(arrow::timestamp(arrow::TimeUnit::MICRO, "Europe/Berlin")),
      LogicalType::Plain(arrow::time32(arrow::TimeUnit::MILLI)), LogicalType::Plain(arrow::time64(arrow::TimeUnit::NANO)),
      LogicalType::Plain(arrow::duration(arrow::TimeUnit::SECOND)), LogicalType::Plain(arrow::decimal128(10, 2)),
      LogicalType::Plain(arrow::fixed_size_binary(16)), LogicalType::Plain(arrow::map(arrow::utf8(), arrow::int64())),
      LogicalType::Image(ImageMode::kRGBA, 2, 3), LogicalType::Tensor(arrow::float32(), {2, 3}),
      LogicalType::Tensor(arrow::int8(), {}), LogicalType::Vector(arrow::float16(), 7), LogicalType::File(),
      LogicalType::Audio(), LogicalType::AudioClip(), LogicalType::VideoClip(),
      LogicalType::List(LogicalType::Struct({{"x", LogicalType::List(LogicalType::Image())}}))};
  for (const LogicalType& type : types) {
    const auto text = TypeToJson(type);
    ASSERT_TRUE(text.ok()) << type.ToString() << text.status();
    const auto again = ParseType(*text);
    ASSERT_TRUE(again.ok()) << *text << again.status();
    EXPECT_TRUE(*again == type) << *text << " became " << again->ToString();
  }
}

TEST(TypeJson, TakesABareWord) {
  EXPECT_TRUE(*ParseType("int64") == LogicalType::Int64());
  EXPECT_TRUE(*ParseType("null") == LogicalType::Plain(arrow::null()));
}

TEST(TypeJson, RefusesWhatIsNotAType) {
  for (const char* text :
       {"", "\"int65\"", "[]", "7", "{}", R"({"type":"list"})", R"({"type":"struct"})",
        R"({"type":"struct","fields":[1]})", R"({"type":"vector","dtype":"float32","dimension":0})",
        R"({"type":"vector","dtype":"float32","dimension":"x"})", R"({"type":"timestamp","unit":"weeks"})",
        R"({"type":"decimal","precision":99,"scale":0})", R"({"type":"tensor","dtype":"float32","shape":[-1]})",
        R"({"type":"tensor","dtype":"float32","shape":[65536,65536,65536,65536]})", "\"\xff\"", "\xff"}) {
    EXPECT_FALSE(ParseType(text).ok()) << text;
  }
}

TEST(TypeJson, RefusesEndlessNesting) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += R"({"type":"list","item":)";
  text += "\"int8\"" + std::string(1000, '}');
  EXPECT_FALSE(ParseType(text).ok());
  EXPECT_FALSE(ParseType(std::string(2'000'000, '[')  + std::string(2'000'000, ']')).ok());
}

}  // namespace
}  // namespace mainstem
