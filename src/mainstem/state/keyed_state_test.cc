#include "mainstem/state/keyed_state.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "mainstem/state/key_group.h"
#include "mainstem/state/keyed_rows.h"

namespace mainstem {
namespace {

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> Column(const std::vector<std::optional<T>>& values) {
  Builder builder;
  for (const auto& value : values) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  return *builder.Finish();
}

KeyedRows KeysOf(const arrow::ArrayVector& columns) {
  arrow::FieldVector fields;
  std::vector<int> positions;
  for (const auto& column : columns) {
    positions.push_back(static_cast<int>(fields.size()));
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), column->type()));
  }
  return *KeyedRows::Make(*arrow::RecordBatch::Make(arrow::schema(fields), columns[0]->length(), columns), positions);
}

// From the XXH3-64 of the reference implementation (python-xxhash 4.1): xxh3_64_intdigest(key) % 128.
TEST(KeyGroup, IsStableOverReleases) {
  EXPECT_EQ(KeyGroupOf(""), 0x2d06800538d394c2 % 128);
  EXPECT_EQ(KeyGroupOf("a"), 0xe6c632b61e964e1f % 128);
  EXPECT_EQ(KeyGroupOf("mainstem"), 0xf0b0d9b95ec6dde5 % 128);
}

TEST(KeyGroup, RunsDifferByOneAtMost) {
  for (int lanes = 1; lanes <= kKeyGroups; ++lanes) {
    std::map<int, int> sizes;
    int before = 0;
    for (int group = 0; group < kKeyGroups; ++group) {
      const int lane = LaneOfKeyGroup(group, lanes);
      EXPECT_TRUE(lane == before || lane == before + 1);
      before = lane;
      ++sizes[lane];
    }
    ASSERT_EQ(sizes.size(), static_cast<size_t>(lanes));
    for (const auto& [lane, size] : sizes) {
      EXPECT_GE(size, kKeyGroups / lanes);
      EXPECT_LE(size, (kKeyGroups + lanes - 1) / lanes);
    }
  }
}

TEST(KeyedRows, AreEqualWhereValuesAreEqual) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const KeyedRows numbers = KeysOf({Column<arrow::DoubleBuilder, double>({0.0, -0.0, nan, -nan, {}, {}, 1.0})});
  EXPECT_EQ(numbers[0], numbers[1]);
  EXPECT_EQ(numbers[2], numbers[3]);
  EXPECT_EQ(numbers[4], numbers[5]);
  EXPECT_EQ((std::set<std::string_view>{numbers[0], numbers[2], numbers[4], numbers[6]}.size()), 4u);
}

TEST(KeyedRows, DoNotRunIntoOneAnother) {
  using Text = std::vector<std::optional<std::string>>;
  const KeyedRows keys = KeysOf({Column<arrow::StringBuilder, std::string>(Text{"ab", "a", "", {}, "", ""}),
                               Column<arrow::StringBuilder, std::string>(Text{"c", "bc", "abc", "", {}, ""})});
  std::set<std::string_view> different;
  for (int64_t row = 0; row < keys.size(); ++row) different.insert(keys[row]);
  EXPECT_EQ(different.size(), 6u);
}

TEST(KeyedRows, ReadSlicesAndEveryPlainType) {
  const auto long_text = Column<arrow::LargeStringBuilder, std::string>(std::vector<std::optional<std::string>>{"x", "y", "x"});
  const auto flags = Column<arrow::BooleanBuilder, bool>(std::vector<std::optional<bool>>{true, false, true});
  const auto small = Column<arrow::Int16Builder, int16_t>(std::vector<std::optional<int16_t>>{7, 7, 7});
  const KeyedRows whole = KeysOf({long_text, flags, small});
  const KeyedRows slice = KeysOf({long_text->Slice(1), flags->Slice(1), small->Slice(1)});
  EXPECT_EQ(whole[0], whole[2]);
  EXPECT_NE(whole[0], whole[1]);
  EXPECT_EQ(slice[0], whole[1]);
  EXPECT_EQ(slice[1], whole[2]);
}

TEST(KeyedRows, RefuseWhatCannotBeCompared) {
  const auto list = *arrow::MakeArrayOfNull(arrow::list(arrow::int64()), 1);
  const auto rows = arrow::RecordBatch::Make(arrow::schema({arrow::field("l", list->type())}), 1, {list});
  EXPECT_EQ(ClassOf(KeyedRows::Make(*rows, {0}).status()), ErrorClass::kJob);
}

TEST(KeyedState, GoesThroughASnapshot) {
  KeyedState state(2);
  bool is_new = false;
  state.At("a", &is_new)[1] = 5;
  EXPECT_TRUE(is_new);
  EXPECT_EQ(state.At("a", &is_new)[1], 5);
  EXPECT_FALSE(is_new);
  state.At(std::string_view("b\0b", 3), &is_new)[0] = -1;

  DeclaredState declared;
  state.DeclareIn(declared, "words");
  const Snapshot taken = declared.Take();

  KeyedState other(2);
  other.At("old", &is_new);
  DeclaredState of_other;
  other.DeclareIn(of_other, "words");
  ASSERT_TRUE(of_other.Restore(taken).ok());
  EXPECT_EQ(other.size(), 2);
  EXPECT_EQ(other.At("a", &is_new)[1], 5);
  EXPECT_FALSE(is_new);
  EXPECT_EQ(other.At(std::string_view("b\0b", 3), &is_new)[0], -1);
  EXPECT_FALSE(is_new);
}

TEST(KeyedState, SaysWhenItIsTooLarge) {
  KeyedState state(1);
  bool is_new = false;
  for (int i = 0; i < 1000; ++i) state.At(std::to_string(i), &is_new);
  EXPECT_TRUE(state.CheckBytes(1 << 20, "over").ok());
  const Status status = state.CheckBytes(10'000, "over");
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_NE(status.message().find("1000 keys"), std::string::npos) << status.message();
}

TEST(KeyedState, RefusesASnapshotOfAnotherForm) {
  KeyedState one(1);
  KeyedState two(2);
  DeclaredState of_one;
  DeclaredState of_two;
  one.DeclareIn(of_one, "words");
  two.DeclareIn(of_two, "words");
  EXPECT_EQ(ClassOf(of_two.Restore(of_one.Take())), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
