#include "mainstem/services/host/model.h"

#include <gmock/gmock.h>

#include "mainstem/services/service_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;

class ServeModelTest : public ServiceHarness {
 protected:
  void StartModel(const std::string& payload, int64_t batch_rows = 64) {
    options_.native_host = MAINSTEM_SAMPLE_HOST;
    ServiceSpec spec;
    spec.name = payload;
    spec.host = ServiceSpec::Host::kNative;
    spec.payload = payload;
    spec.input = arrow::schema({arrow::field("x", arrow::int64())});
    spec.output = arrow::schema({arrow::field("y", arrow::int64())});
    spec.batch_rows = batch_rows;
    Start(spec);
  }
};

TEST_F(ServeModelTest, AnswersEveryRow) {
  StartModel("increment");
  const Reply reply = Ask(Numbers(500, 100));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_TRUE(reply.failures.empty());
  for (int64_t i = 0; i < 500; ++i) EXPECT_EQ(NumberAt(reply, i), i + 101);
}

TEST_F(ServeModelTest, FindsTheRowsAtFault) {
  StartModel("increment");
  const Reply reply = Ask(Numbers(20));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 4u);
  EXPECT_EQ(reply.failures[0].row, 13);
  EXPECT_EQ(reply.failures[0].reason, "thirteen");
  EXPECT_EQ(reply.failures[1].reason, "fourteen");
  EXPECT_EQ(reply.failures[2].reason, "fifteen");
  EXPECT_THAT(reply.failures[3].reason, HasSubstr("exit status 16"));
  EXPECT_EQ(reply.rows->column(0)->null_count(), 4);
  EXPECT_EQ(NumberAt(reply, 17), 18);
}

TEST_F(ServeModelTest, RepliesMayBeLargerThanTheFirstArena) {
  StartModel("increment", 4'000'000);
  const Reply reply = Ask(Numbers(4'000'000, 100));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(NumberAt(reply, 3'999'999), 4'000'100);
}

TEST_F(ServeModelTest, KeptRowsStayAsTheyWere) {
  StartModel("keeper");
  for (int64_t call = 0; call < 5; ++call) {
    const Reply reply = Ask(Numbers(64, call * 1000));
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    EXPECT_EQ(NumberAt(reply, 50), 50);
  }
}

TEST_F(ServeModelTest, AModelThatCannotBeLoadedFailsEveryCall) {
  StartModel("nothing");
  const Reply reply = Ask(Numbers(2));
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("there is no model 'nothing'"));
  EXPECT_EQ(endpoint_->Stats().replicas_started, 1);
}

}  // namespace
}  // namespace mainstem
