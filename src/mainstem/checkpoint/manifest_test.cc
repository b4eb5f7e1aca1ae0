#include "mainstem/checkpoint/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "mainstem/checkpoint/layout.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::HasSubstr;

Manifest Example() {
  Manifest manifest;
  manifest.checkpoint = 7;
  manifest.epoch = 2;
  manifest.kind = Manifest::Kind::kCheckpoint;
  manifest.job = "nightly-labels";
  manifest.graph = "read → decode \"x\"\n";
  manifest.unaligned = true;
  manifest.started_wall_ns = 1'700'000'000'000'000'000;
  manifest.duration_ns = 12;
  manifest.subtasks = {
      {.task = 0, .lane = 0, .file = {"checkpoint-7/2-0-0.snapshot", 50}, .taken_at = 7, .in_flight_bytes = 10,
       .in_flight_batches = 1, .calls = 3},
      {.task = 0, .lane = 1, .file = {"checkpoint-5/1-0-1.snapshot", 9'000'000'000'000}, .taken_at = 5},
  };
  manifest.sources = {{0, "file 3, row 9"}, {4, std::string("not \xff UTF-8 \0!", 14)}};
  manifest.parallelism = {{0, 2}, {4, 1}};
  manifest.pending = {{6, "staged/6"}, {7, ""}};
  manifest.counters = {{"rows", std::numeric_limits<int64_t>::max()}, {"offset", -3}};
  manifest.fallen_back = {"lane 1"};
  return manifest;
}

nlohmann::json ExampleJson() { return nlohmann::json::parse(ToJson(Example()).ValueOrDie()); }

TEST(Manifest, ComesBackFromItsJson) {
  const auto back = FromJson(ToJson(Example()).ValueOrDie());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == Example());
  Manifest empty;
  empty.job = "a";
  EXPECT_TRUE(FromJson(ToJson(empty).ValueOrDie()).ValueOrDie() == empty);
}

TEST(Manifest, ReadsTheTextOfItsFormat) {
  const auto manifest = FromJson(R"({
    "checkpoint": 3, "epoch": 1, "kind": "savepoint", "job": "j", "graph": "g", "unaligned": false,
    "started_wall_ns": 5, "duration_ns": 6,
    "subtasks": [{"task": 1, "lane": 0, "file": "savepoint-3/1-1-0.snapshot", "bytes": 41, "taken_at": 3,
                  "in_flight_bytes": 0, "in_flight_batches": 0, "calls": 0}],
    "sources": {"1": {"base64": "//4="}}, "parallelism": {"1": 1}, "pending": [{"checkpoint": 2, "content": "c"}],
    "counters": {"rows": 9}, "fallen_back": []})");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->kind, Manifest::Kind::kSavepoint);
  EXPECT_EQ(manifest->subtasks.at(0).file, (SnapshotFile{"savepoint-3/1-1-0.snapshot", 41}));
  EXPECT_EQ(manifest->sources.at(1), "\xff\xfe");
  EXPECT_EQ(manifest->pending.at(0).content, "c");
  EXPECT_EQ(manifest->counters.at("rows"), 9);
}

TEST(Manifest, NeedsEveryFieldOfItsTypeAndNoOther) {
  const nlohmann::json good = ExampleJson();
  const auto expect_refused = [](const nlohmann::json& json, const std::string& field) {
    const auto parsed = FromJson(json.dump());
    EXPECT_FALSE(parsed.ok()) << field;
    EXPECT_THAT(parsed.status().message(), HasSubstr(field));
  };
  for (const auto& [field, value] : good.items()) {
    nlohmann::json json = good;
    json.erase(field);
    expect_refused(json, field);
    for (const nlohmann::json wrong : {nlohmann::json(nullptr), nlohmann::json(1.5), nlohmann::json("?")}) {
      if (wrong.is_string() && (field == "graph")) continue;
      json[field] = wrong;
      expect_refused(json, field);
    }
  }
  for (const std::string list : {"subtasks", "pending"}) {
    for (const auto& [field, value] : good[list][0].items()) {
      nlohmann::json json = good;
      json[list][0].erase(field);
      expect_refused(json, field);
      json[list][0][field] = true;
      expect_refused(json, field);
    }
    nlohmann::json json = good;
    json[list][0]["new"] = 1;
    expect_refused(json, "unknown");
    json[list] = {1};
    expect_refused(json, list);
  }
  nlohmann::json json = good;
  json["new"] = 1;
  expect_refused(json, "unknown");
}

TEST(Manifest, RefusesNumbersOutOfRange) {
  const nlohmann::json good = ExampleJson();
  const auto refused = [&](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json json = good;
    change(json);
    return !FromJson(json.dump()).ok();
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& json) { json["checkpoint"] = -1; }));
  EXPECT_TRUE(refused([](auto& json) { json["epoch"] = 9'223'372'036'854'775'808u; }));
  EXPECT_TRUE(refused([](auto& json) { json["subtasks"][0]["task"] = 2'147'483'648; }));
  EXPECT_TRUE(refused([](auto& json) { json["subtasks"][0]["bytes"] = -1; }));
  EXPECT_TRUE(refused([](auto& json) { json["subtasks"][0]["lane"] = 2; }));          // of two
  EXPECT_TRUE(refused([](auto& json) { json["subtasks"][0]["lane"] = 1; }));          // twice
  EXPECT_TRUE(refused([](auto& json) { json["subtasks"][0]["taken_at"] = 8; }));      // later than 7
  EXPECT_TRUE(refused([](auto& json) { json["counters"]["rows"] = 1e30; }));
  EXPECT_TRUE(refused([](auto& json) { json["sources"]["01"] = "x"; }));
  EXPECT_TRUE(refused([](auto& json) { json["sources"]["-1"] = "x"; }));
  EXPECT_TRUE(refused([](auto& json) { json["sources"]["99999999999"] = "x"; }));
  EXPECT_TRUE(refused([](auto& json) { json["kind"] = "Checkpoint"; }));
  EXPECT_TRUE(refused([](auto& json) { json["graph"] = {{"base64", "*"}}; }));
}

TEST(Manifest, LeadsNowhereOutsideItsFolder) {
  for (const std::string name :
       {"/etc/passwd", "../other/checkpoint-1/1-0-0.snapshot", "checkpoint-1/../../x.snapshot",
        "checkpoint-1/a/b.snapshot", "checkpoint-1/.snapshot", "checkpoint-01/1-0-0.snapshot", "checkpoint-1/manifest",
        "checkpoint-1", "x/1.snapshot", "checkpoint--1/1.snapshot", "checkpoint-99999999999999999999/1.snapshot", "",
        "/"}) {
    nlohmann::json json = ExampleJson();
    json["subtasks"][0]["file"] = name;
    EXPECT_FALSE(FromJson(json.dump()).ok()) << name;
    EXPECT_FALSE(IsSnapshotName(name)) << name;
  }
  EXPECT_TRUE(IsSnapshotName("savepoint-0/1-2-3.snapshot"));
}

TEST(Manifest, SurvivesAnyBytes) {
  const std::string good = ToJson(Example()).ValueOrDie();
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(FromJson(good.substr(0, size)).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char other : {'\0', '"', '{', '9', '\xff'}) {
      std::string changed = good;
      changed[i] = other;
      (void)FromJson(changed);
    }
  }
  EXPECT_FALSE(FromJson(std::string(1'000'000, '[')).ok());
  std::string nested;
  for (int i = 0; i < 200'000; ++i) nested += R"({"a":)";
  EXPECT_FALSE(FromJson(nested).ok());
  EXPECT_FALSE(FromJson("null").ok());
  EXPECT_FALSE(FromJson("[]").ok());
  EXPECT_FALSE(FromJson("{}").ok());
  EXPECT_FALSE(FromJson(good + "x").ok());
}

TEST(Manifest, IsNotWrittenWhereItCouldNotBeRead) {
  Manifest manifest = Example();
  manifest.subtasks[1].lane = 0;
  EXPECT_FALSE(ToJson(manifest).ok());
  manifest = Example();
  manifest.subtasks[0].file.name = "x";
  EXPECT_FALSE(ToJson(manifest).ok());
  manifest = Example();
  manifest.counters["\xff"] = 1;
  EXPECT_FALSE(ToJson(manifest).ok());
  manifest = Example();
  manifest.duration_ns = -1;
  EXPECT_FALSE(ToJson(manifest).ok());
}

TEST(Layout, NamesComeBack) {
  EXPECT_EQ(ToString(FolderName{7, false}), "checkpoint-7");
  EXPECT_EQ(ParseFolderName("savepoint-12"), (FolderName{12, true}));
  EXPECT_EQ(ParseFolderName("checkpoint-"), std::nullopt);
  EXPECT_EQ(ParseFolderName("checkpoint-1x"), std::nullopt);
  EXPECT_EQ(SnapshotName(2, 0, 3), "2-0-3.snapshot");
  EXPECT_EQ(EpochOf("2-0-3.snapshot"), 2);
  EXPECT_EQ(EpochOf("manifest-4.partial"), 4);
  EXPECT_EQ(EpochOf("manifest"), std::nullopt);
  EXPECT_EQ(EpochOf("x-0-3.snapshot"), std::nullopt);
  EXPECT_TRUE(IsSafeName("a.B-9_"));
  for (const std::string name : {"", ".", "..", ".a", "a/b", "a b", "ä"}) EXPECT_FALSE(IsSafeName(name)) << name;
  EXPECT_FALSE(IsSafeName(std::string(201, 'a')));
}

}  // namespace
}  // namespace mainstem::checkpoint
