// What the checked calls of msda_cpu.cc hand to the kernels, and the variants of the kernels.
//
// kernels.cc is compiled once per instruction set, each time with another name for its table.
#ifndef FOCUS_DETR_MSDA_KERNELS_H
#define FOCUS_DETR_MSDA_KERNELS_H

#include <cstdint>

#include "msda.h"

namespace msda {

// Work space of one thread, in units of a head's L*P samples.
constexpr int64_t kFloatsPerSample = 15;

// Where the rows of value and of its gradient lie, in elements.
struct Layout {
  int64_t image, head, token;  // from one to the next

  int64_t At(int64_t i, int64_t h, int64_t t) const { return i * image + h * head + t * token; }
};

struct Job {
  msda_sizes sizes;
  bool fused;
  int64_t samples;  // L*P

  // one entry per sample of a head: columns, rows and first token of its level
  const float *columns;
  const float *rows;
  const int32_t *start;

  const void *value;
  Layout layout;
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

  int threads;
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
