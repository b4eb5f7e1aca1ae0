#include "mainstem/runtime/scheduler.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <random>

#include "mainstem/runtime/channel.h"
#include "mainstem/runtime/input_gate.h"

namespace mainstem::runtime {
namespace {

// Takes what is in its box whenever it runs, and says when it has all.
class Counter : public Runnable {
 public:
  explicit Counter(int expected) : expected_(expected) {}
  bool Run() override {
    EXPECT_FALSE(running_.exchange(true)) << "run by two threads at once";
    const int taken = box.exchange(0);
    seen_ += taken;
    const bool all = taken > 0 && seen_ == expected_;  // a wake may come behind what it announced
    running_ = false;
    if (all) done.set_value();
    return false;
  }
  int depth() const override { return 0; }

  std::atomic<int> box{0};
  std::promise<void> done;

 private:
  const int expected_;
  int seen_ = 0;  // touched by the running thread alone: the scheduler orders one run before the next
  std::atomic<bool> running_{false};
};

TEST(Scheduler, LosesNoWakeUnderStress) {
  constexpr int kWakers = 4;
  constexpr int kWakes = 20'000;
  Scheduler scheduler(3);
  Counter counter(kWakers * kWakes);
  std::vector<std::thread> wakers;
  for (int w = 0; w < kWakers; ++w) {
    wakers.emplace_back([&] {
      for (int i = 0; i < kWakes; ++i) {
        ++counter.box;
        scheduler.Wake(&counter);
      }
    });
  }
  // Where a wake were lost, this would wait for ever.
  counter.done.get_future().wait();
  for (std::thread& waker : wakers) waker.join();
  scheduler.Stop();
}

class Recorder : public Runnable {
 public:
  Recorder(int depth, std::vector<int>* ran, std::promise<void>* done) : depth_(depth), ran_(ran), done_(done) {}
  bool Run() override {
    ran_->push_back(depth_);
    if (ran_->size() == 3) done_->set_value();
    return false;
  }
  int depth() const override { return depth_; }

 private:
  int depth_;
  std::vector<int>* ran_;
  std::promise<void>* done_;
};

class Gate : public Runnable {
 public:
  bool Run() override {
    entered.set_value();
    open.get_future().wait();
    return false;
  }
  int depth() const override { return 9; }
  std::promise<void> entered;
  std::promise<void> open;
};

TEST(Scheduler, RunsTheOneNearestTheSinkFirst) {
  std::vector<int> ran;
  std::promise<void> done;
  Gate gate;
  Recorder low(0, &ran, &done);
  Recorder middle(1, &ran, &done);
  Recorder high(2, &ran, &done);
  Scheduler scheduler(1);
  scheduler.Wake(&gate);
  gate.entered.get_future().wait();
  for (Recorder* recorder : {&low, &high, &middle}) scheduler.Wake(recorder);
  gate.open.set_value();
  done.get_future().wait();
  EXPECT_EQ(ran, (std::vector<int>{2, 1, 0}));
  scheduler.Stop();
}

TEST(Scheduler, SaysWhenNobodyRuns) {
  std::promise<void> idle;
  std::atomic<int> idles{0};
  std::vector<int> ran(2);  // the recorder below is the third
  std::promise<void> done;
  Recorder recorder(0, &ran, &done);
  Scheduler scheduler(2, [&] {
    if (idles++ == 0) idle.set_value();
  });
  scheduler.Wake(&recorder);
  done.get_future().wait();
  idle.get_future().wait();
  scheduler.Stop();
  EXPECT_EQ(idles.load(), 1);
}

Batch Numbered(int64_t order, int64_t value, bool last, int64_t rows = 1) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(value).ok());
  const auto column = *builder.Finish();
  return {.rows = arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}), rows, {column}),
          .order = order,
          .last_of_order = last};
}
int64_t ValueOf(const Batch& batch) { return static_cast<const arrow::Int64Array&>(*batch.rows->column(0)).Value(0); }

TEST(Channel, IsBoundedInBytesAndTakesOneBatchAlways) {
  int producer_wakes = 0;
  int consumer_wakes = 0;
  Channel channel(1000, [&] { ++producer_wakes; }, [&] { ++consumer_wakes; });
  EXPECT_TRUE(channel.HasRoom());
  channel.Push(Numbered(0, 1, true, 1000));  // 8,000 bytes
  EXPECT_FALSE(channel.HasRoom());
  EXPECT_EQ(channel.bytes(), 8000);
  EXPECT_EQ(consumer_wakes, 1);
  ASSERT_TRUE(channel.Pop().has_value());
  EXPECT_EQ(producer_wakes, 1);
  EXPECT_EQ(channel.bytes(), 0);
  EXPECT_TRUE(channel.HasRoom());
}

TEST(Channel, IsBoundedInNumberToo) {
  Channel channel(1 << 30, [] {}, [] {});
  int pushed = 0;
  for (; channel.HasRoom() && pushed < 1000; ++pushed) channel.Push(Numbered(pushed, 0, true));
  EXPECT_EQ(pushed, 64);
}

TEST(Channel, AClosedChannelDropsWhatComesAndNeverStopsItsProducer) {
  Channel channel(10, [] {}, [] {});
  channel.Push(Numbered(0, 1, true, 100));
  channel.Close();
  EXPECT_TRUE(channel.closed());
  EXPECT_TRUE(channel.HasRoom());
  channel.Push(Numbered(1, 1, true, 100));
  EXPECT_EQ(channel.bytes(), 0);
  EXPECT_FALSE(channel.Pop().has_value());
}

TEST(Channel, IsDrainedWhenItHasEndedAndIsEmpty) {
  Channel channel(10, [] {}, [] {});
  channel.Push(Numbered(0, 1, true));
  channel.End();
  EXPECT_FALSE(channel.Drained());
  EXPECT_TRUE(channel.Pop().has_value());
  EXPECT_TRUE(channel.Drained());
}

TEST(Channel, ALaterBarrierEndsACaptureToo) {
  Channel channel(1 << 20, [] {}, [] {});
  channel.Push(Numbered(0, 1, true));
  channel.StartCapture(6);
  channel.Push(Numbered(1, 2, true));
  EXPECT_FALSE(channel.CaptureComplete());
  channel.PushBarrier(7);  // the producer was busy while checkpoint 6 was given up
  EXPECT_TRUE(channel.CaptureComplete());
  EXPECT_EQ(channel.TakeCaptured().size(), 2u);
  EXPECT_EQ(channel.NewestBarrier(), 7);
}

TEST(InputGate, AsTheyComeEverybodyHasATurn) {
  auto busy = std::make_shared<Channel>(1 << 20, [] {}, [] {});
  auto calm = std::make_shared<Channel>(1 << 20, [] {}, [] {});
  InputGate gate({busy, calm}, InputGate::Reads::kAsTheyCome);
  for (int64_t i = 0; i < 3; ++i) busy->Push(Numbered(i, 1, false));
  calm->Push(Numbered(9, 2, false));
  std::vector<int64_t> values;
  while (const auto batch = gate.Pop()) values.push_back(ValueOf(*batch));
  EXPECT_EQ(values, (std::vector<int64_t>{1, 2, 1, 1}));
}

struct Merged {
  explicit Merged(size_t producers) {
    for (size_t i = 0; i < producers; ++i) {
      channels.push_back(std::make_shared<Channel>(1 << 20, [] {}, [] {}));
    }
    merge = std::make_unique<InputGate>(channels);
  }
  std::vector<std::shared_ptr<Channel>> channels;
  std::unique_ptr<InputGate> merge;
};

TEST(InputGate, GivesTheNextOrderAtOnceAndWaitsForAnEarlierOne) {
  Merged merged(2);
  merged.channels[0]->Push(Numbered(0, 100, true));
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 100);
  merged.channels[0]->Push(Numbered(2, 102, true));
  EXPECT_FALSE(merged.merge->Pop().has_value());
  merged.channels[1]->Push(Numbered(1, 101, false));
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 101);
  EXPECT_FALSE(merged.merge->Pop().has_value()) << "order 1 is not complete";
  merged.channels[1]->Push(Numbered(1, 111, true));
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 111);
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 102);
}

TEST(InputGate, GoesOnWhereAProducerEndsWithoutTheMark) {
  Merged merged(2);
  merged.channels[0]->Push(Numbered(0, 100, false));
  merged.channels[0]->End();
  merged.channels[1]->Push(Numbered(1, 101, true));
  merged.channels[1]->End();
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 100);
  EXPECT_EQ(ValueOf(*merged.merge->Pop()), 101);
  EXPECT_FALSE(merged.merge->Pop().has_value());
  EXPECT_TRUE(merged.merge->Drained());
}

TEST(InputGate, RestoresTheOrderOfRandomProducers) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    Merged merged(4);
    // Orders go to random producers, some are left out, each has one to three batches.
    std::vector<std::deque<Batch>> waiting(4);
    std::vector<int64_t> expected;
    for (int64_t order = 0; order < 60; ++order) {
      if (random() % 7 == 0) continue;
      auto& producer = waiting[random() % 4];
      const int64_t batches = 1 + static_cast<int64_t>(random() % 3);
      for (int64_t b = 0; b < batches; ++b) {
        expected.push_back(order * 10 + b);
        producer.push_back(Numbered(order, expected.back(), b + 1 == batches));
      }
    }
    std::vector<int64_t> got;
    while (!merged.merge->Drained()) {
      const size_t p = random() % 4;
      if (!waiting[p].empty()) {
        merged.channels[p]->Push(std::move(waiting[p].front()));
        waiting[p].pop_front();
      } else {
        merged.channels[p]->End();
      }
      while (auto batch = merged.merge->Pop()) got.push_back(ValueOf(*batch));
    }
    EXPECT_EQ(got, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mainstem::runtime
