#include "mainstem/functions/expression.h"

#include <gmock/gmock.h>

#include "mainstem/functions/expression_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;

const Columns kColumns = {{"price", LogicalType::Float64()}, {"name", LogicalType::String()}, {"file", LogicalType::File()}};

std::string BindError(const ExpressionPtr& expression) {
  const auto bound = Bind(expression, kColumns, Functions());
  EXPECT_FALSE(bound.ok()) << expression->ToString();
  EXPECT_EQ(ClassOf(bound.status()), ErrorClass::kJob) << bound.status();
  return bound.status().message();
}

TEST(Bind, SuggestsTheNearestColumnAndFunction) {
  EXPECT_THAT(BindError(Col("pric")), HasSubstr("price"));
  EXPECT_THAT(BindError(Expression::Call("text.uper", {Col("name")})), HasSubstr("text.upper"));
}

TEST(Bind, ChecksTheNumberAndTypesOfArguments) {
  EXPECT_THAT(BindError(Expression::Call("not", {})), HasSubstr("takes 1 argument, not 0"));
  EXPECT_THAT(BindError(Expression::Call("sqrt", {Col("price"), Col("price")})), HasSubstr("not 2"));
  EXPECT_THAT(BindError(Expression::Call("sqrt", {Col("name")})), HasSubstr("takes number, not string"));
  EXPECT_THAT(BindError(Expression::Call("add", {Col("price"), Col("name")})), HasSubstr("add"));
  EXPECT_THAT(BindError(Expression::Call("round", {Col("price")}, {{"digit", 2}})), HasSubstr("digits"));
}

TEST(Bind, FetchesTheBytesOfAFileByTheConsumersRule) {
  const auto bound =
      *Bind(Expression::Call("image.decode", {Col("file")}, {{"on_error", "null"}}), kColumns, Functions());
  ASSERT_EQ(bound->arguments[0]->function->name, "file.bytes");
  EXPECT_EQ(bound->arguments[0]->signature.options.String("on_error"), "null");
}

TEST(Bind, KeysTellApartWhatIsNotEqual) {
  const std::string same(300, 'x');
  const auto key = [](const ExpressionPtr& expression) { return (*Bind(expression, kColumns, Functions()))->key; };
  const auto concat = [](std::vector<ExpressionPtr> parts) { return Expression::Call("text.concat", std::move(parts)); };
  EXPECT_NE(key(concat({Lit("a"), Lit("b")})), key(concat({Lit("a, string:b")})));
  EXPECT_NE(key(Lit(int32_t{1})), key(Lit(int64_t{1})));
  const auto contains = [&](const std::string& pattern) {
    return Expression::Call("text.contains", {Col("name")}, {{"pattern", pattern}});
  };
  EXPECT_NE(key(contains(same + "a")), key(contains(same + "b")));
  const auto list = [](int middle) {
    std::string cells = "[";
    for (int i = 0; i < 101; ++i) cells += (i ? "," : "") + std::to_string(i == 50 ? middle : 7);
    return Expression::Literal(std::make_shared<arrow::ListScalar>(Cells("int64", cells + "]")));
  };
  EXPECT_NE(key(list(1)), key(list(2)));
}

TEST(Expression, IdentityTellsApartWhatPrintsAlike) {
  const std::string prompt(100, 'p');
  EXPECT_NE(Lit(std::string(prompt + "1"))->Identity(), Lit(std::string(prompt + "2"))->Identity());
  EXPECT_NE(Col("1")->Identity(), Lit(int64_t{1})->Identity());
  EXPECT_NE(Col("'a'")->Identity(), Lit("a")->Identity());
  const auto call = Expression::Call("f", {Col("a"), Lit(1.5)}, {{"x", 1}});
  EXPECT_EQ(call->Identity(), Expression::Call("f", {Col("a"), Lit(1.5)}, {{"x", 1}})->Identity());
}

TEST(Substitute, ReplacesColumnsDeepInside) {
  const auto expression = Expression::Call("add", {Col("a"), Expression::Call("abs", {Col("b")})});
  EXPECT_EQ(Substitute(expression, {{"b", Col("c")}})->ToString(), "add(a, abs(c))");
  EXPECT_EQ(expression->ToString(), "add(a, abs(b))");
}

}  // namespace
}  // namespace mainstem
