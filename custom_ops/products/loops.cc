// The loops of loops.h for one instruction set: PRODUCTS_TABLE names the table that they fill. They
// are written so that the compiler turns them into vectors.
#include "loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cell_rows.h"
#include "products.h"
#include "small_product.h"

#define SIMD _Pragma("omp simd")

namespace products {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// e^x for x <= 0 to about two units in the last place; NaN stays NaN.
inline float Exponential(float x) {
  constexpr float kLowest = -87.0f, kPerDoubling = 1.44269504f;  // 1 / log 2
  constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  const float bounded = kLowest > x ? kLowest : x;  // in this order a NaN stays
  const float doublings = std::nearbyint(bounded * kPerDoubling);
  const float rest = bounded - doublings * kLog2High - doublings * kLog2Low;
  float series = 1.0f / 5040;
  series = series * rest + 1.0f / 720;
  series = series * rest + 1.0f / 120;
  series = series * rest + 1.0f / 24;
  series = series * rest + 1.0f / 6;
  series = series * rest + 0.5f;
  series = series * rest + 1.0f;
  series = series * rest + 1.0f;
  const int32_t bits = (static_cast<int32_t>(doublings) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return x < kLowest ? 0.0f : series * power;
}

struct Normal {
  float distribution, density;
};

// Of the normal distribution at x, to 1.5e-7: Abramowitz and Stegun 7.1.26, whose exponential is
// that of the density.
inline Normal NormalAt(float x) {
  constexpr float kHalfRoot = 0.70710678118654752f, kDensity = 0.39894228040143268f;
  const float power = Exponential(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.3275911f * kHalfRoot * std::fabs(x));
  float series = 1.061405429f;
  series = series * t - 1.453152027f;
  series = series * t + 1.421413741f;
  series = series * t - 0.284496736f;
  series = series * t + 0.254829592f;
  const float tail = 0.5f * series * t * power;
  return {x < 0.0f ? tail : 1.0f - tail, kDensity * power};
}

struct Moments {
  float mean, scale;
};

inline Moments Measure(int64_t count, const float *row, float epsilon) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += row[i];
  const float mean = sum / static_cast<float>(count);
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < count; ++i) squares += (row[i] - mean) * (row[i] - mean);
  return {mean, 1.0f / std::sqrt(squares / static_cast<float>(count) + epsilon)};
}

void AddRows(int64_t rows, int64_t channels, const float *matrix, float *sums) {
  for (; rows > 0; --rows, matrix += channels) {
    SIMD for (int64_t i = 0; i < channels; ++i) sums[i] += matrix[i];
  }
}

void AddWeighted(int64_t rows, int64_t channels, const float *matrix, const float *weights,
                 float *sums) {
  for (int64_t row = 0; row < rows; ++row, matrix += channels) {
    const float weight = weights[row];
    SIMD for (int64_t i = 0; i < channels; ++i) sums[i] += weight * matrix[i];
  }
}

void AddSquares(int64_t rows, int64_t channels, const float *matrix, const float *weights,
                const float *mean, float *sums) {
  for (int64_t row = 0; row < rows; ++row, matrix += channels) {
    const float weight = weights[row];
    SIMD for (int64_t i = 0; i < channels; ++i) {
      sums[i] += weight * (matrix[i] - mean[i]) * (matrix[i] - mean[i]);
    }
  }
}

void ScaleRows(int64_t rows, int64_t channels, const float *source, const float *factor,
               const float *term, float *target) {
  for (; rows > 0; --rows, source += channels, target += channels) {
    SIMD for (int64_t i = 0; i < channels; ++i) target[i] = source[i] * factor[i] + term[i];
  }
}

void WeighRows(int64_t rows, int64_t channels, const float *source, const float *factor,
               float *target) {
  for (int64_t row = 0; row < rows; ++row, source += channels, target += channels) {
    const float weight = factor[row];
    SIMD for (int64_t i = 0; i < channels; ++i) target[i] = source[i] * weight;
  }
}

void RowProducts(int64_t rows, int64_t channels, const float *first, const float *second,
                 float *target) {
  for (int64_t row = 0; row < rows; ++row, first += channels, second += channels) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < channels; ++i) sum += first[i] * second[i];
    target[row] = sum;
  }
}

void LayerNorm(int64_t rows, int64_t channels, float epsilon, const float *source,
               const float *gamma, const float *beta, float *target) {
  for (; rows > 0; --rows, source += channels, target += channels) {
    const Moments moments = Measure(channels, source, epsilon);
    SIMD for (int64_t i = 0; i < channels; ++i) {
      target[i] = (source[i] - moments.mean) * moments.scale * gamma[i] + beta[i];
    }
  }
}

void LayerNormGrad(int64_t rows, int64_t channels, float epsilon, const float *source,
                   const float *gamma, const float *grad, float *grad_source, float *sums) {
  const float share = 1.0f / static_cast<float>(channels);
  float *beta_sums = sums + channels;
  for (; rows > 0; --rows, source += channels, grad += channels, grad_source += channels) {
    const Moments moments = Measure(channels, source, epsilon);
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (int64_t i = 0; i < channels; ++i) {
      const float normed = (source[i] - moments.mean) * moments.scale;
      const float scaled = grad[i] * gamma[i];
      sums[i] += grad[i] * normed;
      beta_sums[i] += grad[i];
      sum += scaled;
      product += scaled * normed;
    }
    sum *= share;
    product *= share;
    SIMD for (int64_t i = 0; i < channels; ++i) {
      const float normed = (source[i] - moments.mean) * moments.scale;
      grad_source[i] = (grad[i] * gamma[i] - sum - normed * product) * moments.scale;
    }
  }
}

void GroupNormSums(int64_t rows, int64_t channels, ChannelMoments moments, const float *source,
                   const float *grad, float *sums) {
  float *plain = sums + channels;
  for (; rows > 0; --rows, source += channels, grad += channels) {
    SIMD for (int64_t i = 0; i < channels; ++i) {
      sums[i] += grad[i] * (source[i] - moments.mean[i]) * moments.scale[i];
      plain[i] += grad[i];
    }
  }
}

void GroupNormGrad(int64_t rows, int64_t channels, ChannelMoments moments, const float *source,
                   const float *grad, const float *weights, const float *gamma,
                   const float *constant, const float *slope, float *grad_source) {
  for (int64_t row = 0; row < rows; ++row) {
    const float weight = weights[row];
    SIMD for (int64_t i = 0; i < channels; ++i) {
      const float normed = (source[i] - moments.mean[i]) * moments.scale[i];
      const float shared = weight * (constant[i] + normed * slope[i]);
      grad_source[i] = moments.scale[i] * (grad[i] * gamma[i] - shared);
    }
    source += channels;
    grad += channels;
    grad_source += channels;
  }
}

void ActivationGrad(int activation, int64_t count, const float *grad, const float *kept,
                    float *grad_source) {
  if (activation == PRODUCTS_GELU) {
    SIMD for (int64_t i = 0; i < count; ++i) {
      const Normal normal = NormalAt(kept[i]);
      grad_source[i] = grad[i] * (normal.distribution + kept[i] * normal.density);
    }
    return;
  }
  const float top = activation == PRODUCTS_RELU6 ? 6.0f : kInfinity;
  SIMD for (int64_t i = 0; i < count; ++i) {
    grad_source[i] = kept[i] > 0.0f && kept[i] < top ? grad[i] : 0.0f;
  }
}

void Gelu(int64_t count, const float *source, float *target) {
  SIMD for (int64_t i = 0; i < count; ++i) {
    target[i] = source[i] * NormalAt(source[i]).distribution;
  }
}

void GeluAndGrad(int64_t count, const float *source, float *target, float *grads) {
  SIMD for (int64_t i = 0; i < count; ++i) {
    const Normal normal = NormalAt(source[i]);
    target[i] = source[i] * normal.distribution;
    grads[i] *= normal.distribution + source[i] * normal.density;
  }
}

void ScaledSum(int64_t count, float factor, const float *residual, const float *branch,
               float *target) {
  if (residual) {
    SIMD for (int64_t i = 0; i < count; ++i) target[i] = residual[i] + factor * branch[i];
  } else {
    SIMD for (int64_t i = 0; i < count; ++i) target[i] = factor * branch[i];
  }
}

inline Vector Load(const float *from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

inline float Larger(float first, float second) { return first > second ? first : second; }

// row = row * scale + bias; gives the largest. A compiler turns no search for it into vectors.
inline float AddBias(int64_t columns, float scale, const float *bias, float *row) {
  Vector tops = Vector{} - kInfinity;
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    const Vector logits = Load(row + i) * scale + Load(bias + i);
    std::memcpy(row + i, &logits, sizeof logits);
    tops = logits > tops ? logits : tops;
  }
  float top = -kInfinity;
  for (; i < columns; ++i) {
    row[i] = row[i] * scale + bias[i];
    top = Larger(row[i], top);
  }
  for (int lane = 0; lane < kLanes; ++lane) top = Larger(tops[lane], top);
  return top;
}

void Softmax(int64_t rows, int64_t columns, float scale, const float *bias, int64_t bias_stride,
             float *matrix) {
  for (; rows > 0; --rows, bias += bias_stride, matrix += columns) {
    const float top = AddBias(columns, scale, bias, matrix);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < columns; ++i) {
      matrix[i] = Exponential(matrix[i] - top);
      sum += matrix[i];
    }
    const float share = 1.0f / sum;
    SIMD for (int64_t i = 0; i < columns; ++i) matrix[i] *= share;
  }
}

void SoftmaxGrad(int64_t rows, int64_t columns, float scale, const float *probabilities,
                 float *grads) {
  for (; rows > 0; --rows, probabilities += columns, grads += columns) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < columns; ++i) sum += probabilities[i] * grads[i];
    SIMD for (int64_t i = 0; i < columns; ++i) {
      grads[i] = probabilities[i] * (grads[i] - sum) * scale;
    }
  }
}

void TakeLarger(int64_t channels, const float *source, float *target) {
  SIMD for (int64_t i = 0; i < channels; ++i) {
    // a NaN wins, as in MindSpore
    target[i] = source[i] > target[i] || source[i] != source[i] ? source[i] : target[i];
  }
}

}  // namespace

extern const Loops PRODUCTS_TABLE;
const Loops PRODUCTS_TABLE = {
    kLanes,      AddRows,       AddWeighted,   AddSquares,     ScaleRows, WeighRows,
    RowProducts, LayerNorm,     LayerNormGrad, GroupNormSums,  GroupNormGrad, ActivationGrad,
    Softmax,     SoftmaxGrad,   Gelu,          GeluAndGrad,    ScaledSum, Multiply,
    GatherRows,  ScatterRows,   Turn,          MaskBias,       TakeLarger};

}  // namespace products
