#include "mainstem/media/vector/similarity.h"

#include <algorithm>
#include <cmath>

namespace mainstem::vector {

std::optional<double> Cosine(double dot, double a_squared, double b_squared) {
  if (a_squared == 0 || b_squared == 0) return {};
  const double cosine = dot / (std::sqrt(a_squared) * std::sqrt(b_squared));
  return std::isnan(cosine) ? cosine : std::clamp(cosine, -1.0, 1.0);
}

}  // namespace mainstem::vector
