// Where samples fall: weights, positions in pixels, neighbours and their shares.
#ifndef FOCUS_DETR_MSDA_CUDA_SAMPLES_CUH
#define FOCUS_DETR_MSDA_CUDA_SAMPLES_CUH

#include <cmath>

#include "cuda_team.cuh"

namespace msda_cuda {

// One sample's bilinear shares. A neighbour outside the map has share and mask 0 and a token in it.
struct Corners {
  float left, right, top, bottom;
  float has_left, has_right, has_top, has_bottom;
  bool counts;
  int4 tokens;
};

__device__ __forceinline__ Corners FindCorners(const Level &level, float x, float y) {
  Corners c;
  // false for NaN
  c.counts = x >= -1.0f && x < level.columns && y >= -1.0f && y < level.rows;
  if (!c.counts) x = y = 0.0f;
  const int columns = static_cast<int>(level.columns), rows = static_cast<int>(level.rows);
  const float floor_x = floorf(x), floor_y = floorf(y);
  const int x0 = static_cast<int>(floor_x), y0 = static_cast<int>(floor_y);
  const int x1 = x0 + 1, y1 = y0 + 1;
  const float dx = x - floor_x, dy = y - floor_y;
  c.has_left = c.counts && x0 >= 0 ? 1.0f : 0.0f;
  c.has_right = c.counts && x1 < columns ? 1.0f : 0.0f;
  c.has_top = c.counts && y0 >= 0 ? 1.0f : 0.0f;
  c.has_bottom = c.counts && y1 < rows ? 1.0f : 0.0f;
  c.left = (1.0f - dx) * c.has_left;
  c.right = dx * c.has_right;
  c.top = (1.0f - dy) * c.has_top;
  c.bottom = dy * c.has_bottom;
  const int near_x = x0 < 0 ? 0 : x0, far_x = x1 < columns ? x1 : columns - 1;
  const int near_y = y0 < 0 ? 0 : y0, far_y = y1 < rows ? y1 : rows - 1;
  const int upper = level.start + near_y * columns, lower = level.start + far_y * columns;
  c.tokens = make_int4(upper + near_x, upper + far_x, lower + near_x, lower + far_x);
  return c;
}

// Turns logits into weights.
struct Softmax {
  float largest, factor;
  __device__ __forceinline__ float operator()(float logit) const {
    return expf(logit - largest) * factor;
  }
};

template <int LANES>
__device__ __forceinline__ Softmax SoftmaxOfTeam(const Job &job, const float *logits, int member) {
  float largest = -INFINITY;
  for (int i = member; i < job.samples; i += LANES) largest = fmaxf(largest, logits[i]);
  largest = LargestOfTeam<LANES>(largest);
  float total = 0.0f;
  for (int i = member; i < job.samples; i += LANES) total += expf(logits[i] - largest);
  return {largest, 1.0f / SumOfTeam<LANES>(total)};
}

// Offsets in units of the box reach half its side: pixels per unit of offset.
__device__ __forceinline__ float BoxScale(const Job &job, const float *box, int axis, float side) {
  return box[2 + axis] * side * (0.5f / static_cast<float>(job.points));
}

// Reads the samples of a team's query; they stream through and leave the caches to the value.
template <bool FUSED>
class Sampler {
 public:
  template <int LANES>
  __device__ __forceinline__ Sampler(const Job &job, const Team<LANES> &team)
      : job_(job),
        levels_(LevelsOfBlock()),
        places_(job.places + team.query * job.place_stride + 2 * team.head * job.samples),
        weights_(job.weights + team.query * job.weight_stride + team.head * job.samples),
        references_(FUSED ? job.references + team.query * job.levels * job.reference_size
                          : nullptr) {
    if (FUSED) softmax_ = SoftmaxOfTeam<LANES>(job, weights_, team.member);
  }

  __device__ __forceinline__ float Weight(int sample) const {
    const float weight = __ldcs(weights_ + sample);
    return FUSED ? softmax_(weight) : weight;
  }

  __device__ __forceinline__ const Level &LevelOf(int sample) const {
    return levels_[sample / job_.points];
  }

  __device__ __forceinline__ Corners At(int sample) const {
    const Level &level = LevelOf(sample);
    const float x = __ldcs(places_ + 2 * sample), y = __ldcs(places_ + 2 * sample + 1);
    if (!FUSED) return FindCorners(level, x * level.columns - 0.5f, y * level.rows - 0.5f);
    const float *reference = references_ + sample / job_.points * job_.reference_size;
    const bool box = job_.reference_size == 4;
    const float step_x = box ? BoxScale(job_, reference, 0, level.columns) : 1.0f;
    const float step_y = box ? BoxScale(job_, reference, 1, level.rows) : 1.0f;
    return FindCorners(level, reference[0] * level.columns - 0.5f + x * step_x,
                       reference[1] * level.rows - 0.5f + y * step_y);
  }

 private:
  const Job &job_;
  const Level *levels_;
  const float *places_, *weights_, *references_;
  Softmax softmax_;
};

// Tells the team where one member's sample falls.
__device__ __forceinline__ void Tell(const Corners &c, float weight, int slot, Records *records) {
  const float upper = weight * c.top, lower = weight * c.bottom;
  records->tokens[slot] = c.tokens;
  records->shares[slot] =
      make_float4(upper * c.left, upper * c.right, lower * c.left, lower * c.right);
}

}  // namespace msda_cuda

#endif
