// The levels as kernels need them: read and checked on the device, so that no call has to wait.
#ifndef FOCUS_DETR_MSDA_CUDA_LEVELS_CUH
#define FOCUS_DETR_MSDA_CUDA_LEVELS_CUH

#include "checks.h"
#include "cuda_job.h"
#include "cuda_vectors.cuh"

namespace msda_cuda {

struct alignas(16) Level {
  float columns, rows;
  int start;
};

// One number of shapes or starts; one beyond any that is right stands for all those.
__device__ __forceinline__ int64_t IndexAt(const Job &job, const void *indices, int at) {
  constexpr int64_t kMost = int64_t{1} << 31;
  const int64_t index = job.wide_indices ? static_cast<const int64_t *>(indices)[at]
                                         : static_cast<const int32_t *>(indices)[at];
  return index < -1 ? -1 : index > kMost ? kMost : index;
}

// False if the level is empty, outside the tokens, too large or begins before the last one ends.
__device__ __forceinline__ bool ReadLevel(const Job &job, int index, Level *level) {
  int64_t free = 0;
  if (index > 0) {
    free = IndexAt(job, job.starts, index - 1) +
           IndexAt(job, job.shapes, 2 * index - 2) * IndexAt(job, job.shapes, 2 * index - 1);
  }
  const int64_t rows = IndexAt(job, job.shapes, 2 * index);
  const int64_t columns = IndexAt(job, job.shapes, 2 * index + 1);
  const int64_t start = IndexAt(job, job.starts, index);
  *level = {static_cast<float>(columns), static_cast<float>(rows), static_cast<int>(start)};
  return rows >= 1 && columns >= 1 && rows <= msda::kLargestSide &&
         columns <= msda::kLargestSide && start >= free && rows * columns <= job.tokens - start;
}

// All threads of a block together; whether all levels are right.
__device__ __forceinline__ bool ReadLevels(const Job &job, Level *levels) {
  bool right = true;
#pragma unroll 1
  for (int i = threadIdx.x; i < job.levels; i += kThreads) {
    right = ReadLevel(job, i, &levels[i]) && right;
  }
  return __syncthreads_and(right);
}

}  // namespace msda_cuda

#endif
