#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <cstring>

#include "mainstem/data/cell_reader.h"
#include "mainstem/data/column_writer.h"
#include "mainstem/data/type_json.h"

namespace mainstem {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

ArrayPtr FromJson(const LogicalType& type, const std::string& json) {
  return *arrow::json::ArrayFromJSONString(type.storage(), json);
}

// What the cells are worth once read and written again.
Result<ArrayPtr> Copied(const LogicalType& type, const ArrayPtr& column) {
  ARROW_ASSIGN_OR_RAISE(CellReader reader, CellReader::Make(type));
  ARROW_ASSIGN_OR_RAISE(auto writer, ColumnWriter::Make(type, arrow::default_memory_pool()));
  for (int64_t row = 0; row < column->length(); ++row) {
    ARROW_ASSIGN_OR_RAISE(Value value, reader.Read(column, row));
    ARROW_RETURN_NOT_OK(writer->Append(value));
  }
  return writer->Finish();
}

struct Case {
  const char* type;
  const char* cells;
};

class PlainRoundTrip : public testing::TestWithParam<Case> {};

TEST_P(PlainRoundTrip, KeepsCellsAndNulls) {
  const LogicalType type = *ParseType(GetParam().type);
  const ArrayPtr column = FromJson(type, GetParam().cells);
  const auto copied = Copied(type, column);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_TRUE((*copied)->Equals(*column)) << (*copied)->ToString();
  EXPECT_TRUE((*copied)->ValidateFull().ok());
}

TEST_P(PlainRoundTrip, ReadsSlicesAtTheirOffset) {
  const LogicalType type = *ParseType(GetParam().type);
  const ArrayPtr slice = FromJson(type, GetParam().cells)->Slice(1, 2);
  const auto copied = Copied(type, slice);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_TRUE((*copied)->Equals(*slice)) << (*copied)->ToString();
}

INSTANTIATE_TEST_SUITE_P(
    EveryType, PlainRoundTrip,
    testing::Values(
        Case{"\"bool\"", "[true, null, false]"}, Case{"\"int8\"", "[-128, null, 127]"},
        Case{"\"int16\"", "[-32768, null, 32767]"}, Case{"\"int32\"", "[-2147483648, null, 2147483647]"},
        Case{"\"int64\"", "[-9223372036854775808, null, 9223372036854775807]"}, Case{"\"uint8\"", "[0, null, 255]"},
        Case{"\"uint16\"", "[0, null, 65535]"}, Case{"\"uint32\"", "[0, null, 4294967295]"},
        Case{"\"uint64\"", "[0, null, 18446744073709551615]"}, Case{"\"float16\"", "[0.5, null, -2]"},
        Case{"\"float32\"", "[0.5, null, -3.25]"}, Case{"\"float64\"", "[0.1, null, 1e300]"},
        Case{"\"string\"", R"(["", null, "größer"])"}, Case{"\"large_string\"", R"(["a", null, "bc"])"},
        Case{"\"binary\"", R"(["a", null, ""])"}, Case{"\"small_binary\"", R"(["a", null, "bcd"])"},
        Case{"\"date\"", "[0, null, 19000]"}, Case{R"({"type":"timestamp","unit":"us"})", "[0, null, 123456789]"},
        Case{R"({"type":"time","unit":"ms"})", "[0, null, 5]"}, Case{R"({"type":"time","unit":"ns"})", "[0, null, 5]"},
        Case{R"({"type":"duration","unit":"s"})", "[0, null, 5]"},
        Case{R"({"type":"fixed_size_binary","size":3})", R"(["abc", null, "def"])"},
        Case{R"({"type":"list","item":"int32"})", "[[1, null], null, []]"},
        Case{R"({"type":"list","item":{"type":"list","item":"string"}})", R"([[["a"], null], [[]], []])"},
        Case{R"({"type":"struct","fields":[{"name":"a","type":"int32"},{"name":"b","type":"string"}]})",
             R"([{"a": 1, "b": null}, {"a": null, "b": "x"}, {"a": 3, "b": "y"}])"},
        Case{R"({"type":"vector","dtype":"float32","dimension":2})", "[[1, 2], null, [3, 4]]"},
        Case{R"({"type":"tensor","dtype":"uint8","shape":[2,2]})", "[[1, 2, 3, 4], null, [5, 6, 7, 8]]"},
        Case{R"({"type":"tensor","dtype":"int16"})",
             R"([{"data": [1, 2, 3], "shape": [3]}, null, {"data": [4, 5], "shape": [1, 2]}])"},
        Case{"\"image\"", R"([{"data": "abc", "height": 1, "width": 1, "mode": 2}, null,
                               {"data": "wxyz", "height": 2, "width": 2, "mode": 0}])"},
        Case{"\"file\"", R"([{"uri": "a", "offset": 0, "length": -1, "version": "v", "data": null}, null,
                              {"uri": "b", "offset": 3, "length": 2, "version": "", "data": "xy"}])"},
        Case{"\"audio\"", R"([{"data": [0.5, 0.25], "sample_rate": 2, "channels": 1, "frames": 2,
                                "sample_format": "float32", "layout": "interleaved", "duration_ms": 1000,
                                "source_uri": null, "start_time_ms": null, "end_time_ms": null}, null,
                               {"data": [0.5, 0.25], "sample_rate": 1000, "channels": 2, "frames": 1,
                                "sample_format": "float32", "layout": "interleaved", "duration_ms": 1,
                                "source_uri": "s", "start_time_ms": 7, "end_time_ms": 8}])"},
        Case{"\"audio_clip\"", R"([{"uri": "a", "start_time_ms": 1, "end_time_ms": 2}, null,
                                    {"uri": "b", "start_time_ms": null, "end_time_ms": null}])"},
        Case{"\"video_clip\"", R"([{"uri": "a", "start_time_ms": 1, "end_time_ms": null}, null,
                                    {"uri": "b", "start_time_ms": 0, "end_time_ms": 9}])"}));

TEST(CellReader, AlignsSixteenBitPixelsThatStartAtAnOddByte) {
  const LogicalType type = LogicalType::Image();
  // The first image has one byte, so that the second starts at an odd one.
  const ArrayPtr column = FromJson(type, R"([{"data": "a", "height": 1, "width": 1, "mode": 0},
                                             {"data": "bcde", "height": 1, "width": 2, "mode": 4}])");
  const Value value = *CellReader::Make(type)->Read(column, 1);
  const Image& image = value.As<Image>();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(image.data()) % 2, 0u);
  EXPECT_EQ(std::memcmp(image.data(), "bcde", 4), 0);
}

TEST(CellReader, RefusesPicturesWhoseBytesDoNotMatchTheirSize) {
  const LogicalType type = LogicalType::Image();
  for (const char* cell :
       {R"([{"data": "abc", "height": 2, "width": 1, "mode": 2}])", R"([{"data": "", "height": 0, "width": 0, "mode": 2}])",
        R"([{"data": null, "height": 1, "width": 1, "mode": 0}])", R"([{"data": "a", "height": 1, "width": 1, "mode": 9}])",
        R"([{"data": "", "height": 2147483647, "width": 2147483647, "mode": 3}])"}) {
    const auto value = CellReader::Make(type)->Read(FromJson(type, cell), 0);
    ASSERT_FALSE(value.ok()) << cell;
    EXPECT_EQ(ClassOf(value.status()), ErrorClass::kRow);
  }
}

TEST(CellReader, RefusesTensorCellsWhoseShapeOverflows) {
  const LogicalType type = LogicalType::Tensor(arrow::uint8(), {});
  for (const char* cell : {R"([{"data": [], "shape": [65536, 65536, 65536, 65536]}])",
                           R"([{"data": [1], "shape": [-1, -1]}])", R"([{"data": [1, 2], "shape": [3]}])"}) {
    const auto value = CellReader::Make(type)->Read(FromJson(type, cell), 0);
    ASSERT_FALSE(value.ok()) << cell;
    EXPECT_EQ(ClassOf(value.status()), ErrorClass::kRow);
  }
}

TEST(CellReader, RefusesMissingNumbersInsideAVector) {
  const LogicalType type = LogicalType::Vector(arrow::float32(), 2);
  const ArrayPtr column = FromJson(type, "[[1, 2], [3, null]]");
  EXPECT_TRUE(CellReader::Make(type)->Read(column, 0).ok());
  EXPECT_EQ(ClassOf(CellReader::Make(type)->Read(column, 1).status()), ErrorClass::kRow);
}

TEST(CellReader, ValuesOutliveTheirColumn) {
  const LogicalType type = LogicalType::String();
  ArrayPtr column = FromJson(type, R"(["a text that is long enough to be looked at"])");
  const Value value = *CellReader::Make(type)->Read(column, 0);
  column.reset();
  EXPECT_EQ(value.As<Bytes>().view(), "a text that is long enough to be looked at");
}

TEST(CellReader, SaysWhichTypesHaveNoRowForm) {
  const auto reader = CellReader::Make(LogicalType::Plain(arrow::map(arrow::utf8(), arrow::int32())));
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(ClassOf(reader.status()), ErrorClass::kJob);
}

Status Appended(const LogicalType& type, const Value& value) {
  return (*ColumnWriter::Make(type, arrow::default_memory_pool()))->Append(value);
}

TEST(ColumnWriter, RefusesIntegersThatDoNotFit) {
  EXPECT_EQ(ClassOf(Appended(LogicalType::Plain(arrow::int8()), Value(int64_t{128}))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Plain(arrow::uint8()), Value(int64_t{-1}))), ErrorClass::kRow);
  EXPECT_TRUE(Appended(LogicalType::Plain(arrow::int8()), Value(int64_t{127})).ok());
}

TEST(ColumnWriter, RefusesValuesOfAnotherKind) {
  const Image image = *Image::Allocate(1, 1, ImageMode::kL);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Int64(), Value(std::string("x")))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::String(), Value(int64_t{1}))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Audio(), Value(image))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Image(ImageMode::kRGB), Value(image))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Image(ImageMode::kL, 2, 1), Value(image))), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Appended(LogicalType::Vector(arrow::float32(), 3), Value(ListValue{}))), ErrorClass::kRow);
}

TEST(ColumnWriter, CountsContentBytesUntilFinish) {
  auto writer = *ColumnWriter::Make(LogicalType::Image(), arrow::default_memory_pool());
  ASSERT_TRUE(writer->Append(Value(*Image::Allocate(10, 20, ImageMode::kRGB))).ok());
  EXPECT_EQ(writer->bytes(), 600);
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(writer->bytes(), 0);
  EXPECT_EQ(writer->length(), 0);
}

}  // namespace
}  // namespace mainstem
