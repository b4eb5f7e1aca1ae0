// Keys: equal content and service give equal keys however it is laid out; every difference that decides gives others.
#include "mainstem/services/journal/journal_key.h"

#include <set>

#include "mainstem/services/journal/journal_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;

ServiceSpec Model(const std::string& payload) {
  ServiceSpec spec;
  spec.name = "ai.embed_text";
  spec.host = ServiceSpec::Host::kNative;
  spec.payload = payload;
  spec.input = arrow::schema({arrow::field("text", arrow::utf8())});
  spec.output = arrow::schema({arrow::field("v", arrow::float32())});
  return spec;
}

std::string Payload(const std::string& sha, const std::string& path, const std::string& options) {
  return R"({"task":"embed_text","files":{"model":")" + path + R"("},"sha256":{"model":")" + sha +
         R"("},"options":)" + options + "}";
}

std::shared_ptr<arrow::RecordBatch> Texts(const std::vector<std::string>& texts, const std::string& name = "text") {
  arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(texts).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, arrow::utf8())}),
                                  static_cast<int64_t>(texts.size()), {builder.Finish().ValueOrDie()});
}

JournalKey KeyOf(const ServiceSpec& spec, const std::shared_ptr<arrow::RecordBatch>& rows) {
  const auto keys = RowKeys::Make(spec);
  EXPECT_TRUE(keys.ok()) << keys.status();
  return keys->Of(*rows).ValueOrDie()[0].value();
}

TEST(RowKeysTest, DependOnModelOptionsAndContentOnly) {
  const JournalKey key = KeyOf(Model(Payload("aa", "/a", "{}")), Texts({"x"}));
  EXPECT_EQ(key, KeyOf(Model(Payload("aa", "/elsewhere", R"({"batch_size":8})")), Texts({"x"}, "caption")));
  EXPECT_NE(key, KeyOf(Model(Payload("bb", "/a", "{}")), Texts({"x"})));
  EXPECT_NE(key, KeyOf(Model(Payload("aa", "/a", R"({"top_k":2})")), Texts({"x"})));
  EXPECT_NE(key, KeyOf(Model(Payload("aa", "/a", "{}")), Texts({"y"})));
  ServiceSpec wider = Model(Payload("aa", "/a", "{}"));
  wider.output = arrow::schema({arrow::field("v", arrow::float64())});
  EXPECT_NE(key, KeyOf(wider, Texts({"x"})));
}

TEST(RowKeysTest, DoNotDependOnHowRowsAreCut) {
  const auto keys = RowKeys::Make(Model(Payload("aa", "/a", "{}"))).ValueOrDie();
  const auto all = keys.Of(*Texts({"a", "b", "c"})).ValueOrDie();
  EXPECT_EQ(all[2], keys.Of(*Texts({"a", "b", "c"})->Slice(2)).ValueOrDie()[0]);
  EXPECT_EQ(all[2], keys.Of(*Texts({"c"})).ValueOrDie()[0]);
}

TEST(RowKeysTest, DoNotDependOnTheLayoutOfLists) {
  ServiceSpec spec = Model(Payload("aa", "/a", "{}"));
  const auto type = arrow::list(arrow::int32());
  spec.input = arrow::schema({arrow::field("x", type)});
  const auto keys = RowKeys::Make(spec).ValueOrDie();
  const auto list = [&](const std::vector<std::vector<std::optional<int32_t>>>& rows) {
    auto items = std::make_shared<arrow::Int32Builder>();
    arrow::ListBuilder builder(arrow::default_memory_pool(), items);
    for (const auto& row : rows) {
      EXPECT_TRUE(builder.Append().ok());
      for (const auto& item : row) EXPECT_TRUE((item ? items->Append(*item) : items->AppendNull()).ok());
    }
    return arrow::RecordBatch::Make(spec.input, static_cast<int64_t>(rows.size()), {builder.Finish().ValueOrDie()});
  };
  // The first array has nulls somewhere, the second has none.
  const auto mixed = keys.Of(*list({{1, 2}, {std::nullopt}, {3}, {}})).ValueOrDie();
  const auto plain = keys.Of(*list({{1, 2}, {0}, {3}, {}})).ValueOrDie();
  EXPECT_EQ(mixed[0], plain[0]);
  EXPECT_NE(mixed[1], plain[1]);
  EXPECT_EQ(mixed[2], plain[2]);
  EXPECT_EQ(mixed[3], plain[3]);
  EXPECT_EQ(std::set({*plain[0], *plain[1], *plain[2], *plain[3]}).size(), 4u);
}

TEST(RowKeysTest, TellNullFromEmptyAndOneColumnFromTheNext) {
  ServiceSpec spec = Model(Payload("aa", "/a", "{}"));
  spec.input = arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())});
  arrow::StringBuilder a;
  arrow::StringBuilder b;
  for (const auto& [x, y] : {std::pair{"xy", ""}, std::pair{"x", "y"}, std::pair{"", "xy"}}) {
    EXPECT_TRUE(a.Append(x).ok() && b.Append(y).ok());
  }
  EXPECT_TRUE(a.Append("xy").ok() && b.AppendNull().ok());
  const auto rows = arrow::RecordBatch::Make(spec.input, 4, {a.Finish().ValueOrDie(), b.Finish().ValueOrDie()});
  const auto keys = RowKeys::Make(spec).ValueOrDie().Of(*rows).ValueOrDie();
  EXPECT_EQ(std::set({*keys[0], *keys[1], *keys[2], *keys[3]}).size(), 4u);
}

TEST(RowKeysTest, FilesNeedAVersionOrTheirBytes) {
  const auto storage = arrow::struct_({arrow::field("uri", arrow::utf8()), arrow::field("offset", arrow::int64()),
                                       arrow::field("length", arrow::int64()), arrow::field("version", arrow::utf8()),
                                       arrow::field("data", arrow::large_binary())});
  ServiceSpec spec = Model(Payload("aa", "/a", "{}"));
  spec.input = arrow::schema({arrow::field(
      "f", storage, true, arrow::key_value_metadata({"ARROW:extension:name"}, {"mainstem.file"}))});
  arrow::StringBuilder uri;
  arrow::Int64Builder offset;
  arrow::Int64Builder length;
  arrow::StringBuilder version;
  arrow::LargeBinaryBuilder data;
  const auto add = [&](const char* v, const char* d) {
    EXPECT_TRUE(uri.Append("a").ok() && offset.Append(0).ok() && length.Append(-1).ok() && version.Append(v).ok());
    EXPECT_TRUE((d != nullptr ? data.Append(d) : data.AppendNull()).ok());
  };
  add("", nullptr);
  add("v1", nullptr);
  add("v2", nullptr);
  add("", "bytes");
  add("v9", "bytes");
  add("v9", "other");
  const auto files = arrow::StructArray::Make({uri.Finish().ValueOrDie(), offset.Finish().ValueOrDie(),
                                               length.Finish().ValueOrDie(), version.Finish().ValueOrDie(),
                                               data.Finish().ValueOrDie()},
                                              storage->fields()).ValueOrDie();
  const auto keys =
      RowKeys::Make(spec).ValueOrDie().Of(*arrow::RecordBatch::Make(spec.input, 6, {files})).ValueOrDie();
  EXPECT_FALSE(keys[0].has_value()) << "nobody knows what is in it";
  EXPECT_NE(keys[1], keys[2]);
  EXPECT_EQ(keys[3], keys[4]) << "the bytes are the same";
  EXPECT_NE(keys[4], keys[5]);
}

TEST(RowKeysTest, OriginsTellEqualRowsApartWhereRepliesDiffer) {
  ServiceSpec spec = Model(Payload("aa", "/a", "{}"));
  spec.input = arrow::schema({arrow::field("a0", arrow::int64())});
  arrow::Int64Builder values;
  arrow::LargeBinaryBuilder origins;
  ASSERT_TRUE(values.AppendValues({7, 7, 8, 7, 7}).ok());
  for (const char* origin : {"a", "b", "a", "a"}) ASSERT_TRUE(origins.Append(origin).ok());
  ASSERT_TRUE(origins.AppendNull().ok());
  const auto column = values.Finish().ValueOrDie();
  const auto rows = arrow::RecordBatch::Make(
      arrow::schema({spec.input->field(0), arrow::field("a1", arrow::large_binary())}), 5,
      {column, origins.Finish().ValueOrDie()});
  const auto plain = RowKeys::Make(spec).ValueOrDie().Of(*arrow::RecordBatch::Make(spec.input, 5, {column})).ValueOrDie();
  spec.deterministic = false;
  spec.by_origin = true;
  const auto keys = RowKeys::Make(spec).ValueOrDie().Of(*rows).ValueOrDie();
  EXPECT_NE(keys[0], keys[1]) << "another row";
  EXPECT_NE(keys[0], keys[2]) << "another input";
  EXPECT_EQ(keys[0], keys[3]);
  EXPECT_FALSE(keys[4].has_value()) << "nobody knows which row it is";
  EXPECT_NE(keys[0], plain[0]);
  EXPECT_EQ(plain[0], plain[1]);
}

TEST(RowKeysTest, RefuseServicesWhoseRepliesInputDoesNotDecide) {
  ServiceSpec spec = Model(Payload("aa", "/a", "{}"));
  spec.deterministic = false;
  EXPECT_THAT(RowKeys::Make(spec).status().message(), HasSubstr("not deterministic"));
  spec = Model(R"({"files":{"model":"/a"}})");
  EXPECT_THAT(RowKeys::Make(spec).status().message(), HasSubstr("no checksum"));
  spec = Model(Payload("aa", "/a", "{}"));
  spec.shape = ReplyShape::kBatch;
  EXPECT_THAT(RowKeys::Make(spec).status().message(), HasSubstr("whole batches"));
  spec = Model("");
  spec.host = ServiceSpec::Host::kPython;
  EXPECT_THAT(RowKeys::Make(spec).status().message(), HasSubstr("journal=True"));
}

}  // namespace
}  // namespace mainstem
