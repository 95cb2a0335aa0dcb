// float16 as CUDA names it, for the emulation.
#ifndef FOCUS_DETR_TEST_CUDA_FP16_H
#define FOCUS_DETR_TEST_CUDA_FP16_H

#include <cstdint>

struct __half {
  uint16_t bits;
};

float __half2float(__half number);
__half __float2half_rn(float number);

#endif
