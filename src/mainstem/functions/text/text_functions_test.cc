#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "mainstem/functions/builtin.h"

namespace mainstem {
namespace {

using Given = std::map<std::string, OptionValue>;

class TextFunctions : public testing::Test {
 protected:
  TextFunctions() {
    EXPECT_TRUE(arrow::compute::Initialize().ok());
    EXPECT_TRUE(RegisterTextFunctions(registry_).ok());
  }

  Result<Value> ChunkOf(const std::string& text, const Given& given) {
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* chunk, registry_.Find("text.chunk"));
    BoundSignature signature{.arguments = {LogicalType::String()}};
    ARROW_ASSIGN_OR_RAISE(signature.options, Options::Check("text.chunk", chunk->options, given));
    ARROW_RETURN_NOT_OK(chunk->result_type(signature));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, chunk->make_row_kernel(signature));
    const Value value(text);
    return kernel->Run({&value, 1});
  }

  Result<std::vector<std::optional<double>>> Compare(const std::string& name, const arrow::Datum& a,
                                                     const arrow::Datum& b) {
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* definition, registry_.Find(name));
    BoundSignature signature{.arguments = {LogicalType::Plain(a.type()), LogicalType::Plain(b.type())}};
    ARROW_RETURN_NOT_OK(definition->result_type(signature));
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum out,
                          definition->vector_kernel({a, b}, signature, arrow::default_memory_pool()));
    std::vector<std::optional<double>> values;
    const auto array = out.is_array() ? out.make_array() : *arrow::MakeArrayFromScalar(*out.scalar(), 1);
    for (int64_t i = 0; i < array->length(); ++i) {
      array->IsNull(i) ? values.emplace_back()
                       : values.emplace_back(static_cast<const arrow::DoubleArray&>(*array).Value(i));
    }
    return values;
  }

  Registry registry_;
};

using Rows = std::vector<std::optional<std::vector<double>>>;

template <typename Builder, typename NumberBuilder>
std::shared_ptr<arrow::Array> Lists(Builder& lists, NumberBuilder& numbers, const Rows& rows) {
  for (const auto& row : rows) {
    if (!row) {
      EXPECT_TRUE(lists.AppendNull().ok());
      continue;
    }
    EXPECT_TRUE(lists.Append().ok());
    for (const double number : *row) {
      EXPECT_TRUE(numbers.Append(static_cast<typename NumberBuilder::value_type>(number)).ok());
    }
  }
  return lists.Finish().ValueOrDie();
}

template <typename NumberBuilder>
std::shared_ptr<arrow::Array> Fixed(int32_t dimension, const Rows& rows) {
  auto numbers = std::make_shared<NumberBuilder>();
  arrow::FixedSizeListBuilder lists(arrow::default_memory_pool(), numbers, dimension);
  return Lists(lists, *numbers, rows);
}

template <typename NumberBuilder>
std::shared_ptr<arrow::Array> Variable(const Rows& rows) {
  auto numbers = std::make_shared<NumberBuilder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), numbers);
  return Lists(lists, *numbers, rows);
}

TEST_F(TextFunctions, ChunkIsAListOfStrings) {
  const auto value = ChunkOf("One two. Three four. Five six.", {{"size", 20}, {"overlap", 0}});
  ASSERT_TRUE(value.ok()) << value.status();
  const auto& items = value->As<ListValue>().items;
  ASSERT_EQ(items.size(), 2);
  EXPECT_EQ(items[0].As<Bytes>().view(), "One two. Three four.");
  EXPECT_EQ(items[1].As<Bytes>().view(), "Five six.");
}

TEST_F(TextFunctions, ChunkChecksItsOptions) {
  EXPECT_EQ(ClassOf(ChunkOf("a", {{"size", 10}, {"overlap", 10}}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(ChunkOf("a", {{"size", 100}}).status()), ErrorClass::kJob);  // the overlap is 200
  EXPECT_EQ(ClassOf(ChunkOf("a", {{"separators", OptionValue::List{"", "x"}}}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(ChunkOf("\xff", {}).status()), ErrorClass::kRow);
}

TEST_F(TextFunctions, SimilarityOfEveryStorage) {
  const Rows a = {{{3, 4}}, {}, {{1, 0}}, {{1, 2}}};
  const Rows b = {{{4, 3}}, {{1, 1}}, {{-2, 0}}, {{2, -1}}};
  const std::vector<std::optional<double>> dots = {24, {}, -2, 0};
  const std::vector<std::optional<double>> cosines = {0.96, {}, -1, 0};
  const std::vector<std::shared_ptr<arrow::Array>> lefts = {
      Fixed<arrow::FloatBuilder>(2, a), Variable<arrow::DoubleBuilder>(a), Variable<arrow::Int32Builder>(a)};
  const std::vector<std::shared_ptr<arrow::Array>> rights = {Fixed<arrow::DoubleBuilder>(2, b),
                                                             Variable<arrow::FloatBuilder>(b)};
  for (const auto& left : lefts) {
    for (const auto& right : rights) {
      SCOPED_TRACE(left->type()->ToString() + " and " + right->type()->ToString());
      const auto dot = Compare("vector.dot", left, right);
      ASSERT_TRUE(dot.ok()) << dot.status();
      EXPECT_EQ(*dot, dots);
      EXPECT_EQ(*Compare("vector.cosine", left, right), cosines);
      // A slice starts where it says.
      EXPECT_EQ(*Compare("vector.dot", left->Slice(2), right->Slice(2)), (std::vector<std::optional<double>>{-2, 0}));
    }
  }
}

TEST_F(TextFunctions, SimilarityWithOneQuery) {
  const auto column = Fixed<arrow::FloatBuilder>(2, {{{3, 4}}, {{0, 5}}, {{0, 0}}});
  const arrow::Datum query(*Fixed<arrow::FloatBuilder>(2, {{{0, 2}}})->GetScalar(0));
  const std::vector<std::optional<double>> expected = {0.8, 1, {}};  // a zero vector has no direction
  EXPECT_EQ(*Compare("vector.cosine", column, query), expected);
  EXPECT_EQ(*Compare("vector.cosine", query, column), expected);
  EXPECT_EQ(*Compare("vector.dot", query, query), (std::vector<std::optional<double>>{4}));
}

TEST_F(TextFunctions, SimilarityOfTensorsWithShapesOfTheirOwn) {
  auto numbers = std::make_shared<arrow::FloatBuilder>();
  arrow::LargeListBuilder lists(arrow::default_memory_pool(), numbers);
  const auto data = Lists(lists, *numbers, {{{3, 4}}, {{1, 2}}});
  const auto shape = Variable<arrow::Int32Builder>({{{2}}, {{2}}});
  const auto tensor = *arrow::StructArray::Make({data, shape}, std::vector<std::string>{"data", "shape"});
  EXPECT_EQ(*Compare("vector.dot", tensor, Fixed<arrow::FloatBuilder>(2, {{{4, 3}}, {{1, 1}}})),
            (std::vector<std::optional<double>>{24, 3}));
}

TEST_F(TextFunctions, UnequalDimensionsAreRefusedByName) {
  const auto rows =
      Compare("vector.dot", Variable<arrow::FloatBuilder>({{{1, 2}}}), Variable<arrow::FloatBuilder>({{{1, 2, 3}}}));
  EXPECT_EQ(ClassOf(rows.status()), ErrorClass::kRow);
  EXPECT_NE(rows.status().message().find("2 and 3"), std::string::npos) << rows.status();
  const auto types =
      Compare("vector.dot", Fixed<arrow::FloatBuilder>(2, {{{1, 2}}}), Fixed<arrow::FloatBuilder>(3, {{{1, 2, 3}}}));
  EXPECT_EQ(ClassOf(types.status()), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
