// The perceptron's branch of a Swin block while training: norm, two products with GELU between them,
// stochastic depth and residual.
//
// It goes over the map in strips of rows, so that what is four times as wide as the map stays in the
// cache. Only GELU's argument is kept for the gradient, and an image whose branch was left out costs
// no more than a copy.
#include <algorithm>
#include <vector>

#include "dense.h"
#include "rows.h"

namespace {

using namespace products;

constexpr int64_t kMostRows = 2048;  // of a strip

// Evenly, as each size is a primitive of its own.
int64_t RowsOfStrip(int64_t rows) {
  const int64_t strips = (rows + kMostRows - 1) / kMostRows;
  return (rows + strips - 1) / strips;
}

// body(first row, how many) for the strips of images that follow each other and have the branch,
// drop(first row, how many) for each image that has not
template <typename Drop, typename Body>
void ForStrips(const products_perceptron &p, const float *factor, const Drop &drop,
               const Body &body) {
  for (int64_t image = 0; image < p.batch;) {
    const int64_t begin = image * p.rows;
    if (factor[image++] == 0.0f) {
      drop(begin, p.rows);
      continue;
    }
    while (image < p.batch && factor[image] != 0.0f) ++image;
    const int64_t end = image * p.rows, step = RowsOfStrip(end - begin);
    for (int64_t row = begin; row < end; row += step) body(row, std::min(step, end - row));
  }
}

void Copy(int64_t count, const float *from, float *to) {
  ForPieces(count, [&](int64_t at, int64_t size) { std::copy_n(from + at, size, to + at); });
}

// target = residual + factor of the image * branch, of the batch's rows from `first` on, with
// which all three begin; a null residual counts as 0
void AddScaled(const products_perceptron &p, int64_t first, int64_t rows, const float *factor,
               const float *residual, const float *branch, float *target) {
  for (int64_t row = first; row < first + rows;) {
    const int64_t image = row / p.rows, end = std::min(first + rows, (image + 1) * p.rows);
    const int64_t begin = (row - first) * p.channels;
    ForPieces((end - row) * p.channels, [&](int64_t piece, int64_t size) {
      const int64_t at = begin + piece;
      Choose().scaled_sum(size, factor[image], residual ? residual + at : nullptr, branch + at,
                          target + at);
    });
    row = end;
  }
}

// sums [O] += the columns of a matrix [R,O]
void AddColumns(int64_t rows, int64_t outputs, const float *matrix, float *sums) {
  std::vector<float> own(outputs);
  SumBlocks(rows, outputs, own.data(), [&](int64_t first, int64_t count, float *block) {
    Choose().add_rows(count, outputs, matrix + first * outputs, block);
  });
  Choose().add_rows(1, outputs, own.data(), sums);
}

// Matrices of a strip.
struct Strip {
  Strip(const products_perceptron &p, int64_t narrow, int64_t wide) {
    const int64_t rows = std::min(kMostRows, p.batch * p.rows);
    auto *memory = static_cast<float *>(Scratch(
        kStrip, rows * (narrow * p.channels + wide * p.hidden) * sizeof(float)));
    float **wides[] = {&hidden, &grad_hidden}, **narrows[] = {&normed, &scaled, &grad_normed};
    for (int64_t i = 0; i < wide; ++i, memory += rows * p.hidden) *wides[i] = memory;
    for (int64_t i = 0; i < narrow; ++i, memory += rows * p.channels) *narrows[i] = memory;
  }

  float *hidden, *grad_hidden = nullptr;                     // [R,H]
  float *normed, *scaled = nullptr, *grad_normed = nullptr;  // [R,C]
};

}  // namespace

int products_perceptron_branch(const products_perceptron *perceptron, float epsilon,
                               const float *source, const float *gamma, const float *beta,
                               const float *first, const float *first_bias, const float *second,
                               const float *second_bias, const float *factor, float *target,
                               float *argument) {
  const products_perceptron &p = *perceptron;
  const int64_t channels = p.channels, hidden = p.hidden;
  if (p.batch * p.rows == 0) return PRODUCTS_OK;
  return Guard([&] {
    const Strip strip(p, 1, 1);
    const auto drop = [&](int64_t row, int64_t rows) {
      Copy(rows * channels, source + row * channels, target + row * channels);
    };
    ForStrips(p, factor, drop, [&](int64_t row, int64_t rows) {
      const float *from = source + row * channels;
      float *kept = argument + row * hidden, *to = target + row * channels;
      Require(products_layer_norm(rows, channels, epsilon, from, gamma, beta, strip.normed));
      Require(products_dense(rows, channels, hidden, PRODUCTS_NONE, PRODUCTS_FLOAT32,
                             strip.normed, first, first_bias, nullptr, nullptr, kept));
      Require(products_gelu(rows * hidden, kept, strip.hidden));
      Require(products_dense(rows, hidden, channels, PRODUCTS_NONE, PRODUCTS_FLOAT32,
                             strip.hidden, second, second_bias, nullptr, nullptr, to));
      AddScaled(p, row, rows, factor, from, to, to);
    });
  });
}

int products_perceptron_branch_grad(const products_perceptron *perceptron, float epsilon,
                                    const float *source, const float *gamma, const float *beta,
                                    const float *first, const float *second, const float *factor,
                                    const float *argument, const float *grad, float *grad_source,
                                    float *grad_gamma, float *grad_beta, float *grad_first,
                                    float *grad_first_bias, float *grad_second,
                                    float *grad_second_bias) {
  const products_perceptron &p = *perceptron;
  const int64_t channels = p.channels, hidden = p.hidden;
  std::fill_n(grad_gamma, channels, 0.0f);
  std::fill_n(grad_beta, channels, 0.0f);
  std::fill_n(grad_first, hidden * channels, 0.0f);
  std::fill_n(grad_first_bias, hidden, 0.0f);
  std::fill_n(grad_second, hidden * channels, 0.0f);
  std::fill_n(grad_second_bias, channels, 0.0f);
  if (p.batch * p.rows == 0) return PRODUCTS_OK;
  return Guard([&] {
    const Strip strip(p, 3, 2);
    std::vector<float> of_norm(2 * channels);
    const auto drop = [&](int64_t row, int64_t rows) {
      Copy(rows * channels, grad + row * channels, grad_source + row * channels);
    };
    ForStrips(p, factor, drop, [&](int64_t row, int64_t rows) {
      const float *from = source + row * channels, *given = grad + row * channels;
      const float *kept = argument + row * hidden;
      float *to = grad_source + row * channels;
      Require(products_layer_norm(rows, channels, epsilon, from, gamma, beta, strip.normed));
      AddScaled(p, row, rows, factor, nullptr, given, strip.scaled);
      Require(products_dense_grad_source(rows, hidden, channels, strip.scaled, second,
                                         strip.grad_hidden));
      ForPieces(rows * hidden, [&](int64_t at, int64_t size) {
        Choose().gelu_and_grad(size, kept + at, strip.hidden + at, strip.grad_hidden + at);
      });
      AddGradWeights(rows, hidden, channels, strip.scaled, strip.hidden, grad_second);
      AddColumns(rows, channels, strip.scaled, grad_second_bias);
      AddGradWeights(rows, channels, hidden, strip.grad_hidden, strip.normed, grad_first);
      AddColumns(rows, hidden, strip.grad_hidden, grad_first_bias);
      Require(products_dense_grad_source(rows, channels, hidden, strip.grad_hidden, first,
                                         strip.grad_normed));
      SumBlocks(rows, 2 * channels, of_norm.data(), [&](int64_t at, int64_t count, float *own) {
        const int64_t place = at * channels;
        Choose().layer_norm_grad(count, channels, epsilon, from + place, gamma,
                                 strip.grad_normed + place, to + place, own);
        Choose().scaled_sum(count * channels, 1.0f, given + place, to + place, to + place);
      });
      Choose().add_rows(1, channels, of_norm.data(), grad_gamma);
      Choose().add_rows(1, channels, of_norm.data() + channels, grad_beta);
    });
  });
}
