// Forward: every lane sums its channels of all neighbours of all samples of its team's query.
#ifndef FOCUS_DETR_MSDA_CUDA_FORWARD_CUH
#define FOCUS_DETR_MSDA_CUDA_FORWARD_CUH

#include "cuda_samples.cuh"

namespace msda_cuda {

// Adds the four neighbours of one sample.
template <typename T, int WIDTH>
__device__ __forceinline__ void AddSample(const T *value, int stride, const int4 &tokens,
                                          const float4 &shares, float (&sums)[WIDTH]) {
  float corners[4][WIDTH];
  Load(value + int64_t{tokens.x} * stride, corners[0]);
  Load(value + int64_t{tokens.y} * stride, corners[1]);
  Load(value + int64_t{tokens.z} * stride, corners[2]);
  Load(value + int64_t{tokens.w} * stride, corners[3]);
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) {
    sums[i] += (shares.x * corners[0][i] + shares.y * corners[1][i]) +
               (shares.z * corners[2][i] + shares.w * corners[3][i]);
  }
}

// Sums LANES * WIDTH channels, of which `value` points to this lane's first.
template <typename T, bool FUSED, int LANES, int WIDTH>
__device__ __forceinline__ void SumSamples(const Job &job, const Team<LANES> &team,
                                           const Sampler<FUSED> &sampler, const T *value,
                                           float (&sums)[WIDTH]) {
  Records *records = RecordsOfWarp();
  for (int first = 0; first < job.samples; first += LANES) {
    const int sample = first + team.member;
    if (sample < job.samples) {
      Tell(sampler.At(sample), sampler.Weight(sample), team.Slot(team.member), records);
    }
    __syncwarp();
    const int count = min(LANES, job.samples - first);
#pragma unroll 2
    for (int i = 0; i < count; ++i) {
      const int slot = team.Slot(i);
      AddSample(value, job.token_stride, records->tokens[slot], records->shares[slot], sums);
    }
    __syncwarp();
  }
}

template <typename T, bool FUSED, int LANES, int WIDTH>
__global__ void __launch_bounds__(kThreads, 4) Forward(const Job job) {
  const bool right = ReadLevels(job, LevelsOfBlock());
  const Team<LANES> team(job);
  if (!team.warp_works) return;
  const int64_t head = int64_t{team.head} * job.depth;
  const T *value =
      static_cast<const T *>(job.value) + team.image * job.tokens * job.token_stride + head;
  T *output = static_cast<T *>(job.output) + team.query * job.token_stride + head;
  const Sampler<FUSED> sampler(job, team);
  for (int first = 0; first < job.depth; first += LANES * WIDTH) {
    const int channel = first + team.member * WIDTH;
    const bool has_channel = channel < job.depth;
    float sums[WIDTH] = {};
    if (right) {
      SumSamples<T>(job, team, sampler, value + (has_channel ? channel : 0), sums);
    } else {
      for (float &sum : sums) sum = NAN;
    }
    if (team.works && has_channel) Store(sums, output + channel);
  }
}

}  // namespace msda_cuda

#endif
