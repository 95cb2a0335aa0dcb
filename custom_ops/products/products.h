/* Products and what stands around them, on a CPU: the C interface.
 *
 * Dense layers, convolutions and attention by the oneDNN library that MindSpore has loaded; norms
 * and activations by loops of our own. Every tensor is float32, dense and row-major; maps are
 * channels last. R rows, I inputs, O outputs, B images, N tokens, M heads, C channels, G groups.
 *
 * Gradients are written, not added to. Pointers belong to the caller; bias, residual and valid may
 * be null. Threads are those of OpenMP. A function keeps its primitives until the process ends and its
 * work space until the calling thread does; weights are packed in every call, since comparing them
 * with those of the last call would read as much memory as packing them.
 */
#ifndef FOCUS_DETR_PRODUCTS_H
#define FOCUS_DETR_PRODUCTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRODUCTS_API __attribute__((visibility("default")))

/* Changes whenever a function below or an entry point for MindSpore changes its meaning. */
#define PRODUCTS_INTERFACE 4

enum products_activation {
  PRODUCTS_NONE = 0,
  PRODUCTS_RELU = 1,
  PRODUCTS_RELU6 = 2, /* between 0 and 6 */
  PRODUCTS_GELU = 3   /* x times the normal distribution function */
};

/* What the factors of a product are rounded to; its sums and everything else are float32. */
enum products_precision { PRODUCTS_FLOAT32 = 0, PRODUCTS_BFLOAT16 = 1 };

/* What the functions return; MindSpore shows the number of its entry points. */
enum products_status {
  PRODUCTS_OK = 0,
  PRODUCTS_WRONG_COUNT = 1,  /* MindSpore passed another number of tensors */
  PRODUCTS_WRONG_SIZE = 2,   /* sizes contradict each other */
  PRODUCTS_WRONG_TYPE = 3,   /* not float32 */
  PRODUCTS_NO_ONEDNN = 4,    /* products_open did not succeed */
  PRODUCTS_REFUSED = 5,      /* oneDNN does not compute this */
  PRODUCTS_OUT_OF_MEMORY = 6
};

/* Look oneDNN up: the copy that the process has loaded, or else the file. Null if all is well,
 * otherwise what is wrong, in words. */
PRODUCTS_API const char *products_open(const char *path);

/* PRODUCTS_INTERFACE of the library. */
PRODUCTS_API int products_interface(void);

/* Which variant of the loops runs on this machine: "baseline", "avx2", "avx512". */
PRODUCTS_API const char *products_variant(void);

/* Whether this machine has instructions for products in PRODUCTS_BFLOAT16. */
PRODUCTS_API int products_has_bfloat16(void);

/* target [R,O] = activation(source [R,I] * weights [O,I]^T + bias [O] + residual [R,O]), and 0 in
 * the rows whose `valid` [R] is 0 */
PRODUCTS_API int products_dense(int64_t rows, int64_t inputs, int64_t outputs, int activation,
                                int precision, const float *source, const float *weights,
                                const float *bias, const float *residual, const float *valid,
                                float *target);

/* grad_source [R,I] = grad [R,O] * weights [O,I] */
PRODUCTS_API int products_dense_grad_source(int64_t rows, int64_t inputs, int64_t outputs,
                                            const float *grad, const float *weights,
                                            float *grad_source);

/* grad_weights [O,I] = grad [R,O]^T * source [R,I]; grad_bias [O], the sums of grad's columns */
PRODUCTS_API int products_dense_grad_weights(int64_t rows, int64_t inputs, int64_t outputs,
                                             const float *grad, const float *source,
                                             float *grad_weights, float *grad_bias);

typedef struct products_map {
  int64_t batch, rows, columns, inputs;      /* source [B, rows, columns, I] */
  int64_t outputs, kernel, groups;           /* weights [O, I/G, kernel, kernel] */
  int64_t stride, top, bottom, left, right;  /* padding with zeros */
} products_map;

/* Cells along one axis of a convolution's target. */
PRODUCTS_API int64_t products_cells(int64_t cells, int64_t kernel, int64_t stride, int64_t before,
                                    int64_t after);

/* target [B, h, w, O] = activation(convolution + bias [O] + residual [B, h, w, O]), and 0 in the
 * cells whose `valid` [B, h, w] is 0 */
PRODUCTS_API int products_convolution(const products_map *map, int activation, int precision,
                                      const float *source, const float *weights,
                                      const float *bias, const float *residual,
                                      const float *valid, float *target);

PRODUCTS_API int products_convolution_grad_source(const products_map *map, const float *grad,
                                                  const float *weights, float *grad_source);

PRODUCTS_API int products_convolution_grad_weights(const products_map *map, const float *grad,
                                                   const float *source, float *grad_weights,
                                                   float *grad_bias);

/* grad_source = grad * derivative; `kept` is the result of relu and relu6, but the argument of
 * gelu. */
PRODUCTS_API int products_activation_grad(int activation, int64_t count, const float *grad,
                                          const float *kept, float *grad_source);

/* target [R,C] = source [R,C] * factor [R] */
PRODUCTS_API int products_weigh_rows(int64_t rows, int64_t channels, const float *source,
                                     const float *factor, float *target);

/* target [R] = the sums over the channels of first [R,C] * second [R,C] */
PRODUCTS_API int products_row_products(int64_t rows, int64_t channels, const float *first,
                                       const float *second, float *target);

/* A convolution's weights [O,I] with a batch norm that never changes worked into them: of
 * y * scale + shift, scale = gamma / sqrt(variance + epsilon) [O], shift = beta - mean * scale [O].
 * target [O,I] = scale * weights. */
PRODUCTS_API int products_fold_norm(int64_t outputs, int64_t inputs, float epsilon,
                                    const float *weights, const float *gamma, const float *beta,
                                    const float *mean, const float *variance, float *target,
                                    float *shift);

/* grad_weights [O,I] = scale * grad [O,I] */
PRODUCTS_API int products_fold_norm_grad(int64_t outputs, int64_t inputs, float epsilon,
                                         const float *grad, const float *gamma,
                                         const float *variance, float *grad_weights);

/* target [R,C] = (source - mean) / sqrt(variance + epsilon) * gamma [C] + beta [C], of each row */
PRODUCTS_API int products_layer_norm(int64_t rows, int64_t channels, float epsilon,
                                     const float *source, const float *gamma, const float *beta,
                                     float *target);

PRODUCTS_API int products_layer_norm_grad(int64_t rows, int64_t channels, float epsilon,
                                          const float *source, const float *gamma,
                                          const float *grad, float *grad_source,
                                          float *grad_gamma, float *grad_beta);

typedef struct products_groups {
  int64_t batch, cells, channels, groups; /* of a map [B, cells, C] */
} products_groups;

/* Group norm whose mean and variance are those of the counted cells: counted [B, cells] is 1 or 0,
 * and not all 0 for an image. */
PRODUCTS_API int products_group_norm(const products_groups *groups, float epsilon,
                                     const float *source, const float *counted,
                                     const float *gamma, const float *beta, float *target);

PRODUCTS_API int products_group_norm_grad(const products_groups *groups, float epsilon,
                                          const float *source, const float *counted,
                                          const float *gamma, const float *grad,
                                          float *grad_source, float *grad_gamma,
                                          float *grad_beta);

/* target [B, h, w, I] = the largest of each window; the padding is smaller than all. */
PRODUCTS_API int products_max_pool(const products_map *map, const float *source, float *target);

PRODUCTS_API int products_max_pool_grad(const products_map *map, const float *source,
                                        const float *target, const float *grad,
                                        float *grad_source);

typedef struct products_heads {
  int64_t batch, tokens, heads, depth;  /* B, N, M, C/M */
  int64_t bias_batch, bias_rows;        /* of bias [B or 1, N or 1, N] */
} products_heads;

/* target [B,N,C]: softmax(query * key^T / sqrt(C/M) + bias) * value of each head; `query_key`
 * [B,N,2C] has the queries and then the keys of a token, `value` is [B,N,C]. */
PRODUCTS_API int products_attention(const products_heads *heads, const float *query_key,
                                    const float *value, const float *bias, float *target);

PRODUCTS_API int products_attention_grad(const products_heads *heads, const float *query_key,
                                         const float *value, const float *bias, const float *grad,
                                         float *grad_query_key, float *grad_value);

/* What attention among one set of rows starts from: query_key [R,2C] = (source + position) *
 * weights[:2C]^T + bias[:2C], value [R,C] = source * weights[2C:]^T + bias[2C:]; weights [3C,C]. */
PRODUCTS_API int products_attention_inputs(int64_t rows, int64_t channels, int precision,
                                           const float *source, const float *position,
                                           const float *weights, const float *bias,
                                           float *query_key, float *value);

PRODUCTS_API int products_attention_inputs_grad(int64_t rows, int64_t channels,
                                                const float *source, const float *position,
                                                const float *weights, const float *grad_query_key,
                                                const float *grad_value, float *grad_source,
                                                float *grad_position, float *grad_weights,
                                                float *grad_bias);

/* Of boxes, exact to the rounding of a float: target = 1 / (1 + e^-source), and its derivative
 * times grad, from the target. */
PRODUCTS_API int products_box_sigmoid(int64_t count, const float *source, float *target);

PRODUCTS_API int products_box_sigmoid_grad(int64_t count, const float *grad, const float *target,
                                           float *grad_source);

/* target = log(x / (1 - x)) of x = source within 0..1, both sides of the fraction at least epsilon;
 * and its derivative times grad, from the source. */
PRODUCTS_API int products_inverse_sigmoid(int64_t count, float epsilon, const float *source,
                                          float *target);

PRODUCTS_API int products_inverse_sigmoid_grad(int64_t count, float epsilon, const float *grad,
                                               const float *source, float *grad_source);

/* target = x times the normal distribution function, of `count` numbers */
PRODUCTS_API int products_gelu(int64_t count, const float *source, float *target);

/* target [B,S] = residual [B,S] + factor [B] * branch [B,S]; without a residual only the product */
PRODUCTS_API int products_scaled_sum(int64_t batch, int64_t size, const float *residual,
                                     const float *branch, const float *factor, float *target);

typedef struct products_perceptron {
  int64_t batch, rows, channels, hidden; /* of source [B,R,C] and argument [B,R,H] */
} products_perceptron;

/* The branch of a transformer's perceptron, and what it is added to: target [B,R,C] = source +
 * factor [B] * (gelu(argument) * second [C,H]^T + second_bias [C]), argument = layer norm of the
 * source * first [H,C]^T + first_bias [H]. An image whose factor is 0 is copied: its branch is not
 * computed, and its argument is neither written nor read. */
PRODUCTS_API int products_perceptron_branch(const products_perceptron *perceptron, float epsilon,
                                            const float *source, const float *gamma,
                                            const float *beta, const float *first,
                                            const float *first_bias, const float *second,
                                            const float *second_bias, const float *factor,
                                            float *target, float *argument);

/* The factor has no gradient. */
PRODUCTS_API int products_perceptron_branch_grad(
    const products_perceptron *perceptron, float epsilon, const float *source, const float *gamma,
    const float *beta, const float *first, const float *second, const float *factor,
    const float *argument, const float *grad, float *grad_source, float *grad_gamma,
    float *grad_beta, float *grad_first, float *grad_first_bias, float *grad_second,
    float *grad_second_bias);

typedef struct products_windows {
  int64_t batch, rows, columns, heads, depth; /* of a map [B, h, w, C] with C = heads * depth */
  int64_t window, shift;                      /* w cells a side; cells that windows are moved by */
} products_windows;

/* Attention inside the windows of Swin Transformer: target [B,h,w,C] of qkv [B,h,w,3C], which has
 * the queries of all heads, then their keys, then their values.
 *
 * An image has its own `extents` [B,2], rows and columns, inside the map. Cells beyond them take
 * part as keys with `outside` [3C] up to the last window that holds a cell of the image, and their
 * targets are 0. `table` [(2w-1)^2, M] has the bias of a query and a key by their distance. With a
 * shift, cells of a window that do not lie together in the map get 100 less. */
PRODUCTS_API int products_window_attention(const products_windows *windows, const float *qkv,
                                           const float *outside, const float *table,
                                           const float *extents, float *target);

PRODUCTS_API int products_window_attention_grad(const products_windows *windows, const float *qkv,
                                                const float *outside, const float *table,
                                                const float *extents, const float *grad,
                                                float *grad_qkv, float *grad_outside,
                                                float *grad_table);

#ifdef __cplusplus
}
#endif

#endif
