#include "mainstem/plan/plan_json.h"

#include <arrow/scalar.h>
#include <gmock/gmock.h>

#include "mainstem/plan/plan_harness.h"

namespace mainstem::plan {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;

std::string Text(const std::string& nodes) { return R"({"version": 1, "nodes": [)" + nodes + "]}"; }
constexpr char kSource[] = R"({"op": "source", "connector": "range", "options": {}})";

std::string ErrorOf(const std::string& text) {
  const auto plan = ParsePlan(text);
  EXPECT_FALSE(plan.ok()) << text.substr(0, 300);
  EXPECT_EQ(ClassOf(plan.status()), ErrorClass::kJob);
  return plan.status().message();
}
std::string NodeError(const std::string& node) { return ErrorOf(Text(std::string(kSource) + "," + node)); }

TEST(PlanJson, RefusesWhatIsNotAPlan) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("\xff"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(R"({"version": 2, "nodes": []})"), HasSubstr("version"));
  EXPECT_THAT(ErrorOf(Text("")), HasSubstr("no nodes"));
  EXPECT_THAT(ErrorOf(Text("7")), HasSubstr("node 0"));
}

TEST(PlanJson, NamesTheNodeAndTheField) {
  EXPECT_THAT(NodeError(R"({"op": "filtr", "input": 0})"), HasSubstr("filter"));
  EXPECT_THAT(NodeError(R"({"op": "filter", "input": 0})"), HasSubstr("node 1 (filter): 'predicate' is missing"));
  EXPECT_THAT(NodeError(R"({"op": "filter", "input": 1, "predicate": {"column": "a"}})"), HasSubstr("earlier node"));
  EXPECT_THAT(NodeError(R"({"op": "filter", "input": -1, "predicate": {"column": "a"}})"), HasSubstr("earlier node"));
  EXPECT_THAT(NodeError(R"({"op": "filter", "predicate": {"column": "a"}})"), HasSubstr("0 inputs"));
  EXPECT_THAT(NodeError(R"({"op": "select", "input": 0, "columns": [{"name": "x"}]})"), HasSubstr("'expr' is missing"));
  EXPECT_THAT(NodeError(R"({"op": "select", "input": 0, "columns": [{"name": "x", "expr": 5}]})"), HasSubstr("not an expression"));
  EXPECT_THAT(NodeError(R"({"op": "sort", "input": 0, "by": []})"), HasSubstr("at least one key"));
  EXPECT_THAT(NodeError(R"({"op": "distinct", "input": 0, "keep": "any"})"), HasSubstr("'first' or 'last'"));
}

TEST(PlanJson, ALimitThatIsNoNumberIsNotIgnored) {
  EXPECT_THAT(NodeError(R"({"op": "limit", "input": 0, "count": "10"})"), HasSubstr("'count'"));
  EXPECT_THAT(NodeError(R"({"op": "limit", "input": 0, "count": 10, "offset": 1.5})"), HasSubstr("'offset'"));
  EXPECT_THAT(NodeError(R"({"op": "limit", "input": 0, "count": -1})"), HasSubstr("negative"));
}

TEST(PlanJson, RefusesEndlessNesting) {
  std::string expression = R"({"column": "a"})";
  for (int i = 0; i < 600; ++i) expression = R"({"call": "not", "args": [)" + expression + "]}";
  EXPECT_THAT(NodeError(R"({"op": "filter", "input": 0, "predicate": )" + expression + "}"), HasSubstr("too deeply"));
  const std::string brackets = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_THAT(NodeError(R"({"op": "filter", "input": 0, "predicate": )" + brackets + "}"), HasSubstr("too deeply"));
}

TEST(PlanJson, BracketsInsideStringsDoNotNest) {
  const std::string text(10'000, '[');
  EXPECT_TRUE(ParsePlan(Text(std::string(kSource) + R"(,{"op": "filter", "input": 0, "predicate": {"literal": "\")" + text + "\"}}")).ok());
}

std::shared_ptr<arrow::Scalar> LiteralOf(const std::string& json) {
  const auto plan = ParsePlan(Text(std::string(kSource) + R"(,{"op": "filter", "input": 0, "predicate": )" + json + "}"));
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan->nodes[1].expression->literal;
}

TEST(PlanJson, ReadsLiterals) {
  EXPECT_TRUE(LiteralOf(R"({"literal": 5})")->Equals(arrow::Int64Scalar(5)));
  EXPECT_TRUE(LiteralOf(R"({"literal": 18446744073709551615})")->Equals(arrow::UInt64Scalar(18446744073709551615ull)));
  EXPECT_TRUE(LiteralOf(R"({"literal": 5, "type": "int8"})")->Equals(arrow::Int8Scalar(5)));
  EXPECT_TRUE(LiteralOf(R"({"literal": true})")->Equals(arrow::BooleanScalar(true)));
  EXPECT_TRUE(LiteralOf(R"({"literal": "x"})")->Equals(arrow::StringScalar("x")));
  EXPECT_TRUE(LiteralOf(R"({"literal": "Infinity", "type": "float64"})")->Equals(arrow::DoubleScalar(INFINITY)));
  EXPECT_FALSE(LiteralOf(R"({"literal": null, "type": "string"})")->is_valid);
  EXPECT_EQ(LiteralOf(R"({"literal": {"base64": "YWI="}})")->ToString(), "ab");
  EXPECT_EQ(LiteralOf(R"({"literal": [1, null], "type": {"type": "list", "item": "int32"}})")->type->ToString(),
            "list<item: int32>");
}

TEST(PlanJson, ChecksUserFunctions) {
  const auto with = [](const std::string& fields) {
    return R"({"version": 1, "nodes": [)" + std::string(kSource) + R"(], "udfs": {"id": {"name": "f", "return_type": "int64",
      "payload": "" )" + fields + "}}}";
  };
  EXPECT_TRUE(ParsePlan(with("")).ok());
  EXPECT_THAT(ErrorOf(with(R"(, "on_error": "ignore")")), HasSubstr("udf f: on_error"));
  EXPECT_THAT(ErrorOf(with(R"(, "concurrency": 0)")), HasSubstr("concurrency"));
  EXPECT_THAT(ErrorOf(with(R"(, "batch_size": -1e300)")), HasSubstr("batch_size"));
  EXPECT_THAT(ErrorOf(with(R"(, "timeout": 0)")), HasSubstr("timeout"));
  EXPECT_THAT(ErrorOf(with(R"(, "return_type": "int65")")), HasSubstr("int65"));
}

}  // namespace
}  // namespace mainstem::plan
