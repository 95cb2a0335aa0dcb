// What the CUDA kernels use of CUDA, on a CPU: g++ compiles their unchanged source against this.
//
// Blocks run one after the other. Each thread of a block is a fiber that runs until it meets a
// barrier or ends; which one goes on is drawn at random, so a missing barrier gives wrong numbers.
// Shared memory holds NaN when a block begins. A launch fails where a device would hang or trap:
// threads of a warp that wait for each other at different places, too many of them, no memory.
#ifndef FOCUS_DETR_TEST_CUDA_RUNTIME_H
#define FOCUS_DETR_TEST_CUDA_RUNTIME_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define CUDART_VERSION 13000
#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int min(int a, int b) { return a < b ? a : b; }

namespace emulator {

constexpr int kWarpLanes = 32;
constexpr size_t kSharedBytes = 48 * 1024;

enum class Meeting { kNone, kWarp, kShuffle, kBlock };

// Stops the running fiber until all threads of its warp (or block) have come to such a meeting.
void Meet(Meeting meeting);
bool &Vote();         // of the running thread, for the next meeting of its block
bool Agreed();        // all votes of the last meeting of the block
float Exchange(float number, int other_lane_bits);
bool RunGrid(const std::function<void()> &thread, dim3 grid, dim3 block, size_t shared);

}  // namespace emulator

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

inline void __syncwarp() { emulator::Meet(emulator::Meeting::kWarp); }
inline bool __syncthreads_and(bool vote) {
  emulator::Vote() = vote;
  emulator::Meet(emulator::Meeting::kBlock);
  return emulator::Agreed();
}
inline float __shfl_xor_sync(unsigned, float number, int bits) {
  return emulator::Exchange(number, bits);
}

template <typename T>
T __ldg(const T *from) {
  return *from;
}
template <typename T>
T __ldcs(const T *from) {
  return *from;
}

inline void atomicAdd(float *to, float amount) { *to += amount; }
inline void atomicAdd(float4 *to, float4 amount) {
  *to = {to->x + amount.x, to->y + amount.y, to->z + amount.z, to->w + amount.w};
}

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorLaunchFailure = 719 };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor = 75 };
using cudaStream_t = void *;

cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaGetLastError();
cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream);

template <typename Argument>
cudaError_t cudaLaunchKernel(void (*kernel)(Argument), dim3 grid, dim3 block, void **arguments,
                             size_t shared, cudaStream_t) {
  const Argument argument = *static_cast<const Argument *>(arguments[0]);
  const auto thread = [&] { kernel(argument); };
  return emulator::RunGrid(thread, grid, block, shared) ? cudaSuccess : cudaErrorLaunchFailure;
}

#endif
