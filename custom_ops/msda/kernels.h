// What the checked calls of msda_cpu.cc hand to the kernels, and the variants of the kernels.
//
// kernels.cc is compiled once per instruction set, each time with another name for its table.
#ifndef FOCUS_DETR_MSDA_KERNELS_H
#define FOCUS_DETR_MSDA_KERNELS_H

#include <cstdint>

#include "msda.h"

namespace msda {

// Work space of one thread: per sample of a head, and a head's channels.
constexpr int64_t kFloatsPerSample = 39;

struct Job {
  msda_sizes sizes;
  bool fused;
  int64_t samples;  // L*P

  // one entry per sample of a head: columns, rows, first token and first number of the reference
  // of its level
  const float *columns;
  const float *rows;
  const int32_t *start;
  const int32_t *reference_at;

  const void *value;
  const float *places;      // locations or offsets, x and y in turn
  const float *weights;     // attention weights or logits
  const float *references;  // fused only
  int64_t place_stride;     // from one query to the next
  int64_t weight_stride;

  void *output;  // forward

  const void *grad_output;  // backward; gradients have the strides of what they belong to
  float *grad_value;
  float *grad_places;
  float *grad_weights;
  float *grad_references;

  int64_t queries_per_task;  // forward
  int64_t parts;             // backward: 1, or the number of levels

  int threads;
  char *tiles;  // tile_bytes for each thread; null: forward reads rows where they are
  int64_t tile_bytes;
  float *scratch;          // scratch_stride floats for each thread
  int64_t scratch_stride;
};

struct Kernels {
  void (*forward)(const Job &job);
  void (*backward)(const Job &job);
};

extern const Kernels kBaselineKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace msda

#endif
