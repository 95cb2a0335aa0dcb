// Backward: gradients of value by atomic addition, those of places and weights by sums over a team.
//
// Every neighbour of every sample gets an addition, at any of the tokens: 37 million numbers per
// thousand queries of eight heads with 32 channels and 16 samples. Memory adds whole sectors of 32
// bytes, so what counts is how few pieces these come in: from compute capability 9.0 on a team adds
// its 128 bytes with one vector of 16 bytes per lane; before that a team is a whole warp of single
// channels, whose additions join to the same sectors. Collecting coarse levels in shared memory
// would save additions but has no float atomics of its own (a loop of compare-and-swap), and takes
// the memory from the L1 cache.
#ifndef FOCUS_DETR_MSDA_CUDA_BACKWARD_CUH
#define FOCUS_DETR_MSDA_CUDA_BACKWARD_CUH

#include "cuda_samples.cuh"

namespace msda_cuda {

// Sums four numbers over a team; lane i has the sum of number i % 4 in the end. Lanes give away
// numbers as they go, which takes 4 exchanges for 8 lanes instead of 12.
template <int LANES>
__device__ __forceinline__ float SumFourOfTeam(const float (&numbers)[4], int lane) {
  const bool odd = lane & 1, upper = lane & 2;
  float low = odd ? numbers[1] : numbers[0], high = odd ? numbers[3] : numbers[2];
  low += __shfl_xor_sync(0xffffffffu, odd ? numbers[0] : numbers[1], 1);
  high += __shfl_xor_sync(0xffffffffu, odd ? numbers[2] : numbers[3], 1);
  float sum = upper ? high : low;
  sum += __shfl_xor_sync(0xffffffffu, upper ? low : high, 2);
#pragma unroll
  for (int step = 4; step < LANES; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  return sum;
}

// Gradients of one sample with respect to its position in pixels and its weight.
struct SampleGradient {
  float x, y, weight;
};

// `products`: gradient of the output times each neighbour, summed over channels.
__device__ __forceinline__ SampleGradient Combine(const Corners &c, float weight,
                                                  const float4 &products) {
  if (!c.counts) return {0.0f, 0.0f, 0.0f};
  const float in_top = c.left * products.x + c.right * products.y;
  const float in_bottom = c.left * products.z + c.right * products.w;
  const float in_left = c.top * products.x + c.bottom * products.z;
  const float in_right = c.top * products.y + c.bottom * products.w;
  return {weight * (c.has_right * in_right - c.has_left * in_left),
          weight * (c.has_bottom * in_bottom - c.has_top * in_top),
          c.top * in_top + c.bottom * in_bottom};
}

// WIDTH channels of one neighbour: their part of the value's gradient. A share of 0 is left out:
// all samples outside the map name the same token, where their additions would queue.
template <int WIDTH>
__device__ __forceinline__ void ScatterCorner(float share, const float (&gradient)[WIDTH],
                                              float *grad_value) {
  float amounts[WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) amounts[i] = share * gradient[i];
  if (share != 0.0f) AtomicallyAdd(amounts, grad_value);
}

// A team's part of the value and of its gradient, and of the gradient of the output.
template <typename T, int LANES, int WIDTH>
struct Heads {
  const T *value, *grad_output;  // first channel of the head
  float *grad_value;
  float gradient[WIDTH];  // of the output, this lane's first channels: most heads have no others

  __device__ __forceinline__ Heads(const Job &job, const Team<LANES> &team) {
    const int64_t head = int64_t{team.head} * job.depth;
    const int64_t token = team.image * job.tokens * job.token_stride + head;
    value = static_cast<const T *>(job.value) + token;
    grad_value = job.grad_value + token;
    grad_output =
        static_cast<const T *>(job.grad_output) + team.query * job.token_stride + head;
    if (team.member * WIDTH < job.depth) Load(grad_output + team.member * WIDTH, gradient);
  }
};

// One sample, whose record is told: its part of the value's gradient, and this lane's products.
template <typename T, int LANES, int WIDTH>
__device__ __forceinline__ void ScatterSample(const Job &job, const Heads<T, LANES, WIDTH> &heads,
                                              int member, const int4 &tokens,
                                              const float4 &shares, float (&products)[4]) {
  const int64_t at[4] = {
      int64_t{tokens.x} * job.token_stride, int64_t{tokens.y} * job.token_stride,
      int64_t{tokens.z} * job.token_stride, int64_t{tokens.w} * job.token_stride};
  const float share[4] = {shares.x, shares.y, shares.z, shares.w};
#pragma unroll 1
  for (int channel = member * WIDTH; channel < job.depth; channel += LANES * WIDTH) {
    float gradient[WIDTH];
    if (channel < LANES * WIDTH) {
      memcpy(gradient, heads.gradient, sizeof(gradient));
    } else {
      Load(heads.grad_output + channel, gradient);
    }
    float corners[4][WIDTH];
#pragma unroll
    for (int k = 0; k < 4; ++k) Load(heads.value + channel + at[k], corners[k]);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      ScatterCorner(share[k], gradient, heads.grad_value + channel + at[k]);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
#pragma unroll
      for (int i = 0; i < WIDTH; ++i) products[k] += gradient[i] * corners[k][i];
    }
  }
}

// All samples of the warp's records.
template <typename T, int LANES, int WIDTH>
__device__ __forceinline__ void ScatterRecords(const Job &job, const Team<LANES> &team,
                                               const Heads<T, LANES, WIDTH> &heads, int count,
                                               Records *records) {
#pragma unroll 1
  for (int i = 0; i < count; ++i) {
    const int slot = team.Slot(i);
    float products[4] = {};
    ScatterSample(job, heads, team.member, records->tokens[slot], records->shares[slot], products);
    const float sum = SumFourOfTeam<LANES>(products, team.member);
    if (team.member < 4) {
      reinterpret_cast<float *>(&records->products[slot])[team.member] = sum;
    }
  }
}

// From gradients of the weights to those of the logits; each lane reads what it wrote itself.
template <int LANES>
__device__ __forceinline__ void FinishLogits(const Job &job, const Team<LANES> &team,
                                             const Sampler<true> &sampler, float mean,
                                             float *gradients) {
  mean = SumOfTeam<LANES>(mean);
  if (!team.works) return;
  for (int i = team.member; i < job.samples; i += LANES) {
    gradients[i] = sampler.Weight(i) * (gradients[i] - mean);
  }
}

// Where a team's gradients of places and weights go, or NaN where levels are wrong.
template <int LANES>
struct Gradients {
  float *places, *weights;

  __device__ __forceinline__ Gradients(const Job &job, const Team<LANES> &team)
      : places(job.grad_places + team.query * job.place_stride + 2 * team.head * job.samples),
        weights(job.grad_weights + team.query * job.weight_stride + team.head * job.samples) {}

  __device__ __forceinline__ void Put(int sample, const SampleGradient &gradient) const {
    places[2 * sample] = gradient.x;
    places[2 * sample + 1] = gradient.y;
    weights[sample] = gradient.weight;
  }

  __device__ __forceinline__ void Spoil(const Job &job, const Team<LANES> &team) const {
    if (!team.works) return;
    for (int i = team.member; i < job.samples; i += LANES) Put(i, {NAN, NAN, NAN});
  }
};

// In the fused form positions stay in pixels here; FinishReferences does the rest.
template <typename T, bool FUSED, int LANES, int WIDTH>
__global__ void __launch_bounds__(kThreads, 3) Backward(const Job job) {
  const bool right = ReadLevels(job, LevelsOfBlock());
  const Team<LANES> team(job);
  if (!team.warp_works) return;
  const Gradients<LANES> gradients(job, team);
  if (!right) return gradients.Spoil(job, team);
  const Heads<T, LANES, WIDTH> heads(job, team);
  const Sampler<FUSED> sampler(job, team);
  Records *records = RecordsOfWarp();
  float mean = 0.0f;
  for (int first = 0; first < job.samples; first += LANES) {
    const int sample = first + team.member;
    const int slot = team.Slot(team.member);
    const bool has_sample = sample < job.samples;
    const Corners corners = sampler.At(has_sample ? sample : 0);
    const float weight = sampler.Weight(has_sample ? sample : 0);
    Tell(corners, team.works ? weight : 0.0f, slot, records);
    __syncwarp();
    ScatterRecords(job, team, heads, min(LANES, job.samples - first), records);
    __syncwarp();
    if (!team.works || !has_sample) continue;
    SampleGradient gradient = Combine(corners, weight, records->products[slot]);
    mean += weight * gradient.weight;
    if (!FUSED) {
      gradient.x *= sampler.LevelOf(sample).columns;
      gradient.y *= sampler.LevelOf(sample).rows;
    }
    gradients.Put(sample, gradient);
  }
  if constexpr (FUSED) FinishLogits(job, team, sampler, mean, gradients.weights);
}

// 0 stays 0 beside an infinite factor: a sample outside has no gradient, wherever it is.
__device__ __forceinline__ float Times(float gradient, float factor) {
  return gradient == 0.0f ? 0.0f : gradient * factor;
}

// From gradients of pixels to those of offsets and references: a thread per query, level and axis.
// A sum over heads, and so a kernel of its own: always in the same order.
__global__ void __launch_bounds__(kThreads) FinishReferences(const Job job) {
  ReadLevels(job, LevelsOfBlock());
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int axis = index % 2, level = index / 2 % job.levels;
  const int64_t query = index / 2 / job.levels;
  if (query >= int64_t{job.images} * job.queries) return;
  const float side = axis == 0 ? LevelsOfBlock()[level].columns : LevelsOfBlock()[level].rows;
  const int64_t at = (query * job.levels + level) * job.reference_size;
  const bool box = job.reference_size == 4;
  const float scale = box ? BoxScale(job, job.references + at, axis, side) : 1.0f;
  const float reach = side * (0.5f / static_cast<float>(job.points));
  float centre = 0.0f, extent = 0.0f;
  for (int head = 0; head < job.heads; ++head) {
    const int64_t entry = int64_t{head} * job.samples + level * job.points;
    const int64_t first = query * job.place_stride + 2 * entry + axis;
    for (int i = 0; i < 2 * job.points; i += 2) {
      const float gradient = job.grad_places[first + i];
      centre += gradient * side;
      if (!box) continue;
      extent += Times(gradient, job.places[first + i] * reach);
      job.grad_places[first + i] = Times(gradient, scale);
    }
  }
  job.grad_references[at + axis] = centre;
  if (box) job.grad_references[at + 2 + axis] = extent;
}

}  // namespace msda_cuda

#endif
