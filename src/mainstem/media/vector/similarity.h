// Similarity of two dense vectors.
#pragma once

#include <cstdint>
#include <optional>

namespace mainstem::vector {

/// Returns Σ aᵢ·bᵢ, summed in double precision.
template <typename A, typename B>
double Dot(const A* a, const B* b, int64_t dimension) {
  // Eight sums that do not wait for each other; the order of addition is fixed, so results repeat.
  constexpr int64_t kLanes = 8;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= dimension; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (; i < dimension; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// Returns the cosine of the angle from the dot product and the squared lengths, within [-1, 1]; nothing where a
/// length is zero: the angle is not defined. Not a number stays not a number.
std::optional<double> Cosine(double dot, double a_squared, double b_squared);

}  // namespace mainstem::vector
