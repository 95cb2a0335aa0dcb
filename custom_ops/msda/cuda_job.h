// What a call hands to the CUDA kernels, and how their threads are arranged.
#ifndef FOCUS_DETR_MSDA_CUDA_JOB_H
#define FOCUS_DETR_MSDA_CUDA_JOB_H

#include <cstdint>

namespace msda_cuda {

constexpr int kWarpLanes = 32;
constexpr int kWarps = 8;  // of a block
constexpr int kThreads = kWarps * kWarpLanes;

// A kernel gets it by value. Products of sizes that an int holds have been checked on the host.
struct Job {
  int64_t tokens;  // N
  int images;      // B
  int heads;       // M
  int depth;       // D
  int queries;     // Q
  int levels;      // L
  int points;      // P
  int samples;     // L*P
  int reference_size;
  bool wide_indices;  // shapes and starts are int64
  int token_stride;   // M*D

  const void *value;
  const void *shapes;
  const void *starts;
  const float *places;      // locations or offsets, x and y in turn
  const float *weights;     // attention weights or logits
  const float *references;  // fused only
  int place_stride;         // from one query to the next
  int weight_stride;

  void *output;  // forward

  const void *grad_output;  // backward; gradients have the strides of what they belong to
  float *grad_value;
  float *grad_places;
  float *grad_weights;
  float *grad_references;
};

}  // namespace msda_cuda

#endif
