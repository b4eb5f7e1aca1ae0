// ServiceHarness: what the tests of services share: payloads from Python source, calls that are waited for.
#pragma once

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/services/service_starter.h"

namespace mainstem {

/// Pickles the value of the expression `payload` after running `source` in the interpreter of the tests.
inline std::string Pickled(const std::string& source, const std::string& payload) {
  const std::string program = "import sys, cloudpickle\n" + source + "\nsys.stdout.write(cloudpickle.dumps(" + payload +
                              ").hex())\n";
  std::string quoted;
  for (const char c : program) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  FILE* pipe = ::popen((MAINSTEM_PYTHON " -c '" + quoted + "'").c_str(), "r");
  std::string hex;
  char buffer[4096];
  while (const size_t count = std::fread(buffer, 1, sizeof(buffer), pipe)) hex.append(buffer, count);
  EXPECT_EQ(::pclose(pipe), 0) << program;
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

inline std::shared_ptr<arrow::Array> Int64s(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

inline std::shared_ptr<arrow::RecordBatch> Numbers(int64_t count, int64_t first = 0) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[static_cast<size_t>(i)] = first + i;
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("x", arrow::int64())}), count, {Int64s(values)});
}

inline int64_t NumberAt(const Reply& reply, int64_t row, int column = 0) {
  return static_cast<const arrow::Int64Array&>(*reply.rows->column(column)).Value(row);
}

class ServiceHarness : public ::testing::Test {
 protected:
  ServiceHarness() {
    options_.python = MAINSTEM_PYTHON;
    options_.python_host = MAINSTEM_PYTHON_HOST;
    options_.output = [this](std::string_view service, std::string_view line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      printed_ += "[" + std::string(service) + "] " + std::string(line) + "\n";
    };
  }
  ~ServiceHarness() override {
    if (endpoint_ != nullptr) endpoint_->Stop();
    if (HasFailure()) std::fputs(printed_.c_str(), stderr);
  }

  /// A service from Python source that defines `f`; x (int64) in, y (int64) out unless the spec says otherwise.
  ServiceSpec Spec(const std::string& source, const std::string& kind = "scalar", const std::string& form = "general") {
    ServiceSpec spec;
    spec.name = "f";
    spec.form = form;
    spec.payload = Pickled(source, "{\"callable\": f, \"kind\": \"" + kind + "\"}");
    spec.input = arrow::schema({arrow::field("x", arrow::int64())});
    spec.output = arrow::schema({arrow::field("y", arrow::int64())});
    return spec;
  }

  void Start(const ServiceSpec& spec) {
    starter_ = MakeServiceStarter(options_);
    auto endpoint = starter_->Start(spec);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    endpoint_ = *endpoint;
  }

  std::future<Reply> Submit(std::shared_ptr<arrow::RecordBatch> rows) {
    auto promise = std::make_shared<std::promise<Reply>>();
    std::future<Reply> future = promise->get_future();
    endpoint_->Submit({std::move(rows)}, [promise](Reply reply) { promise->set_value(std::move(reply)); });
    return future;
  }

  /// Waits for an answer; none within a minute is a failure.
  Reply Get(std::future<Reply> future) {
    if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      ADD_FAILURE() << "no reply within a minute";
      return Reply{.status = Status::Invalid("no reply")};
    }
    return future.get();
  }
  Reply Ask(std::shared_ptr<arrow::RecordBatch> rows) { return Get(Submit(std::move(rows))); }

  std::string Printed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return printed_;
  }

  ServiceStarterOptions options_;
  std::unique_ptr<ServiceStarter> starter_;
  std::shared_ptr<Endpoint> endpoint_;
  std::mutex mutex_;
  std::string printed_;
};

}  // namespace mainstem
