// How threads share the work: a team of lanes of one warp computes one query of one head.
//
// A lane holds WIDTH neighbouring channels, so that a team reads a neighbour of a sample (32
// channels of float32: a line of 128 bytes) with one wide load per lane, and a warp has several
// samples on their way. Where samples fall is worked out by one lane each, LANES samples at a time,
// and told to the others of the team through shared memory: as the whole team would work out the
// same, this saves most of the arithmetic. Records of teams lie side by side, so that the teams of
// a warp, which read theirs at the same time, do not meet in a bank.
//
// All queries of a head come before the next head. What runs at the same time then reads the same
// few tokens, which stay in the L1 and L2 caches.
#ifndef FOCUS_DETR_MSDA_CUDA_TEAM_CUH
#define FOCUS_DETR_MSDA_CUDA_TEAM_CUH

#include "cuda_job.h"
#include "cuda_levels.cuh"

// The launch says how large; a declaration outside all namespaces, as all kernels share it.
extern __shared__ int4 msda_shared_memory[];

namespace msda_cuda {

// Neighbours of the samples that a warp works on.
struct Records {
  int4 tokens[kWarpLanes];
  float4 shares[kWarpLanes];
  float4 products[kWarpLanes];  // backward: gradient of the output times each neighbour
};

constexpr int kRecordBytes = kWarps * static_cast<int>(sizeof(Records));

__device__ __forceinline__ Records *RecordsOfWarp() {
  return reinterpret_cast<Records *>(msda_shared_memory) + threadIdx.x / kWarpLanes;
}

__device__ __forceinline__ Level *LevelsOfBlock() {
  return reinterpret_cast<Level *>(reinterpret_cast<Records *>(msda_shared_memory) + kWarps);
}

template <int LANES>
struct Team {
  static constexpr int kTeams = kWarpLanes / LANES;      // in a warp
  static constexpr int kQueriesOfBlock = kWarps * kTeams;

  int member;      // this thread's place in the team
  int place;       // the team's in its warp
  int head;
  int64_t image;
  int64_t query;   // counted over all images
  bool works;      // there is a query for the team
  bool warp_works;

  __device__ __forceinline__ explicit Team(const Job &job) {
    const int slices = (job.queries + kQueriesOfBlock - 1) / kQueriesOfBlock;
    const int block = blockIdx.x;
    const int lane = threadIdx.x % kWarpLanes, warp = threadIdx.x / kWarpLanes;
    member = lane % LANES;
    place = lane / LANES;
    head = block / slices % job.heads;
    image = block / slices / job.heads;
    const int64_t first = int64_t{block % slices} * kQueriesOfBlock + warp * kTeams;
    warp_works = first < job.queries;
    works = first + place < job.queries;
    query = image * job.queries + (works ? first + place : job.queries - 1);
  }

  // Where the record of the team's i-th sample lies.
  __device__ __forceinline__ int Slot(int i) const { return i * kTeams + place; }
};

template <int LANES>
__device__ __forceinline__ float SumOfTeam(float number) {
#pragma unroll
  for (int step = LANES / 2; step > 0; step /= 2) {
    number += __shfl_xor_sync(0xffffffffu, number, step);
  }
  return number;
}

template <int LANES>
__device__ __forceinline__ float LargestOfTeam(float number) {
#pragma unroll
  for (int step = LANES / 2; step > 0; step /= 2) {
    number = fmaxf(number, __shfl_xor_sync(0xffffffffu, number, step));
  }
  return number;
}

}  // namespace msda_cuda

#endif
