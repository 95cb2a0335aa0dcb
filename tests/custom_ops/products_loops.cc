// Runs what the products library computes without oneDNN, beside plain loops.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "products.h"

namespace {

using Floats = std::vector<float>;

std::mt19937 generator(0);

Floats Random(int64_t count) {
  std::normal_distribution<float> normal(0.5f, 1.0f);
  Floats values(count);
  for (float &value : values) value = normal(generator);
  return values;
}

void Expect(const char *what, const Floats &found, const Floats &expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::fabs(found[i] - expected[i]) <= 2e-5f * (1 + std::fabs(expected[i]))) continue;
    std::fprintf(stderr, "%s: %g at %zu, expected %g\n", what, found[i], i, expected[i]);
    std::exit(1);
  }
}

constexpr int64_t kRows = 150, kChannels = 21;

void Rows() {
  const Floats x = Random(kRows * kChannels), y = Random(kRows * kChannels), factor = Random(kRows);
  Floats found(kRows * kChannels), expected(found), sums(kRows), expected_sums(kRows);
  products_weigh_rows(kRows, kChannels, x.data(), factor.data(), found.data());
  products_row_products(kRows, kChannels, x.data(), y.data(), sums.data());
  for (int64_t i = 0; i < kRows * kChannels; ++i) {
    expected[i] = x[i] * factor[i / kChannels];
    expected_sums[i / kChannels] += x[i] * y[i];
  }
  Expect("weigh_rows", found, expected);
  Expect("row_products", sums, expected_sums);
}

void Norms() {
  const Floats x = Random(kRows * kChannels), gamma = Random(kChannels), beta = Random(kChannels);
  Floats found(x.size()), expected(x.size());
  products_layer_norm(kRows, kChannels, 1e-5f, x.data(), gamma.data(), beta.data(), found.data());
  for (int64_t row = 0; row < kRows; ++row) {
    const float *from = x.data() + row * kChannels;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < kChannels; ++i) mean += from[i] / kChannels;
    for (int64_t i = 0; i < kChannels; ++i) variance += std::pow(from[i] - mean, 2) / kChannels;
    for (int64_t i = 0; i < kChannels; ++i) {
      const double normed = (from[i] - mean) / std::sqrt(variance + 1e-5);
      expected[row * kChannels + i] = static_cast<float>(normed * gamma[i] + beta[i]);
    }
  }
  Expect("layer_norm", found, expected);
}

void Pooling() {
  const products_map map{1, 9, 7, kChannels, kChannels, 3, 1, 2, 1, 1, 1, 1};
  const Floats x = Random(9 * 7 * kChannels);
  Floats found(5 * 4 * kChannels), expected(found.size(), -1e9f);
  products_max_pool(&map, x.data(), found.data());
  for (int row = 0; row < 9; ++row) {
    for (int column = 0; column < 7; ++column) {
      for (int r = row / 2; r <= (row + 1) / 2; ++r) {
        for (int c = column / 2; c <= (column + 1) / 2; ++c) {
          for (int64_t i = 0; i < kChannels; ++i) {
            float &largest = expected[(r * 4 + c) * kChannels + i];
            largest = std::fmax(largest, x[(row * 7 + column) * kChannels + i]);
          }
        }
      }
    }
  }
  Expect("max_pool", found, expected);
}

}  // namespace

int main() {
  Rows();
  Norms();
  Pooling();
  std::puts(products_variant());
  return 0;
}
