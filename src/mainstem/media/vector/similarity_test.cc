#include "mainstem/media/vector/similarity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace mainstem::vector {
namespace {

TEST(Dot, SumsProductsOfAnyLength) {
  std::vector<float> a;
  std::vector<double> b;
  for (int n = 0; n < 40; ++n) {
    // Σ i·(i+1) for i below n is (n-1)·n·(n+1)/3.
    EXPECT_EQ(Dot(a.data(), b.data(), n), (n - 1.0) * n * (n + 1.0) / 3) << n;
    a.push_back(static_cast<float>(n));
    b.push_back(n + 1.0);
  }
}

TEST(Cosine, IsThatOfTheAngle) {
  EXPECT_DOUBLE_EQ(*Cosine(3 * 4 + 4 * 3, 25, 25), 24.0 / 25);  // (3, 4) and (4, 3)
  EXPECT_EQ(*Cosine(-50, 25, 100), -1);
  EXPECT_EQ(*Cosine(3.0000000000000004, 3, 3), 1);  // rounding never leaves [-1, 1]
  EXPECT_TRUE(std::isnan(*Cosine(std::numeric_limits<double>::quiet_NaN(), 1, 1)));
}

TEST(Cosine, OfAZeroVectorIsNothing) {
  EXPECT_FALSE(Cosine(0, 0, 25));
  EXPECT_FALSE(Cosine(0, 25, 0));
}

}  // namespace
}  // namespace mainstem::vector
