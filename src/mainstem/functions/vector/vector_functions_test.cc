#include "mainstem/functions/expression_harness.h"

namespace mainstem {
namespace {

using namespace mainstem::testing;

ExpressionPtr F(const std::string& name, std::vector<ExpressionPtr> arguments,
                std::map<std::string, OptionValue> options = {}) {
  return Expression::Call(name, std::move(arguments), std::move(options));
}

void ExpectRowError(const ExpressionPtr& expression, const Rows& rows) {
  const auto got = Evaluate(expression, rows);
  ASSERT_FALSE(got.ok()) << expression->ToString();
  EXPECT_EQ(ClassOf(got.status()), ErrorClass::kRow) << got.status();
}

TEST(Arithmetic, DividesAsPythonDoes) {
  const Rows rows({{"a", "int64", "[7, -7, 7, -7, 6, null]"}, {"b", "int64", "[2, 2, -2, -2, -3, 2]"}});
  ExpectCells(F("divide", {Col("a"), Col("b")}), rows, "float64", "[3.5, -3.5, -3.5, 3.5, -2, null]");
  ExpectCells(F("floor_divide", {Col("a"), Col("b")}), rows, "int64", "[3, -4, -4, 3, -2, null]");
  ExpectCells(F("modulo", {Col("a"), Col("b")}), rows, "int64", "[1, 1, -1, -1, 0, null]");
}

TEST(Arithmetic, DividesFloatsTowardsMinusInfinity) {
  const Rows rows({{"a", "float64", "[7.5, -7.5]"}, {"b", "float64", "[2, 2]"}});
  ExpectCells(F("floor_divide", {Col("a"), Col("b")}), rows, "float64", "[3, -4]");
  ExpectCells(F("modulo", {Col("a"), Col("b")}), rows, "float64", "[1.5, 0.5]");
}

TEST(Arithmetic, DivisionByZeroIsInfiniteForTrueDivisionAndAnErrorForIntegers) {
  const Rows rows({{"a", "int64", "[1, -1, 0]"}});
  ExpectCells(F("divide", {Col("a"), Lit(int64_t{0})}), rows, "float64", "[Inf, -Inf, NaN]");
  ExpectRowError(F("floor_divide", {Col("a"), Lit(int64_t{0})}), rows);
  ExpectRowError(F("modulo", {Col("a"), Lit(int64_t{0})}), rows);
}

TEST(Arithmetic, DividesIntegersThatNoDoubleHoldsExactly) {
  const Rows rows({{"a", "int64", "[9007199254740993]"}, {"b", "int64", "[9007199254740993]"}});
  ExpectCells(F("divide", {Col("a"), Col("b")}), rows, "float64", "[1]");
}

TEST(Arithmetic, OverflowIsARowError) {
  const Rows rows({{"a", "int64", "[9223372036854775807]"}, {"m", "int64", "[-9223372036854775808]"}});
  for (const char* name : {"add", "multiply"}) ExpectRowError(F(name, {Col("a"), Lit(int64_t{2})}), rows);
  ExpectRowError(F("subtract", {Col("m"), Lit(int64_t{1})}), rows);
  ExpectRowError(F("negate", {Col("m")}), rows);
  ExpectRowError(F("abs", {Col("m")}), rows);
}

TEST(Arithmetic, UnaryFunctions) {
  const Rows rows({{"x", "float64", "[2.5, -2.5, null]"}});
  ExpectCells(F("abs", {Col("x")}), rows, "float64", "[2.5, 2.5, null]");
  ExpectCells(F("negate", {Col("x")}), rows, "float64", "[-2.5, 2.5, null]");
  ExpectCells(F("floor", {Col("x")}), rows, "float64", "[2, -3, null]");
  ExpectCells(F("ceil", {Col("x")}), rows, "float64", "[3, -2, null]");
  ExpectCells(F("round", {Col("x")}), rows, "float64", "[2, -2, null]");
  ExpectCells(F("sign", {Col("x")}), rows, "float64", "[1, -1, null]");
  const Rows powers({{"x", "float64", "[1, 100, 4]"}});
  ExpectCells(F("sqrt", {Col("x")}), powers, "float64", "[1, 10, 2]");
  ExpectCells(F("log10", {Col("x")}), Rows({{"x", "float64", "[1, 100, 0.1]"}}), "float64", "[0, 2, -1]");
  ExpectCells(F("ln", {Col("x")}), Rows({{"x", "float64", "[1, -1]"}}), "float64", "[0, NaN]");
  ExpectCells(F("exp", {Col("x")}), Rows({{"x", "float64", "[0]"}}), "float64", "[1]");
  ExpectCells(F("power", {Col("x"), Lit(2.0)}), powers, "float64", "[1, 10000, 16]");
  ExpectCells(F("round", {Col("x")}, {{"digits", 1}}), Rows({{"x", "float64", "[0.25, 0.75]"}}), "float64", "[0.2, 0.8]");
}

TEST(Logic, FollowsKleene) {
  const Rows rows({{"a", "bool", "[true, true, true, false, false, false, null, null, null]"},
                   {"b", "bool", "[true, false, null, true, false, null, true, false, null]"}});
  ExpectCells(F("and", {Col("a"), Col("b")}), rows, "bool", "[true, false, null, false, false, false, null, false, null]");
  ExpectCells(F("or", {Col("a"), Col("b")}), rows, "bool", "[true, true, true, true, false, null, true, null, null]");
  ExpectCells(F("not", {Col("a")}), rows, "bool", "[false, false, false, true, true, true, null, null, null]");
}

TEST(Logic, Compares) {
  const Rows rows({{"a", "int64", "[1, 2, 3, null]"}});
  const auto two = Lit(int64_t{2});
  ExpectCells(F("equal", {Col("a"), two}), rows, "bool", "[false, true, false, null]");
  ExpectCells(F("not_equal", {Col("a"), two}), rows, "bool", "[true, false, true, null]");
  ExpectCells(F("less", {Col("a"), two}), rows, "bool", "[true, false, false, null]");
  ExpectCells(F("less_equal", {Col("a"), two}), rows, "bool", "[true, true, false, null]");
  ExpectCells(F("greater", {Col("a"), two}), rows, "bool", "[false, false, true, null]");
  ExpectCells(F("greater_equal", {Col("a"), two}), rows, "bool", "[false, true, true, null]");
  ExpectCells(F("between", {Col("a"), two, Lit(int64_t{3})}), rows, "bool", "[false, true, true, null]");
  ExpectCells(F("is_null", {Col("a")}), rows, "bool", "[false, false, false, true]");
  ExpectCells(F("is_not_null", {Col("a")}), rows, "bool", "[true, true, true, false]");
  ExpectCells(F("is_nan", {Col("x")}), Rows({{"x", "float64", "[NaN, 1, null]"}}), "bool", "[true, false, null]");
}

TEST(Logic, TakesTheFirstTrueConditionAndTreatsUnknownAsFalse) {
  const Rows rows({{"a", "bool", "[true, null, false, null]"}, {"b", "bool", "[true, true, null, false]"}});
  const auto one = Lit(int64_t{1});
  const auto two = Lit(int64_t{2});
  ExpectCells(F("case_when", {Col("a"), one, Col("b"), two, Lit(int64_t{9})}), rows, "int64", "[1, 2, 9, 9]");
  ExpectCells(F("case_when", {Col("a"), one, Col("b"), two}), rows, "int64", "[1, 2, null, null]");
  ExpectCells(F("if_else", {Col("a"), one, two}), rows, "int64", "[1, 2, 2, 2]");
  ExpectCells(F("coalesce", {Col("a"), Col("b")}), rows, "bool", "[true, true, false, false]");
}

TEST(Logic, ChoicesKeepWhatTheirBranchesHaveInCommon) {
  const Columns columns = {{"small", LogicalType::Image(ImageMode::kRGB, 2, 2)},
                           {"large", LogicalType::Image(ImageMode::kRGB, 9, 9)},
                           {"sound", LogicalType::AudioClip()},
                           {"film", LogicalType::VideoClip()},
                           {"yes", LogicalType::Bool()}};
  const auto type = [&](const ExpressionPtr& expression) -> Result<LogicalType> {
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(expression, columns, Functions()));
    return bound->type;
  };
  EXPECT_TRUE(*type(F("coalesce", {Col("small"), Col("small")})) == columns[0].type);
  EXPECT_TRUE(*type(F("coalesce", {Col("small"), Col("large")})) == LogicalType::Image());
  EXPECT_TRUE(*type(F("if_else", {Col("yes"), Col("small"), Col("large")})) == LogicalType::Image());
  EXPECT_TRUE(*type(F("if_else", {Col("yes"), Col("film"), Expression::Literal(arrow::MakeNullScalar(arrow::null()))})) ==
              LogicalType::VideoClip());
  EXPECT_FALSE(type(F("coalesce", {Col("sound"), Col("film")})).ok());
}

TEST(Logic, IsInKnowsNoNullAndNoValueThatCannotOccur) {
  const Rows rows({{"a", "int32", "[1, 2, null]"}});
  ExpectCells(F("is_in", {Col("a"), Lit(int64_t{2}), Lit(int64_t{3})}), rows, "bool", "[false, true, false]");
  ExpectCells(F("is_in", {Col("a"), Lit(int64_t{1}), Lit(int64_t{5'000'000'000})}), rows, "bool", "[true, false, false]");
  ExpectCells(F("is_in", {Col("a"), Expression::Literal(arrow::MakeNullScalar(arrow::int32()))}), rows, "bool",
              "[false, false, false]");
  ExpectCells(F("is_in", {Col("a")}), rows, "bool", "[false, false, false]");
}

TEST(Cast, ConvertsOrFailsTheRow) {
  ExpectCells(F("cast", {Col("a")}, {{"type", "\"int64\""}}), Rows({{"a", "string", R"(["12", null])"}}), "int64", "[12, null]");
  ExpectCells(F("cast", {Col("a")}, {{"type", "\"string\""}}), Rows({{"a", "int64", "[5]"}}), "string", R"(["5"])");
  ExpectRowError(F("cast", {Col("a")}, {{"type", "\"int64\""}}), Rows({{"a", "string", R"(["12", "x"])"}}));
  ExpectRowError(F("cast", {Col("a")}, {{"type", "\"int8\""}}), Rows({{"a", "int64", "[300]"}}));
  ExpectRowError(F("cast", {Col("a")}, {{"type", "\"int64\""}}), Rows({{"a", "float64", "[1.5]"}}));
}

TEST(Text, Functions) {
  const Rows rows({{"t", "string", R"([" Straße ", "abcabc", null, ""])"}});
  ExpectCells(F("text.upper", {Col("t")}), Rows({{"t", "string", R"(["aä", null])"}}), "string", R"(["AÄ", null])");
  ExpectCells(F("text.lower", {Col("t")}), Rows({{"t", "string", R"(["AÄ", null])"}}), "string", R"(["aä", null])");
  ExpectCells(F("text.trim", {Col("t")}), rows, "string", R"(["Straße", "abcabc", null, ""])");
  ExpectCells(F("text.reverse", {Col("t")}), rows, "string", R"([" eßartS ", "cbacba", null, ""])");
  ExpectCells(F("text.length", {Col("t")}), rows, "int32", "[8, 6, null, 0]");
  ExpectCells(F("text.contains", {Col("t")}, {{"pattern", "ca"}}), rows, "bool", "[false, true, null, false]");
  ExpectCells(F("text.starts_with", {Col("t")}, {{"pattern", "ab"}}), rows, "bool", "[false, true, null, false]");
  ExpectCells(F("text.ends_with", {Col("t")}, {{"pattern", "bc"}}), rows, "bool", "[false, true, null, false]");
  ExpectCells(F("text.matches", {Col("t")}, {{"pattern", "^a.*c$"}}), rows, "bool", "[false, true, null, false]");
  ExpectCells(F("text.like", {Col("t")}, {{"pattern", "a_c%"}}), rows, "bool", "[false, true, null, false]");
  ExpectCells(F("text.replace", {Col("t")}, {{"pattern", "b"}, {"replacement", "X"}}), rows, "string",
              R"([" Straße ", "aXcaXc", null, ""])");
  ExpectCells(F("text.replace", {Col("t")}, {{"pattern", "(a)b"}, {"replacement", "<\\1>"}, {"regex", true}}), rows,
              "string", R"([" Straße ", "<a>c<a>c", null, ""])");
  ExpectCells(F("text.split", {Col("t")}, {{"separator", "b"}}), rows, R"({"type":"list","item":"string"})",
              R"([[" Straße "], ["a", "ca", "c"], null, [""]])");
  ExpectCells(F("text.concat", {Col("t"), Lit("!"), Col("t")}), rows, "string",
              R"([" Straße ! Straße ", "abcabc!abcabc", null, "!"])");
}

TEST(Text, SlicesByCodePoint) {
  const Rows rows({{"t", "string", R"(["Straße", "ab", null])"}});
  ExpectCells(F("text.slice", {Col("t")}, {{"start", 4}, {"length", 2}}), rows, "string", R"(["ße", "", null])");
  ExpectCells(F("text.slice", {Col("t")}, {{"start", 1}}), rows, "string", R"(["traße", "b", null])");
  ExpectCells(F("text.slice", {Col("t")}, {{"start", 1}, {"length", std::numeric_limits<int64_t>::max()}}), rows, "string",
              R"(["traße", "b", null])");
}

TEST(Text, ExtractsTheWholeMatchOrANamedGroup) {
  const Rows rows({{"t", "string", R"(["a12b", "none", null])"}});
  ExpectCells(F("text.extract", {Col("t")}, {{"pattern", "[0-9]+"}}), rows, "string", R"(["12", null, null])");
  ExpectCells(F("text.extract", {Col("t")}, {{"pattern", "([0-9])([0-9])"}}), rows, "string", R"(["12", null, null])");
  ExpectCells(F("text.extract", {Col("t")}, {{"pattern", "a(?P<first>[0-9])"}, {"group", "first"}}), rows, "string",
              R"(["1", null, null])");
}

TEST(Temporal, TakesTimesApart) {
  // 2021-03-04T05:06:07 is a Thursday, day 63 of its year.
  const Rows rows({{"t", R"({"type":"timestamp","unit":"s"})", R"(["2021-03-04 05:06:07", null])"}});
  const std::pair<const char*, int> parts[] = {{"year", 2021}, {"month", 3},  {"day", 4},         {"hour", 5},
                                               {"minute", 6},  {"second", 7}, {"day_of_week", 3}, {"day_of_year", 63}};
  for (const auto& [part, value] : parts) {
    ExpectCells(F("temporal." + std::string(part), {Col("t")}), rows, "int64", "[" + std::to_string(value) + ", null]");
  }
  ExpectCells(F("temporal.strftime", {Col("t")}, {{"format", "%d.%m.%Y"}}), rows, "string", R"(["04.03.2021", null])");
  ExpectCells(F("temporal.truncate", {Col("t")}, {{"unit", "month"}}), rows, R"({"type":"timestamp","unit":"s"})",
              R"(["2021-03-01 00:00:00", null])");
}

TEST(Nested, ReadsItemsAndFields) {
  const Rows rows({{"l", R"({"type":"list","item":"int32"})", "[[1, 2], [], null, [3], [null, 4]]"},
                   {"s", R"({"type":"struct","fields":[{"name":"a","type":"int64"}]})",
                    R"([{"a": 1}, null, {"a": null}, {"a": 4}, {"a": 5}])"}});
  ExpectCells(F("list.get", {Col("l")}, {{"index", 0}}), rows, "int32", "[1, null, null, 3, null]");
  ExpectCells(F("list.get", {Col("l")}, {{"index", 1}}), rows, "int32", "[2, null, null, null, 4]");
  ExpectCells(F("list.length", {Col("l")}), rows, "int32", "[2, 0, null, 1, 2]");
  ExpectCells(F("struct.field", {Col("s")}, {{"name", "a"}}), rows, "int64", "[1, null, null, 4, 5]");
}

TEST(Nested, SuggestsTheNearestField) {
  const Rows rows({{"s", R"({"type":"struct","fields":[{"name":"height","type":"int64"}]})", R"([{"height": 1}])"}});
  const auto got = Evaluate(F("struct.field", {Col("s")}, {{"name", "heigth"}}), rows);
  ASSERT_FALSE(got.ok());
  EXPECT_NE(got.status().message().find("height"), std::string::npos);
}

TEST(Hash, DependsOnContentAlone) {
  const Rows rows({{"t", "string", R"(["a", "b", "a", null])"}, {"n", "int32", "[1, 1, 1, 1]"}});
  const auto hashes = std::static_pointer_cast<arrow::Int64Array>(*Evaluate(F("hash", {Col("t"), Col("n")}), rows));
  EXPECT_EQ(hashes->Value(0), hashes->Value(2));
  EXPECT_NE(hashes->Value(0), hashes->Value(1));
  EXPECT_TRUE(hashes->IsValid(3));
}

}  // namespace
}  // namespace mainstem
