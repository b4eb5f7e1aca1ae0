#include "mainstem/plan/rules.h"

#include <gmock/gmock.h>

#include "mainstem/plan/plan_harness.h"

namespace mainstem::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace mainstem::testing;

// The tree as explain prints it.
std::string Tree(const std::string& nodes) {
  const auto root = Optimized(nodes);
  EXPECT_TRUE(root.ok()) << root.status();
  return root.ok() ? ToString(**root) : "";
}

const char kGreater[] = "{'op': 'filter', 'input': 1, 'predicate': {'call': 'greater', 'args': [{'column': 'X'}, {'literal': 1}]}}";
std::string GreaterThan(const std::string& column, int input = 1) {
  std::string text = kGreater;
  text.replace(text.find("'input': 1"), 10, "'input': " + std::to_string(input));
  return text.replace(text.find('X'), 1, column);
}

TEST(Rules, FiltersMoveBelowCallsAndProjectsAndGiveTheSourceTheirBounds) {
  const auto root = *Optimized("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'udf': 'f', 'args': "
                               "[{'column': 'a'}]}}]}," + GreaterThan("a"));
  const auto filters = Find(*root, Kind::kFilter);
  ASSERT_EQ(filters.size(), 1u);
  EXPECT_TRUE(Find(*filters[0], Kind::kCall).empty()) << ToString(*root);
  const auto sources = Find(*root, Kind::kSource);
  ASSERT_EQ(sources[0]->scan.bounds.size(), 1u);
  EXPECT_EQ(sources[0]->scan.bounds[0].comparison, "greater");
}

TEST(Rules, FiltersStayAboveWhatTheyRead) {
  const auto called = *Optimized("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'udf': 'f', 'args': "
                                 "[{'column': 'a'}]}}]}," + GreaterThan("y"));
  EXPECT_EQ(Find(*Find(*called, Kind::kFilter)[0], Kind::kCall).size(), 1u) << ToString(*called);
  const auto hashed = *Optimized("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'call': 'hash', 'args': "
                                 "[{'column': 'a'}]}}]}," + GreaterThan("y"));
  EXPECT_EQ(Find(*Find(*hashed, Kind::kFilter)[0], Kind::kProject).size(), 1u) << "a row function is not computed twice";
  const auto exploded = *Optimized("{'op': 'explode', 'input': 0, 'column': 'list'}," + GreaterThan("list"));
  EXPECT_EQ(Find(*Find(*exploded, Kind::kFilter)[0], Kind::kExplode).size(), 1u);
  const auto limited = *Optimized("{'op': 'limit', 'input': 0, 'count': 5}," + GreaterThan("a"));
  EXPECT_EQ(Find(*Find(*limited, Kind::kFilter)[0], Kind::kLimit).size(), 1u);
}

TEST(Rules, ProjectsMergeIntoOne) {
  const auto root = *Optimized(
      "{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'call': 'abs', 'args': [{'column': 'a'}]}}]},"
      "{'op': 'select', 'input': 1, 'columns': [{'name': 'z', 'expr': {'call': 'negate', 'args': [{'column': 'y'}]}}]}");
  const auto projects = Find(*root, Kind::kProject);
  ASSERT_EQ(projects.size(), 1u) << ToString(*root);
  EXPECT_EQ(projects[0]->projections[0].expression->ToString(), "negate(abs(a))");
}

TEST(Rules, LongChainsThatDoubleStayApart) {
  std::string nodes;
  for (int i = 0; i < 60; ++i) {
    nodes += (i ? "," : "") + std::string("{'op': 'with_columns', 'input': ") + std::to_string(i) +
             ", 'columns': [{'name': 'a', 'expr': {'call': 'subtract', 'args': [{'column': 'a'}, {'column': 'a'}]}}]}";
  }
  EXPECT_TRUE(Optimized(nodes + "," + GreaterThan("a", 60)).ok());  // merged, it would have 2^60 nodes
}

TEST(Rules, ColumnsThatNobodyReadsAreNotRead) {
  const auto root = *Optimized("{'op': 'select', 'input': 0, 'columns': [{'name': 'b', 'expr': {'column': 'b'}}]}");
  EXPECT_THAT(Find(*root, Kind::kSource)[0]->scan.columns, ElementsAre("b"));
  EXPECT_FALSE(Find(*root, Kind::kSource)[0]->scan.all_columns);
}

TEST(Rules, CallsWhoseReplyNobodyReadsAreNotMade) {
  EXPECT_THAT(Tree("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'udf': 'f', 'args': [{'column': 'a'}]}}]},"
                   "{'op': 'select', 'input': 1, 'columns': [{'name': 'b', 'expr': {'column': 'b'}}]}"),
              Not(HasSubstr("call")));
}

// The text of an image.decode of column file with a policy.
std::string Decode(const std::string& policy) {
  return "{'call': 'image.decode', 'args': [{'column': 'file'}], 'options': {'on_error': '" + policy + "'}}";
}
const char kSelectB[] = "{'op': 'select', 'input': 1, 'columns': [{'name': 'b', 'expr': {'column': 'b'}}]}";
const char kCount[] = "{'op': 'aggregate', 'input': 1, 'keys': [], 'aggregates': [{'name': 'n', 'function': 'count_all'}]}";

TEST(Rules, WhatSetsRowsAsideIsComputedThoughNobodyReadsIt) {
  for (const std::string above : {kSelectB, kCount}) {
    EXPECT_THAT(Tree("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'i', 'expr': " + Decode("dead_letter") +
                     "}]}," + above), HasSubstr("image.decode")) << above;
    EXPECT_THAT(Tree("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'udf': 'g', 'args': "
                     "[{'column': 'a'}]}}]}," + above), HasSubstr("call")) << above;
  }
}

TEST(Rules, WhatKeepsEveryRowIsNotComputedWhereNobodyReadsIt) {
  for (const std::string above : {kSelectB, kCount}) {
    for (const std::string policy : {"null", "raise"}) {
      EXPECT_THAT(Tree("{'op': 'select', 'input': 0, 'columns': [{'name': 'i', 'expr': " + Decode(policy) +
                       "}, {'name': 'b', 'expr': {'column': 'b'}}]}," + above), Not(HasSubstr("image.decode"))) << above;
    }
  }
}

TEST(Rules, RowsAreSetAsideOnceWhereSomethingElseReadsTheSameCall) {
  const std::string both = "{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'i', 'expr': " + Decode("dead_letter") +
                           "}, {'name': 's', 'expr': {'call': 'image.sharpness', 'args': [" + Decode("dead_letter") + "]}}]},"
                           "{'op': 'select', 'input': 1, 'columns': [{'name': 's', 'expr': {'column': 's'}}]}";
  const auto root = *Optimized(both);
  const auto projects = Find(*root, Kind::kProject);
  ASSERT_EQ(projects.size(), 1u) << ToString(*root);
  EXPECT_EQ(projects[0]->projections.size(), 1u) << ToString(*root);
}

TEST(Rules, PruningKeepsTheOutputOfEveryNode) {
  const std::string wide = "{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'y', 'expr': {'udf': 'f', 'args': [{'column': 'a'}]}}]}";
  const std::string nodes[] = {
      "{'op': 'sort', 'input': 1, 'by': [{'expr': {'call': 'negate', 'args': [{'column': 'a'}]}}]}",
      "{'op': 'distinct', 'input': 1, 'subset': ['b']}", "{'op': 'explode', 'input': 1, 'column': 'list'}",
      "{'op': 'explode', 'input': 1, 'column': 'list', 'output_column': 'item'}",
      "{'op': 'lateral', 'input': 1, 'call': {'udf': 'many', 'args': [{'column': 'b'}]}}",
      "{'op': 'map', 'input': 1, 'udf': 'rows'}", "{'op': 'union_all', 'inputs': [1, 1]}",
      "{'op': 'aggregate', 'input': 1, 'keys': [{'name': 'b', 'expr': {'column': 'b'}}], 'aggregates': "
      "[{'name': 'n', 'function': 'count_all'}, {'name': 's', 'function': 'sum', 'expr': {'column': 'y'}}]}",
      "{'op': 'aggregate', 'input': 1, 'keys': [], 'aggregates': [{'name': 'n', 'function': 'count_all'}]}",
      "{'op': 'limit', 'input': 1, 'count': 3}",
      "{'op': 'source', 'connector': 'memory', 'options': {'table': 'u'}},"
      "{'op': 'join', 'left': 1, 'right': 2, 'how': 'left', 'left_on': ['a'], 'right_on': ['a']}",
      "{'op': 'source', 'connector': 'memory', 'options': {'table': 'u'}},"
      "{'op': 'join', 'left': 1, 'right': 2, 'how': 'semi', 'left_on': ['a'], 'right_on': ['a']}"};
  for (const std::string& node : nodes) {
    const auto before = Bound(wide + "," + node);
    ASSERT_TRUE(before.ok()) << node << before.status();
    const auto after = Optimized(wide + "," + node);
    ASSERT_TRUE(after.ok()) << node << after.status();
    EXPECT_EQ(NamesOf((*after)->columns), NamesOf((*before)->columns)) << node;
    EXPECT_TRUE(MakeJobGraph(**after, Functions(), 2).ok()) << node;
  }
}

TEST(Rules, LimitsReachTheSourceThroughProjectsOnly) {
  const std::string limit = "{'op': 'limit', 'input': 1, 'count': 5, 'offset': 2}";
  const auto limit_of = [](const std::string& nodes) { return Find(**Optimized(nodes), Kind::kSource)[0]->scan.limit; };
  EXPECT_EQ(limit_of("{'op': 'select', 'input': 0, 'columns': [{'name': 'b', 'expr': {'column': 'b'}}]}," + limit), 7);
  EXPECT_EQ(limit_of("{'op': 'filter', 'input': 0, 'predicate': {'call': 'is_null', 'args': [{'column': 'a'}]}}," + limit), std::nullopt);
  EXPECT_EQ(limit_of("{'op': 'explode', 'input': 0, 'column': 'list', 'ignore_empty_and_null': true}," + limit), std::nullopt);
  EXPECT_EQ(limit_of("{'op': 'with_columns', 'input': 0, 'columns': [{'name': 'i', 'expr': " + Decode("dead_letter") + "}]}," +
                     limit), std::nullopt);
  EXPECT_EQ(limit_of("{'op': 'limit', 'input': 0, 'count': 9223372036854775807, 'offset': 9223372036854775807}"),
            std::numeric_limits<int64_t>::max());
}

TEST(Rules, BoundsAreMirroredAndTakenFromConjunctionsOnly) {
  const auto bounds = [](const std::string& predicate) {
    return Find(**Optimized("{'op': 'filter', 'input': 0, 'predicate': " + predicate + "}"), Kind::kSource)[0]->scan.bounds;
  };
  const std::string left = "{'call': 'less', 'args': [{'literal': 3}, {'column': 'a'}]}";
  const std::string right = "{'call': 'equal', 'args': [{'column': 'b'}, {'literal': 'x'}]}";
  const auto both = bounds("{'call': 'and', 'args': [" + left + "," + right + "]}");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].column, "a");
  EXPECT_EQ(both[0].comparison, "greater");
  EXPECT_EQ(both[1].comparison, "equal");
  EXPECT_TRUE(bounds("{'call': 'or', 'args': [" + left + "," + right + "]}").empty());
  EXPECT_TRUE(bounds("{'call': 'not', 'args': [" + left + "]}").empty());
}

const char kDecode[] = "{'call': 'image.decode', 'args': [{'column': 'file'}]}";
std::string Resized(const std::string& image, int side) {
  return "{'call': 'image.resize', 'args': [" + image + "], 'options': {'width': " + std::to_string(side) +
         ", 'height': " + std::to_string(side) + "}}";
}
std::string WithColumns(const std::vector<std::string>& expressions) {
  std::string text;
  for (size_t i = 0; i < expressions.size(); ++i) {
    text += (i ? "," : "") + std::string("{'name': 'x") + std::to_string(i) + "', 'expr': " + expressions[i] + "}";
  }
  return "{'op': 'with_columns', 'input': 0, 'columns': [" + text + "]}";
}

TEST(Rules, DecodersScaleOnlyWhereEveryUseIsAResize) {
  EXPECT_THAT(Tree(WithColumns({Resized(kDecode, 10), Resized(kDecode, 30)})), HasSubstr("minimum_height="));
  EXPECT_THAT(Tree(WithColumns({Resized(kDecode, 10), kDecode})), Not(HasSubstr("minimum_height=")));
  EXPECT_THAT(Tree(WithColumns({Resized(kDecode, 10), "{'call': 'image.sharpness', 'args': [" + std::string(kDecode) + "]}"})),
              Not(HasSubstr("minimum_height=")));
}

TEST(Rules, RemoteFilesAreFetchedOnceByTheStrictestPolicy) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {{{"null"}, "null"},
                                                                    {{"dead_letter", "null"}, "dead_letter"},
                                                                    {{"null", "dead_letter"}, "dead_letter"},
                                                                    {{"raise", "null"}, "raise"}};
  for (const auto& [policies, expected] : cases) {
    std::vector<std::string> expressions;
    for (const std::string& policy : policies) expressions.push_back(Decode(policy));
    const auto root = *Optimized(WithColumns(expressions));
    const auto fetches = Find(*root, Kind::kFetch);
    ASSERT_EQ(fetches.size(), 1u) << ToString(*root);
    EXPECT_EQ(fetches[0]->on_error, expected);
  }
}

TEST(Rules, AFileThatIsOnlyPassedOnIsNotFetched) {
  EXPECT_TRUE(Find(**Optimized(""), Kind::kFetch).empty());
}

TEST(CallPlacement, TheSameCallTwiceIsMadeOnce) {
  const std::string call = "{'udf': 'f', 'args': [{'column': 'a'}]}";
  const std::string sum = "{'call': 'add', 'args': [" + call + "," + call + "]}";
  EXPECT_EQ(Find(**Optimized(WithColumns({call, sum})), Kind::kCall).size(), 1u);
}

TEST(CallPlacement, CallsThatDifferAtTheEndOfALongTextAreTwo) {
  const auto call = [](const std::string& end) {
    return "{'udf': 'f', 'args': [{'literal': '" + std::string(300, 'p') + end + "'}]}";
  };
  EXPECT_EQ(Find(**Optimized(WithColumns({call("1"), call("2")})), Kind::kCall).size(), 2u);
}

TEST(CallPlacement, HiddenColumnsOfAFilterAreTakenAway) {
  const auto root = *Optimized("{'op': 'filter', 'input': 0, 'predicate': {'call': 'greater', 'args': "
                               "[{'udf': 'f', 'args': [{'column': 'a'}]}, {'literal': 1}]}}");
  EXPECT_THAT(NamesOf(root->columns), ElementsAre("a", "b", "file", "list"));
}

TEST(CallPlacement, RefusesFunctionsInTheWrongPlace) {
  EXPECT_THAT(Bound(WithColumns({"{'udf': 'many', 'args': [{'column': 'a'}]}"})).status().message(), HasSubstr("join_lateral"));
  EXPECT_THAT(Bound(WithColumns({"{'udf': 'gone', 'args': []}"})).status().message(), HasSubstr("does not carry"));
  EXPECT_THAT(Bound("{'op': 'map', 'input': 0, 'udf': 'f'}").status().message(), HasSubstr("function of rows"));
}

TEST(JobGraph, AUnionKeepsReadingOneInputAfterTheOtherWithOperatorsBehindIt) {
  const auto root = *Optimized("{'op': 'union_all', 'inputs': [0, 0]}," + GreaterThan("a"));
  const JobGraph graph = *MakeJobGraph(*root, Functions(), 2);
  int unions = 0;
  for (const TaskSpec& task : graph.tasks) {
    if (task.inputs.size() == 2) {
      ++unions;
      EXPECT_TRUE(task.concatenates);
    } else {
      EXPECT_FALSE(task.concatenates);
    }
  }
  EXPECT_EQ(unions, 1);
}

}  // namespace
}  // namespace mainstem::plan
