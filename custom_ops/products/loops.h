// Loops over rows of floats, in one thread: compiled once for each instruction set.
#ifndef FOCUS_DETR_PRODUCTS_LOOPS_H
#define FOCUS_DETR_PRODUCTS_LOOPS_H

#include <cstdint>

namespace products {

// What group norm needs of each channel for one image.
struct ChannelMoments {
  const float *mean, *scale;  // [C]; scale: one over the standard deviation
};

// target [R,C] = left [R,I] * right [I,C], small enough for the cache; C is a multiple of Loops::lanes.
// Rows of `right` and `target` are dense and as far apart as their strides say.
struct SmallProduct {
  int64_t rows, inner, columns;
  const float *left;
  int64_t left_row_stride, left_inner_stride;
  const float *right;
  int64_t right_stride;
  float *target;
  int64_t target_stride;
};
constexpr int64_t kPiece = 16;  // floats; no vector is longer

// One head's channels in the rows of some cells, and as a matrix [cells, stride].
struct CellRows {
  int64_t cells;
  const int64_t *places;  // of the rows; -1: the cell has none
  int64_t width, offset;  // numbers of a row, and before the head's
  int64_t depth, stride;  // the head's; in the matrix, where zeros follow
};

struct Loops {
  int64_t lanes;  // floats of a vector, at least 4

  // sums [C] += rows [R,C]
  void (*add_rows)(int64_t rows, int64_t channels, const float *matrix, float *sums);
  // sums [C] += weight [R] * rows [R,C]
  void (*add_weighted)(int64_t rows, int64_t channels, const float *matrix, const float *weights,
                       float *sums);
  // sums [C] += weight [R] * (rows [R,C] - mean [C])^2
  void (*add_squares)(int64_t rows, int64_t channels, const float *matrix, const float *weights,
                      const float *mean, float *sums);
  // target [R,C] = source * factor [C] + term [C]
  void (*scale_rows)(int64_t rows, int64_t channels, const float *source, const float *factor,
                     const float *term, float *target);

  // target [R,C] = source * factor [R]
  void (*weigh_rows)(int64_t rows, int64_t channels, const float *source, const float *factor,
                     float *target);
  // target [R] = sums over the channels of first * second
  void (*row_products)(int64_t rows, int64_t channels, const float *first, const float *second,
                       float *target);

  void (*layer_norm)(int64_t rows, int64_t channels, float epsilon, const float *source,
                     const float *gamma, const float *beta, float *target);
  // sums [2,C] += what the rows give to the gradients of gamma and beta
  void (*layer_norm_grad)(int64_t rows, int64_t channels, float epsilon, const float *source,
                          const float *gamma, const float *grad, float *grad_source, float *sums);

  // sums [2,C] += grad * normed source, grad
  void (*group_norm_sums)(int64_t rows, int64_t channels, ChannelMoments moments,
                          const float *source, const float *grad, float *sums);
  // grad_source = scale * (grad * gamma - weight [R] * (constant [C] + normed source * slope [C]))
  void (*group_norm_grad)(int64_t rows, int64_t channels, ChannelMoments moments,
                          const float *source, const float *grad, const float *weights,
                          const float *gamma, const float *constant, const float *slope,
                          float *grad_source);

  void (*activation_grad)(int activation, int64_t count, const float *grad, const float *kept,
                          float *grad_source);

  // matrix [R,C] of logits -> probabilities of softmax(matrix * scale + bias); a bias for each row
  // lies `bias_stride` numbers behind that of the row before
  void (*softmax)(int64_t rows, int64_t columns, float scale, const float *bias,
                  int64_t bias_stride, float *matrix);
  // grads [R,C] of probabilities -> of the logits, times scale
  void (*softmax_grad)(int64_t rows, int64_t columns, float scale, const float *probabilities,
                       float *grads);

  void (*gelu)(int64_t count, const float *source, float *target);
  // target = gelu(source), grads *= its derivative
  void (*gelu_and_grad)(int64_t count, const float *source, float *target, float *grads);
  // target = residual + factor * branch; a null residual counts as 0
  void (*scaled_sum)(int64_t count, float factor, const float *residual, const float *branch,
                     float *target);

  void (*multiply)(const SmallProduct &product);

  // matrix = factor * rows; of a cell without one those of `outside`, or zeros if that is null
  void (*gather_rows)(const CellRows &cells, const float *tensor, const float *outside,
                      float factor, float *matrix);
  // rows = factor * matrix; what has no row is added to `beyond` [depth], if that is there
  void (*scatter_rows)(const CellRows &cells, const float *matrix, float factor, float *tensor,
                       float *beyond);
  // turned [C,stride] = matrix [R,C]^T with zeros behind; C is a multiple of `lanes`
  void (*turn)(int64_t rows, int64_t channels, const float *matrix, int64_t stride, float *turned);
  // target [stride] = bias, plus `apart` for the cells of other regions than `own`
  void (*mask_bias)(int64_t cells, int64_t stride, const float *bias, const float *regions,
                    float own, float apart, float *target);

  // target [C] = the larger of itself and source, for each channel
  void (*take_larger)(int64_t channels, const float *source, float *target);
};

// Those that fit the processor.
const Loops &Choose();

}  // namespace products

#endif
