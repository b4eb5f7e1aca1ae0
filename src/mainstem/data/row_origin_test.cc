// Row origins: equal where place and number are, and nowhere else.
#include "mainstem/data/row_origin.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mainstem {
namespace {

std::vector<std::string> Texts(const Result<std::shared_ptr<arrow::Array>>& origins) {
  std::vector<std::string> texts;
  EXPECT_TRUE(origins.ok()) << origins.status();
  if (!origins.ok()) return texts;
  EXPECT_TRUE((*origins)->ValidateFull().ok());
  const auto& array = static_cast<const arrow::LargeBinaryArray&>(**origins);
  for (int64_t i = 0; i < array.length(); ++i) texts.emplace_back(array.IsNull(i) ? "null" : array.GetString(i));
  return texts;
}

std::shared_ptr<arrow::Array> Numbers(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

constexpr OriginPlace kA = {'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
constexpr OriginPlace kB = {'b'};

TEST(RowOrigin, IsThePlaceAndTheNumber) {
  const auto texts = Texts(MakeOrigins(kA, 258, 2));
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0], std::string(16, 'a') + std::string("\x02\x01\0\0\0\0\0\0", 8));
  EXPECT_EQ(texts[1], std::string(16, 'a') + std::string("\x03\x01\0\0\0\0\0\0", 8));
}

TEST(RowOrigin, DependsOnNothingButPlaceAndNumber) {
  const auto whole = Texts(MakeOrigins(kA, 0, 10));
  const auto rest = Texts(MakeOrigins(kA, 4, 6));
  EXPECT_EQ(std::vector<std::string>(whole.begin() + 4, whole.end()), rest);
  std::set<std::string> all(whole.begin(), whole.end());
  for (const std::string& text : Texts(MakeOrigins(kB, 0, 10))) all.insert(text);
  EXPECT_EQ(all.size(), 20u);
}

TEST(RowOrigin, ChildrenAreToldApartByTheirOrdinals) {
  const auto parents = MakeOrigins(kA, 7, 3).ValueOrDie();
  const auto texts = Texts(ExtendedOrigins(*parents, *Numbers({0, 1, 513})));
  const auto expected = Texts(parents);
  EXPECT_EQ(texts[0], expected[0] + std::string(8, '\0'));
  EXPECT_EQ(texts[1], expected[1] + std::string("\x01\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(texts[2], expected[2] + std::string("\x01\x02\0\0\0\0\0\0", 8));
  EXPECT_EQ(Texts(ExtendedOrigins(*parents->Slice(1, 1), *Numbers({1})))[0], texts[1]);
}

TEST(RowOrigin, RefusesWhatDoesNotBelongTogether) {
  const auto parents = MakeOrigins(kA, 0, 2).ValueOrDie();
  EXPECT_FALSE(ExtendedOrigins(*parents, *Numbers({0})).ok());
  EXPECT_FALSE(ExtendedOrigins(*Numbers({0, 1}), *Numbers({0, 1})).ok());
}

}  // namespace
}  // namespace mainstem
