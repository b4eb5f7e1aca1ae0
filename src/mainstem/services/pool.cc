#include "mainstem/services/pool.h"

#include <arrow/type.h>

#include <algorithm>

#include "mainstem/services/pool_loop.h"

namespace mainstem {

Pool::Pool(std::shared_ptr<PoolLoop> loop)
    : loop_(std::move(loop)), thread_("service", [loop = loop_] { loop->Run(); }) {}

Result<std::shared_ptr<Pool>> Pool::Start(const ServiceSpec& spec, PoolOptions options) {
  ARROW_ASSIGN_OR_RAISE(auto loop, PoolLoop::Make(spec, std::move(options)));
  return std::shared_ptr<Pool>(new Pool(std::move(loop)));
}

Pool::~Pool() {
  Stop();
  if (thread_.IsCurrent()) thread_.Detach();  // the last owner was a callback: the loop ends after it
}

void Pool::Submit(Call call, std::function<void(Reply)> done) { loop_->Submit(std::move(call), std::move(done)); }

int Pool::SuggestedInFlight() const { return 2 * std::max(loop_->spec().max_replicas, 1) + 2; }

int64_t Pool::SuggestedRows() const { return loop_->suggested_rows(); }

ServiceStats Pool::Stats() const { return loop_->Stats(); }

void Pool::BeginStop() { loop_->RequestStop(); }

void Pool::Stop() {
  loop_->RequestStop();
  if (thread_.IsCurrent()) return;
  const std::lock_guard<std::mutex> lock(join_mutex_);
  thread_.Join();
}

}  // namespace mainstem
