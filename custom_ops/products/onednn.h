// The part of oneDNN's C interface that is called here, declared anew: MindSpore's wheel carries the
// library but no header. The functions are looked up in the copy that MindSpore has loaded.
#ifndef FOCUS_DETR_ONEDNN_H
#define FOCUS_DETR_ONEDNN_H

#include <cstdint>

namespace onednn {

struct Engine;
struct Stream;
struct Descriptor;  // of a memory
struct Memory;
struct Attributes;
struct PostOps;
struct Plan;  // a primitive descriptor
struct Primitive;

struct Version {
  int major, minor, patch;
  const char *hash;
  unsigned cpu_runtime, gpu_runtime;
};

struct Argument {
  int index;
  Memory *memory;
};

constexpr int kMajor = 3;             // the interface below; enumerations are stable within it
constexpr unsigned kThreadPool = 8;   // cpu_runtime: threads come from the caller
constexpr int kSuccess = 0;
constexpr int kCpu = 1;
constexpr int kBfloat16 = 2, kFloat32 = 3;
constexpr int kAnyFormat = 1;
constexpr int kForward = 96;          // for inference; what training needs is recomputed or its own
constexpr int kDirect = 1;            // convolution without a transform that rounds
constexpr int kRelu = 32, kClip = 46, kGelu = 49;
constexpr int kAdd = 0x1fff0;
constexpr int kQueryWeights = 131, kQueryGradWeights = 132, kQueryScratchpad = 136;
constexpr int kCallersScratchpad = 1;  // the only mode in which threads may share a primitive
constexpr int kSource = 1, kSource1 = 2, kTarget = 17, kWeights = 33, kBias = 41;
constexpr int kGradSource = 129, kGradTarget = 145, kGradWeights = 161, kGradBias = 169;
constexpr int kScratchpad = 80;
constexpr int kPostOp = 32768;        // times (position + 1), or-ed with the argument

// X(name, result, parameters): dnnl_<name>
#define ONEDNN_FUNCTIONS(X)                                                                        \
  X(engine_create, int, (Engine **, int kind, uint64_t index))                                     \
  X(threadpool_interop_stream_create, int, (Stream **, Engine *, void *pool))                      \
  X(threadpool_interop_set_max_concurrency, int, (int threads))                                    \
  X(threadpool_interop_get_max_concurrency, int, (int *threads))                                   \
  X(stream_wait, int, (Stream *))                                                                  \
  X(stream_destroy, int, (Stream *))                                                               \
  X(memory_desc_create_with_strides, int,                                                          \
    (Descriptor **, int axes, const int64_t *sizes, int type, const int64_t *strides))             \
  X(memory_desc_create_with_tag, int,                                                              \
    (Descriptor **, int axes, const int64_t *sizes, int type, int format))                         \
  X(memory_desc_clone, int, (Descriptor **, const Descriptor *))                                   \
  X(memory_desc_equal, int, (const Descriptor *, const Descriptor *))                              \
  X(memory_desc_get_size, uint64_t, (const Descriptor *))                                          \
  X(memory_desc_destroy, int, (Descriptor *))                                                      \
  X(memory_create, int, (Memory **, const Descriptor *, Engine *, void *data))                     \
  X(memory_destroy, int, (Memory *))                                                               \
  X(primitive_attr_create, int, (Attributes **))                                                   \
  X(primitive_attr_set_post_ops, int, (Attributes *, const PostOps *))                             \
  X(primitive_attr_set_scratchpad_mode, int, (Attributes *, int mode))                             \
  X(primitive_attr_destroy, int, (Attributes *))                                                   \
  X(post_ops_create, int, (PostOps **))                                                            \
  X(post_ops_append_eltwise, int, (PostOps *, int kind, float alpha, float beta))                  \
  X(post_ops_append_sum, int, (PostOps *, float scale, int32_t zero, int type))                     \
  X(post_ops_append_binary, int, (PostOps *, int kind, const Descriptor *))                        \
  X(post_ops_destroy, int, (PostOps *))                                                            \
  X(primitive_desc_query_md, const Descriptor *, (const Plan *, int what, int index))              \
  X(primitive_desc_destroy, int, (Plan *))                                                         \
  X(primitive_create, int, (Primitive **, const Plan *))                                           \
  X(primitive_execute, int, (const Primitive *, Stream *, int count, const Argument *))            \
  X(primitive_destroy, int, (Primitive *))                                                         \
  X(reorder_primitive_desc_create, int,                                                            \
    (Plan **, const Descriptor *from, Engine *, const Descriptor *to, Engine *,                    \
     const Attributes *))                                                                          \
  X(matmul_primitive_desc_create, int,                                                             \
    (Plan **, Engine *, const Descriptor *source, const Descriptor *weights,                       \
     const Descriptor *bias, const Descriptor *target, const Attributes *))                        \
  X(convolution_forward_primitive_desc_create, int,                                                \
    (Plan **, Engine *, int kind, int algorithm, const Descriptor *source,                         \
     const Descriptor *weights, const Descriptor *bias, const Descriptor *target,                  \
     const int64_t *strides, const int64_t *dilations, const int64_t *before,                      \
     const int64_t *after, const Attributes *))                                                    \
  X(convolution_backward_data_primitive_desc_create, int,                                          \
    (Plan **, Engine *, int algorithm, const Descriptor *grad_source, const Descriptor *weights,   \
     const Descriptor *grad_target, const int64_t *strides, const int64_t *dilations,              \
     const int64_t *before, const int64_t *after, const Plan *forward, const Attributes *))        \
  X(convolution_backward_weights_primitive_desc_create, int,                                       \
    (Plan **, Engine *, int algorithm, const Descriptor *source, const Descriptor *grad_weights,   \
     const Descriptor *grad_bias, const Descriptor *grad_target, const int64_t *strides,           \
     const int64_t *dilations, const int64_t *before, const int64_t *after, const Plan *forward,   \
     const Attributes *))

struct Library {
  const Version *(*version)();
#define ONEDNN_MEMBER(name, result, parameters) result(*name) parameters;
  ONEDNN_FUNCTIONS(ONEDNN_MEMBER)
#undef ONEDNN_MEMBER
  Engine *engine;
};

// Looks the library up: `path` nullptr takes the copy that the process has loaded. Gives nullptr if
// all is well, or what is wrong; the text stays. Later calls give the answer of the first success.
const char *Open(const char *path);

// After a successful Open (which the first call tries without a path); nullptr if there is none.
const Library *Opened();

}  // namespace onednn

#endif
