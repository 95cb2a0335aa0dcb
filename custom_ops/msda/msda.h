/* Multi-scale deformable attention (MSDA): the C interface of every native implementation.
 *
 *   out[b,q,m] = sum over l,p of w[b,q,m,l,p] * bilinear(value of level l, head m at (x, y))
 *
 * B batch, N tokens of all levels, M heads, D channels of a head, Q queries, L levels, P points.
 * Every tensor is dense and row-major. (x, y) are in pixels of the level: a location in 0..1 is at
 * x = location * columns - 0.5, so that pixel centres are whole numbers; pixels outside are zero.
 *
 * Two pairs of functions:
 *   plain  takes locations and weights.
 *   fused  takes what a network computes: reference points or boxes, and for each query one row
 *          `projected` of 3*M*L*P numbers: the offsets [M, L, P, 2] and then the logits [M, L*P].
 *          Softmax over L*P gives the weights. Reference points (x, y): x = reference * columns +
 *          offset - 0.5. Boxes (cx, cy, w, h): x = (cx + offset * w / (2 P)) * columns - 0.5.
 *
 * Types: value, output and grad_output have `value_type`; locations, weights, references, projected
 * and all gradients are float32; arithmetic is float32. Shapes and starts have `index_type`.
 *
 * Borders: a sample counts where -1 <= x < columns and -1 <= y < rows. Any other one, infinite and
 * NaN positions included, adds nothing and has zero gradients, if values and weights are finite: in
 * the output it is 0 times its weight times a row of its level. At whole numbers, where the
 * bilinear function has a kink, the gradient is the right-hand one.
 *
 * The CPU library keeps work space for every thread that calls it, until that thread ends: what the
 * largest of its calls needed, rounded up to 2 MiB. A forward pass needs N*D numbers of value_type
 * for each thread of OpenMP; a backward pass 2*N*D floats, where N is only the largest level (and
 * the gap behind it) with more than B*M/2 threads.
 *
 * All pointers belong to the caller: host memory in the CPU library; device memory, shapes and
 * starts included, in a GPU library. `stream` is the caller's stream there, and unused on a CPU.
 * Gradients are written, not added to. On a CPU no bit depends on the number of threads. On a GPU
 * the last bits of grad_value differ from run to run, since additions come in any order; everything
 * else is the same every time.
 */
#ifndef FOCUS_DETR_MSDA_H
#define FOCUS_DETR_MSDA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MSDA_API __attribute__((visibility("default")))

/* Changes whenever a function below or an entry point for MindSpore changes its meaning. */
#define MSDA_INTERFACE 1

enum msda_value_type { MSDA_FLOAT32 = 0, MSDA_FLOAT16 = 1, MSDA_BFLOAT16 = 2 };
enum msda_index_type { MSDA_INT32 = 0, MSDA_INT64 = 1 };

/* What the functions return; MindSpore shows the number of its entry points. */
enum msda_status {
  MSDA_OK = 0,
  MSDA_WRONG_COUNT = 1,   /* MindSpore passed another number of tensors */
  MSDA_WRONG_RANK = 2,    /* a tensor has another number of axes */
  MSDA_WRONG_SIZE = 3,    /* sizes of tensors contradict each other, or one is negative */
  MSDA_WRONG_TYPE = 4,    /* a data type that is not supported at this place */
  MSDA_WRONG_LEVELS = 5,  /* a level is empty, lies outside the tokens or overlaps the one before */
  MSDA_TOO_LARGE = 6,     /* see below */
  MSDA_OUT_OF_MEMORY = 7, /* no memory for the work space */
  MSDA_DEVICE_ERROR = 8   /* the device reported an error (GPU) */
};

/* A GPU library cannot report levels, since they lie on the device: where it should return
 * MSDA_WRONG_LEVELS or report a side as too large, output and all gradients but grad_value are NaN.
 *
 * MSDA_TOO_LARGE: more than 2^31 - 1 tokens, or a level with a side beyond 2^24. In a GPU library
 * also M*D, 3*M*L*P, B*M*Q or B*L*Q beyond 2^31 - 1, or more levels than a block's memory holds
 * (about 2300). */

typedef struct msda_sizes {
  int64_t batch;          /* B, may be 0 */
  int64_t tokens;         /* N */
  int64_t heads;          /* M */
  int64_t depth;          /* D */
  int64_t queries;        /* Q, may be 0 */
  int64_t levels;         /* L */
  int64_t points;         /* P */
  int32_t value_type;     /* enum msda_value_type */
  int32_t index_type;     /* enum msda_index_type */
  int32_t reference_size; /* fused: 2 for points, 4 for boxes; plain: ignored */
} msda_sizes;

/* value [B,N,M,D], shapes [L,2] (rows, columns), starts [L] (first token of each level, ascending),
 * locations [B,Q,M,L,P,2] (x, y), weights [B,Q,M,L,P] -> output [B,Q,M*D]. */
MSDA_API int msda_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                          const void *starts, const float *locations, const float *weights,
                          void *output, void *stream);

/* ... and grad_output [B,Q,M*D] -> gradients shaped as value, locations and weights. */
MSDA_API int msda_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                           const void *starts, const float *locations, const float *weights,
                           const void *grad_output, float *grad_value, float *grad_locations,
                           float *grad_weights, void *stream);

/* references [B,Q,L,2 or 4] and projected [B,Q,3*M*L*P] in place of locations and weights. */
MSDA_API int msda_fused_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                                const void *starts, const float *references,
                                const float *projected, void *output, void *stream);

MSDA_API int msda_fused_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                                 const void *starts, const float *references,
                                 const float *projected, const void *grad_output,
                                 float *grad_value, float *grad_references, float *grad_projected,
                                 void *stream);

/* MSDA_INTERFACE of the library, so that a caller can refuse one of another interface. */
MSDA_API int msda_interface(void);

/* Which variant runs on this machine: "baseline", "avx2", "avx512"; a GPU library says "cuda". */
MSDA_API const char *msda_variant(void);

#ifdef __cplusplus
}
#endif

#endif
