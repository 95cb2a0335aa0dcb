// bfloat16 as CUDA names it, for the emulation.
#ifndef FOCUS_DETR_TEST_CUDA_BF16_H
#define FOCUS_DETR_TEST_CUDA_BF16_H

#include <cstdint>

struct __nv_bfloat16 {
  uint16_t bits;
};

float __bfloat162float(__nv_bfloat16 number);
__nv_bfloat16 __float2bfloat16_rn(float number);

#endif
