// Several neighbouring numbers at a time: one load, store or atomic addition of up to 16 bytes.
#ifndef FOCUS_DETR_MSDA_CUDA_VECTORS_CUH
#define FOCUS_DETR_MSDA_CUDA_VECTORS_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstring>

// From compute capability 9.0 on, memory adds four floats in one operation.
#if CUDART_VERSION >= 12010 && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900)
#define MSDA_VECTOR_ATOMICS 1
#else
#define MSDA_VECTOR_ATOMICS 0
#endif

namespace msda_cuda {

template <int BYTES>
struct Word;
template <>
struct Word<2> {
  using Type = unsigned short;
};
template <>
struct Word<4> {
  using Type = unsigned int;
};
template <>
struct Word<8> {
  using Type = uint2;
};
template <>
struct Word<16> {
  using Type = uint4;
};

__device__ __forceinline__ float ToFloat(float number) { return number; }
__device__ __forceinline__ float ToFloat(__half number) { return __half2float(number); }
__device__ __forceinline__ float ToFloat(__nv_bfloat16 number) { return __bfloat162float(number); }

__device__ __forceinline__ void Round(float number, float *to) { *to = number; }
__device__ __forceinline__ void Round(float number, __half *to) { *to = __float2half_rn(number); }
__device__ __forceinline__ void Round(float number, __nv_bfloat16 *to) {
  *to = __float2bfloat16_rn(number);
}

// `from` is aligned to WIDTH numbers, and nothing writes there while the kernel runs.
template <typename T, int WIDTH>
__device__ __forceinline__ void Load(const T *from, float (&to)[WIDTH]) {
  using Bits = typename Word<WIDTH * sizeof(T)>::Type;
  const Bits bits = __ldg(reinterpret_cast<const Bits *>(from));
  T numbers[WIDTH];
  memcpy(numbers, &bits, sizeof(bits));
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) to[i] = ToFloat(numbers[i]);
}

template <typename T, int WIDTH>
__device__ __forceinline__ void Store(const float (&from)[WIDTH], T *to) {
  using Bits = typename Word<WIDTH * sizeof(T)>::Type;
  T numbers[WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) Round(from[i], &numbers[i]);
  Bits bits;
  memcpy(&bits, numbers, sizeof(bits));
  *reinterpret_cast<Bits *>(to) = bits;
}

__device__ __forceinline__ void AtomicallyAdd(const float (&amounts)[1], float *to) {
  atomicAdd(to, amounts[0]);
}

__device__ __forceinline__ void AtomicallyAdd(const float (&amounts)[4], float *to) {
#if MSDA_VECTOR_ATOMICS
  atomicAdd(reinterpret_cast<float4 *>(to),
            make_float4(amounts[0], amounts[1], amounts[2], amounts[3]));
#else
#pragma unroll
  for (int i = 0; i < 4; ++i) atomicAdd(to + i, amounts[i]);
#endif
}

}  // namespace msda_cuda

#endif
