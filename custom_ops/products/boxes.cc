// The few numbers of boxes, in double precision: six layers of refinement add errors up.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "products.h"

namespace {

double Within(double low, double value, double high) {
  return std::isnan(value) ? value : std::min(std::max(low, value), high);
}

}  // namespace

int products_box_sigmoid(int64_t count, const float *source, float *target) {
  for (int64_t i = 0; i < count; ++i) {
    target[i] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(source[i]))));
  }
  return PRODUCTS_OK;
}

int products_box_sigmoid_grad(int64_t count, const float *grad, const float *target,
                              float *grad_source) {
  for (int64_t i = 0; i < count; ++i) {
    grad_source[i] = grad[i] * target[i] * (1.0f - target[i]);
  }
  return PRODUCTS_OK;
}

int products_inverse_sigmoid(int64_t count, float epsilon, const float *source, float *target) {
  for (int64_t i = 0; i < count; ++i) {
    const float share = static_cast<float>(Within(0, source[i], 1));
    const double inside = Within(epsilon, share, 1), outside = Within(epsilon, 1.0f - share, 1);
    target[i] = static_cast<float>(std::log(inside / outside));
  }
  return PRODUCTS_OK;
}

int products_inverse_sigmoid_grad(int64_t count, float epsilon, const float *grad,
                                  const float *source, float *grad_source) {
  for (int64_t i = 0; i < count; ++i) {
    const float share = source[i], rest = 1.0f - share;
    float slope = 0;
    if (share >= 0 && share <= 1) {
      if (share >= epsilon) slope += 1.0f / share;
      if (rest >= epsilon) slope += 1.0f / rest;
    }
    grad_source[i] = grad[i] * slope;
  }
  return PRODUCTS_OK;
}
