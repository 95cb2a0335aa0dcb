// Rows times a number each.
#include <cmath>
#include <vector>

#include "rows.h"

using namespace products;

namespace {

std::vector<float> Scale(int64_t outputs, float epsilon, const float *gamma,
                         const float *variance) {
  std::vector<float> scale(outputs);
  for (int64_t i = 0; i < outputs; ++i) scale[i] = gamma[i] / std::sqrt(variance[i] + epsilon);
  return scale;
}

}  // namespace

int products_weigh_rows(int64_t rows, int64_t channels, const float *source, const float *factor,
                        float *target) {
  ForBlocks(rows, channels, [&](int64_t first, int64_t count, int64_t) {
    const int64_t at = first * channels;
    Choose().weigh_rows(count, channels, source + at, factor + first, target + at);
  });
  return PRODUCTS_OK;
}

int products_row_products(int64_t rows, int64_t channels, const float *first, const float *second,
                          float *target) {
  ForBlocks(rows, channels, [&](int64_t from, int64_t count, int64_t) {
    const int64_t at = from * channels;
    Choose().row_products(count, channels, first + at, second + at, target + from);
  });
  return PRODUCTS_OK;
}

int products_fold_norm(int64_t outputs, int64_t inputs, float epsilon, const float *weights,
                       const float *gamma, const float *beta, const float *mean,
                       const float *variance, float *target, float *shift) {
  return Guard([&] {
    const std::vector<float> scale = Scale(outputs, epsilon, gamma, variance);
    products_weigh_rows(outputs, inputs, weights, scale.data(), target);
    for (int64_t i = 0; i < outputs; ++i) shift[i] = beta[i] - mean[i] * scale[i];
  });
}

int products_fold_norm_grad(int64_t outputs, int64_t inputs, float epsilon, const float *grad,
                            const float *gamma, const float *variance, float *grad_weights) {
  return Guard([&] {
    const std::vector<float> scale = Scale(outputs, epsilon, gamma, variance);
    products_weigh_rows(outputs, inputs, grad, scale.data(), grad_weights);
  });
}
