// Row origins: carried from the sources to the calls that need them, seen by nobody else.
#include "mainstem/plan/row_origins.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mainstem/data/row_origin.h"
#include "mainstem/plan/job_graph.h"
#include "mainstem/plan/plan_harness.h"
#include "mainstem/plan/rules.h"

namespace mainstem::plan {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Find;
using testing::NamesOf;
using Kind = LogicalNode::Kind;

constexpr char kFunctions[] =
    R"({"dice": {"name": "dice", "kind": "scalar", "return_type": "int64", "payload": "", "deterministic": false,
                 "journal": "v1"},
        "pure": {"name": "pure", "kind": "scalar", "return_type": "int64", "payload": "", "journal": "v2"},
        "many": {"name": "many", "kind": "table", "return_type": "string", "payload": "", "deterministic": false,
                 "journal": "v3"},
        "whole": {"name": "whole", "kind": "map", "return_type":
                  {"type": "struct", "fields": [{"name": "z", "type": "int64"}]}, "payload": ""},
        "batch": {"name": "batch", "kind": "map_batches", "return_type":
                  {"type": "struct", "fields": [{"name": "a", "type": "int64"}]}, "payload": ""}})";

std::string Dice(const std::string& column, const std::string& name) {
  return R"({"op": "with_columns", "columns": [{"name": ")" + name + R"(", "expr": {"udf": "dice", "args": [{"column": ")" +
         column + R"("}]}}]})";
}

Result<LogicalNodePtr> Planned(const std::string& nodes, bool keeps_replies = true) {
  auto list = nlohmann::json::parse(R"([{"op": "source", "connector": "memory", "options": {"table": "t"}},)" + nodes + "]");
  for (size_t i = 1; i < list.size(); ++i) {
    if (!list[i].contains("inputs")) list[i]["input"] = i - 1;
  }
  const std::string text = R"({"version": 1, "nodes": )" + list.dump() + R"(, "udfs": )" + kFunctions + "}";
  ARROW_ASSIGN_OR_RAISE(ParsedPlan parsed, ParsePlan(text));
  std::map<std::string, std::shared_ptr<Source>> cache;
  ARROW_ASSIGN_OR_RAISE(LogicalNodePtr root,
                        BindPlan(parsed, {.registry = &testing::Functions(), .tables = &testing::Tables(),
                                          .source_cache = &cache, .processors = 2}));
  return Optimize(root, {.registry = &testing::Functions(), .keeps_replies = keeps_replies});
}

// Every call that is kept by origin has it last; the job graph agrees; nothing of it comes out.
void ExpectOriginsReach(const Result<LogicalNodePtr>& root, size_t calls) {
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_THAT(NamesOf((*root)->columns), Not(Contains(kOriginColumn)));
  size_t found = 0;
  for (const LogicalNode* node : Find(**root, Kind::kCall)) {
    if (!node->call.service.by_origin) continue;
    ++found;
    EXPECT_EQ(node->call.arguments.back(), kOriginColumn);
  }
  EXPECT_EQ(found, calls);
  const auto graph = MakeJobGraph(**root, testing::Functions(), 2);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(NamesOf(graph->output), Not(Contains(kOriginColumn)));
  for (const ServiceSpec& service : graph->services) {
    for (const auto& field : service.input->fields()) EXPECT_NE(field->name(), kOriginColumn);
  }
}

TEST(RowOrigins, ReachACallThroughFiltersAndProjections) {
  const auto root = Planned(R"({"op": "with_columns", "columns": [{"name": "b2", "expr": {"call": "add", "args":
                              [{"column": "a"}, {"column": "a"}]}}]},
                              {"op": "limit", "count": 5},)" + Dice("b2", "d"));
  ExpectOriginsReach(root, 1);
  const auto graph = MakeJobGraph(**root, testing::Functions(), 2);
  EXPECT_EQ(graph->services[0].input->num_fields(), 1) << "the service does not see it";
}

TEST(RowOrigins, AreNotCarriedWithoutAJournalOrForFunctionsOfTheirInput) {
  for (const bool keeps : {false, true}) {
    std::string plan = Dice("a", "d");
    if (keeps) plan.replace(plan.find("dice"), 4, "pure");
    const auto root = Planned(plan, keeps);
    ASSERT_TRUE(root.ok()) << root.status();
    EXPECT_THAT(ToString(**root), Not(HasSubstr(kOriginColumn)));
  }
}

TEST(RowOrigins, PassFetchesAndLists) {
  const std::string decode = R"({"op": "with_columns", "columns": [{"name": "picture", "expr": {"call": "image.decode",
                                 "args": [{"column": "file"}], "options": {"on_error": "null"}}}]},)";
  const auto fetched = Planned(decode + Dice("a", "d"));
  ExpectOriginsReach(fetched, 1);
  EXPECT_EQ(Find(**fetched, Kind::kFetch).size(), 1u) << "the test is about nothing";
  for (const char* output : {"list", "item"}) {
    const auto root = Planned(fmt::format(R"({{"op": "explode", "column": "list", "output_column": "{}"}},)", output) +
                              Dice(output, "d"));
    ExpectOriginsReach(root, 1);
    const auto explodes = Find(**root, Kind::kExplode);
    ASSERT_EQ(explodes.size(), 1u);
    EXPECT_TRUE(explodes[0]->carries_origin);
  }
}

TEST(RowOrigins, GoOnBehindCallsOfEveryShape) {
  ExpectOriginsReach(Planned(Dice("a", "d") + "," + Dice("d", "e")), 2);
  ExpectOriginsReach(Planned(R"({"op": "map", "udf": "whole"},)" + Dice("z", "d")), 1);
  ExpectOriginsReach(Planned(Dice("a", "d") + R"(,{"op": "map", "udf": "whole"},{"op": "map", "udf": "whole"},)" +
                             Dice("z", "d2")), 2);
  ExpectOriginsReach(Planned(R"({"op": "lateral", "call": {"udf": "many", "args": [{"column": "a"}]}, "names": ["s"]},)" +
                             Dice("a", "d")), 2);
}

TEST(RowOrigins, AskingOneRowTwiceIsAskingForTwoAnswers) {
  const auto root = Planned(Dice("a", "d") + "," + Dice("a", "e"));
  ExpectOriginsReach(root, 2);
  const auto calls = Find(**root, Kind::kCall);
  EXPECT_NE(calls[0]->call.service.journal_identity, calls[1]->call.service.journal_identity);
  EXPECT_EQ(calls[1]->call.service.journal_identity, "v1");
}

TEST(RowOrigins, AreToldApartInAUnion) {
  const auto root = Planned(R"({"op": "union_all", "inputs": [0, 0]},)" + Dice("a", "d"));
  ExpectOriginsReach(root, 1);
  const auto sources = Find(**root, Kind::kSource);
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_NE(sources[0]->source, sources[1]->source);
  for (const LogicalNode* source : sources) EXPECT_EQ(source->columns.back().name, kOriginColumn);
}

TEST(RowOrigins, RowsMadeOfManyAreRefusedWithTheReason) {
  const auto message = [](const std::string& step) {
    return Planned(step + "," + Dice("a", "d")).status().message();
  };
  EXPECT_THAT(message(R"({"op": "distinct", "subset": ["a"]})"),
              AllOf(HasSubstr("dice"), HasSubstr("no single origin"), HasSubstr("drop_duplicates")));
  EXPECT_THAT(message(R"({"op": "aggregate", "keys": [{"name": "a", "expr": {"column": "a"}}],
                          "aggregates": [{"name": "n", "function": "count_all"}]})"),
              AllOf(HasSubstr("no single origin"), HasSubstr("group")));
  EXPECT_THAT(message(R"({"op": "map", "udf": "batch"})"), AllOf(HasSubstr("no single origin"), HasSubstr("batch")));
}

TEST(RowOrigins, StepsBehindTheCallMayMakeRowsOfMany) {
  ExpectOriginsReach(Planned(Dice("a", "d") + R"(,{"op": "distinct", "subset": ["d"]})"), 1);
  ExpectOriginsReach(Planned(Dice("a", "d") + R"(,{"op": "sort", "by": [{"expr": {"column": "d"}}]},)" + Dice("d", "e")), 2);
}

}  // namespace
}  // namespace mainstem::plan
