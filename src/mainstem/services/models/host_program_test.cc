// The program mainstem-host as the engine runs it: a child process that answers over shared memory.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <future>

#include "mainstem/services/models/reference.h"
#include "mainstem/services/service_starter.h"

namespace mainstem {
namespace {

Reply Ask(Endpoint& endpoint, const std::vector<std::string>& texts) {
  arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(texts).ok());
  const auto schema = arrow::schema({arrow::field("text", arrow::utf8())});
  const auto rows = arrow::RecordBatch::Make(schema, static_cast<int64_t>(texts.size()), {*builder.Finish()});
  std::promise<Reply> promise;
  endpoint.Submit({rows}, [&promise](Reply reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

std::shared_ptr<Endpoint> StartHost(ServiceStarter& starter, const std::string& payload) {
  ServiceSpec spec;
  spec.name = "ai.embed_text";
  spec.host = ServiceSpec::Host::kNative;
  spec.payload = payload;
  spec.input = arrow::schema({arrow::field("text", arrow::utf8())});
  spec.output = arrow::schema({arrow::field("vector", arrow::fixed_size_list(arrow::float32(), 384))});
  return *starter.Start(spec);
}

TEST(HostProgram, EmbedsTextsInAProcessOfItsOwn) {
  const auto payload = StorePayload("embed_text", "all-minilm-l6-v2");
  if (!payload.has_value()) GTEST_SKIP() << "packages are missing";
  const auto starter = MakeServiceStarter({.native_host = MAINSTEM_HOST});
  const auto endpoint = StartHost(*starter, payload->dump());
  const Reply reply = Ask(*endpoint, {"one", "two", "three"});
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.rows->num_rows(), 3);
  const auto& vectors = static_cast<const arrow::FixedSizeListArray&>(*reply.rows->column(0));
  double length = 0;
  for (int i = 0; i < 384; ++i) {
    const double number = static_cast<const arrow::FloatArray&>(*vectors.value_slice(1)).Value(i);
    length += number * number;
  }
  EXPECT_NEAR(length, 1, 1e-4);
  endpoint->Stop();
}

TEST(HostProgram, AModelThatIsNotThereFailsTheCallWithItsReason) {
  const auto starter = MakeServiceStarter({.native_host = MAINSTEM_HOST});
  const auto endpoint = StartHost(*starter, R"({"task": "onnx", "name": "mine", "files": {"model": "/nowhere.onnx"}})");
  const Reply reply = Ask(*endpoint, {"one"});
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_NE(reply.status.message().find("model 'mine': there is no model file /nowhere.onnx"), std::string::npos)
      << reply.status;
  endpoint->Stop();
}

}  // namespace
}  // namespace mainstem
