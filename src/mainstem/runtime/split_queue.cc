#include "mainstem/runtime/split_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mainstem::runtime {

using Json = nlohmann::json;

Result<std::shared_ptr<SplitQueue>> SplitQueue::Make(const Source& source, const ScanRequest& scan,
                                                     const std::string& state) {
  if (state.empty()) {
    ARROW_ASSIGN_OR_RAISE(auto enumerator, source.Enumerate(scan, ""));
    return std::make_shared<SplitQueue>(std::move(enumerator));
  }
  const Json json = Json::parse(state, nullptr, false);
  if (!json.is_object()) return JobError("a checkpoint does not say how far its source was read");
  try {
    ARROW_ASSIGN_OR_RAISE(auto enumerator, source.Enumerate(scan, json.at("position").get<std::string>()));
    auto queue = std::make_shared<SplitQueue>(std::move(enumerator));
    queue->next_ordinal_ = json.at("next_ordinal").get<int64_t>();
    for (const Json& split : json.at("returned")) {
      const auto ordinal = split.at(0).get<int64_t>();
      queue->returned_[ordinal] = {.ordinal = ordinal, .content = split.at(1).get<std::string>()};
    }
    return queue;
  } catch (const Json::exception& error) {
    return JobError(fmt::format("a checkpoint does not say how far its source was read: {}", Escaped(error.what())));
  }
}

Result<SplitQueue::Given> SplitQueue::Next(int lane, int64_t barrier, int64_t after, bool retiring) {
  const std::lock_guard lock(mutex_);
  Given given;
  const auto returned = returned_.upper_bound(after);
  if (returned != returned_.end()) {
    given.split = std::move(returned->second);
    returned_.erase(returned);
  } else if (!retiring) {
    ARROW_ASSIGN_OR_RAISE(given.split, enumerator_->Next());
    if (!given.split) {
      given.retry_after_ns = enumerator_->retry_after_ns();
      return given;
    }
    given.split->ordinal = next_ordinal_++;
  }
  if (given.split) handed_.push_back({*given.split, lane, barrier});
  return given;
}

std::string SplitQueue::State(const std::map<int, int64_t>& taken_at) const {
  const std::lock_guard lock(mutex_);
  std::map<int64_t, std::string> open;
  for (const auto& [ordinal, split] : returned_) open[ordinal] = split.content;
  for (const Handed& handed : handed_) {
    const auto lane = taken_at.find(handed.lane);
    // A lane without a snapshot has finished nothing.
    if (lane == taken_at.end() || handed.barrier >= lane->second) open[handed.split.ordinal] = handed.split.content;
  }
  Json returned = Json::array();
  for (const auto& [ordinal, content] : open) returned.push_back({ordinal, content});
  const Json json = {{"position", enumerator_->Position()}, {"next_ordinal", next_ordinal_}, {"returned", returned}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void SplitQueue::Covered(const std::map<int, int64_t>& taken_at) {
  const std::lock_guard lock(mutex_);
  std::erase_if(handed_, [&](const Handed& handed) {
    const auto lane = taken_at.find(handed.lane);
    return lane != taken_at.end() && handed.barrier < lane->second;
  });
}

void SplitQueue::GiveBack(int lane, int64_t barrier) {
  const std::lock_guard lock(mutex_);
  std::erase_if(handed_, [&](Handed& handed) {
    if (handed.lane != lane || handed.barrier < barrier) return false;
    returned_[handed.split.ordinal] = std::move(handed.split);
    return true;
  });
}

int64_t SplitQueue::next_ordinal() const {
  const std::lock_guard lock(mutex_);
  return next_ordinal_;
}

}  // namespace mainstem::runtime
