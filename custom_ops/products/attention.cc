// Softmax attention, one head after the other: only one head's probabilities exist at a time.
#include <cmath>

#include "rows.h"

namespace {

using namespace products;

enum Kind : int64_t { kProduct = 32 };  // apart from those of the other operators

// A matrix of one head inside a tensor: [rows, columns] with strides.
struct Matrix {
  const float *data;
  int64_t rows, columns, row_stride, column_stride;

  Matrix transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

void Multiply(const Matrix &left, const Matrix &right, const Matrix &target) {
  const Layout a({left.rows, left.columns}, {left.row_stride, left.column_stride});
  const Layout b({right.rows, right.columns}, {right.row_stride, right.column_stride});
  const Layout c({target.rows, target.columns}, {target.row_stride, target.column_stride});
  const Sizes key{kProduct,          left.rows,         left.columns,       right.columns,
                  left.row_stride,   left.column_stride, right.row_stride,  right.column_stride,
                  target.row_stride, target.column_stride};
  const Ready &ready = Keep(key, [&] {
    const onednn::Library &library = *onednn::Opened();
    onednn::Plan *plan = nullptr;
    Check(library.matmul_primitive_desc_create(&plan, library.engine, a.get(), b.get(), nullptr,
                                               c.get(), MakeAttributes({}).get()));
    return Ready{Make(Own(plan)), {}, {}, {}};
  });
  Execute(ready.step, {{onednn::kSource, &a, left.data},
                                  {onednn::kWeights, &b, right.data},
                                  {onednn::kTarget, &c, target.data}});
}

// The tensors of one head.
struct Head {
  Head(const products_heads &h, int64_t image, int64_t head, const float *query_key,
       const float *value, float *probabilities)
      : width(h.heads * h.depth),
        query(Part(h, query_key + image * h.tokens * 2 * width + head * h.depth, 2 * width)),
        key(Part(h, query.data + width, 2 * width)),
        value(Part(h, value + image * h.tokens * width + head * h.depth, width)),
        probabilities{probabilities, h.tokens, h.tokens, h.tokens, 1} {}

  static Matrix Part(const products_heads &h, const float *data, int64_t stride) {
    return {data, h.tokens, h.depth, stride, 1};
  }

  int64_t width;
  Matrix query, key, value, probabilities;
};

float *Square(Slot slot, int64_t tokens) {
  return static_cast<float *>(Scratch(slot, tokens * tokens * sizeof(float)));
}

void Probabilities(const products_heads &h, int64_t image, const Head &head, const float *bias) {
  Multiply(head.query, head.key.transposed(), head.probabilities);
  const float scale = 1.0f / std::sqrt(static_cast<float>(h.depth));
  const float *image_bias = bias + (h.bias_batch > 1 ? image * h.bias_rows * h.tokens : 0);
  const int64_t stride = h.bias_rows > 1 ? h.tokens : 0;
  float *matrix = const_cast<float *>(head.probabilities.data);
  ForBlocks(h.tokens, h.tokens, [&](int64_t first, int64_t count, int64_t) {
    Choose().softmax(count, h.tokens, scale, image_bias + first * stride, stride,
                     matrix + first * h.tokens);
  });
}

}  // namespace

int products_attention(const products_heads *heads, const float *query_key, const float *value,
                       const float *bias, float *target) {
  const products_heads &h = *heads;
  if (h.tokens == 0) return PRODUCTS_OK;
  return Guard([&] {
    for (int64_t image = 0; image < h.batch; ++image) {
      for (int64_t m = 0; m < h.heads; ++m) {
        const Head head(h, image, m, query_key, value, Square(kProbabilities, h.tokens));
        Probabilities(h, image, head, bias);
        const float *to = target + (image * h.tokens * h.heads + m) * h.depth;
        Multiply(head.probabilities, head.value, Head::Part(h, to, head.width));
      }
    }
  });
}

int products_attention_grad(const products_heads *heads, const float *query_key,
                            const float *value, const float *bias, const float *grad,
                            float *grad_query_key, float *grad_value) {
  const products_heads &h = *heads;
  if (h.tokens == 0) return PRODUCTS_OK;
  const float scale = 1.0f / std::sqrt(static_cast<float>(h.depth));
  return Guard([&] {
    for (int64_t image = 0; image < h.batch; ++image) {
      for (int64_t m = 0; m < h.heads; ++m) {
        float *probabilities = Square(kProbabilities, h.tokens);
        float *grads = Square(kProbabilityGradients, h.tokens);
        const Head head(h, image, m, query_key, value, probabilities);
        const Head made(h, image, m, grad_query_key, grad_value, grads);
        Probabilities(h, image, head, bias);
        const float *from = grad + (image * h.tokens * h.heads + m) * h.depth;
        const Matrix output = Head::Part(h, from, head.width);
        Multiply(head.probabilities.transposed(), output, made.value);
        Multiply(output, head.value.transposed(), made.probabilities);
        ForBlocks(h.tokens, h.tokens, [&](int64_t first, int64_t count, int64_t) {
          const int64_t at = first * h.tokens;
          Choose().softmax_grad(count, h.tokens, scale, probabilities + at, grads + at);
        });
        Multiply(made.probabilities, head.key, made.query);
        Multiply(made.probabilities.transposed(), head.query, made.key);
      }
    }
  });
}

namespace {

// source + position, in the calling thread's work space
const float *Placed(int64_t rows, int64_t channels, const float *source, const float *position) {
  const auto bytes = static_cast<uint64_t>(rows) * channels * sizeof(float);
  float *sum = static_cast<float *>(Scratch(kPlacedSource, bytes));
  ForBlocks(rows, channels, [&](int64_t first, int64_t count, int64_t) {
    const int64_t begin = first * channels, end = begin + count * channels;
    for (int64_t i = begin; i < end; ++i) sum[i] = source[i] + position[i];
  });
  return sum;
}

void AddTo(int64_t rows, int64_t channels, const float *term, float *target) {
  ForBlocks(rows, channels, [&](int64_t first, int64_t count, int64_t) {
    const int64_t begin = first * channels, end = begin + count * channels;
    for (int64_t i = begin; i < end; ++i) target[i] += term[i];
  });
}

}  // namespace

int products_attention_inputs(int64_t rows, int64_t channels, int precision, const float *source,
                              const float *position, const float *weights, const float *bias,
                              float *query_key, float *value) {
  return Guard([&] {
    const float *placed = Placed(rows, channels, source, position);
    const int64_t both = 2 * channels;
    Require(products_dense(rows, channels, both, PRODUCTS_NONE, precision, placed, weights, bias,
                           nullptr, nullptr, query_key));
    Require(products_dense(rows, channels, channels, PRODUCTS_NONE, precision, source,
                           weights + both * channels, bias + both, nullptr, nullptr, value));
  });
}

int products_attention_inputs_grad(int64_t rows, int64_t channels, const float *source,
                                   const float *position, const float *weights,
                                   const float *grad_query_key, const float *grad_value,
                                   float *grad_source, float *grad_position, float *grad_weights,
                                   float *grad_bias) {
  return Guard([&] {
    const float *placed = Placed(rows, channels, source, position);
    const int64_t both = 2 * channels, rest = both * channels;
    Require(products_dense_grad_source(rows, channels, both, grad_query_key, weights,
                                       grad_position));
    Require(products_dense_grad_source(rows, channels, channels, grad_value, weights + rest,
                                       grad_source));
    AddTo(rows, channels, grad_position, grad_source);
    Require(products_dense_grad_weights(rows, channels, both, grad_query_key, placed, grad_weights,
                                        grad_bias));
    Require(products_dense_grad_weights(rows, channels, channels, grad_value, source,
                                        grad_weights + rest, grad_bias + both));
  });
}
