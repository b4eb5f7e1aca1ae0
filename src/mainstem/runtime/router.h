// Router: which lane of the next task takes an order, also after the number of lanes has changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mainstem::runtime {

/// All batches of an order go to one lane, so that the reader can restore the order. A change of the number of lanes
/// holds from an order on that nobody has seen yet; what began before goes where it went. Immutable.
class Router {
 public:
  explicit Router(std::vector<std::pair<int64_t, int>> lanes_from) : lanes_from_(std::move(lanes_from)) {}

  size_t LaneOf(int64_t order) const {
    int lanes = 1;
    for (const auto& [from, count] : lanes_from_) {
      if (order >= from) lanes = count;
    }
    return static_cast<size_t>(order) % static_cast<size_t>(lanes);
  }
  /// JSON: [[first order, lanes], …].
  std::string ToText() const {
    std::string text;
    for (const auto& [from, lanes] : lanes_from_) {
      text += (text.empty() ? "[[" : ",[") + std::to_string(from) + "," + std::to_string(lanes) + "]";
    }
    return text + "]";
  }

 private:
  const std::vector<std::pair<int64_t, int>> lanes_from_;  // (first order, lanes), ascending
};

}  // namespace mainstem::runtime
