// Where samples fall: softmax of logits, positions in pixels, neighbours and their shares.
//
// Loops run over the samples of one head so that compilers turn them into vector code.
#ifndef FOCUS_DETR_MSDA_SAMPLES_H
#define FOCUS_DETR_MSDA_SAMPLES_H

#include "kernels.h"
#include "lanes.h"

namespace {

using msda::Job;

// One entry per sample; a neighbour outside the map has share and mask 0 and an index inside.
struct Samples {
  float *weight;                         // softmax of the logits, if there are any
  float *x, *y;                          // pixels
  float *left, *right, *top, *bottom;    // bilinear shares
  float *has_left, *has_right, *has_top, *has_bottom;  // 1 inside the map, 0 outside
  float *shares;                         // of the four neighbours of each sample
  float *products;                       // output's gradient times neighbour, in four parts
  float *sums;                           // of the four parts
  int32_t *tokens;                       // of the four neighbours of each sample
  float *grad_output;                    // a head's channels of the query

  Samples(float *scratch, int64_t count) {
    float **fields[] = {&weight, &x, &y, &left, &right, &top, &bottom,
                        &has_left, &has_right, &has_top, &has_bottom};
    for (float **field : fields) {
      *field = scratch;
      scratch += count;
    }
    shares = scratch;
    products = shares + 4 * count;
    sums = products + 16 * count;
    tokens = reinterpret_cast<int32_t *>(sums + 4 * count);
    grad_output = sums + 8 * count;
  }
};

// e^x for x <= 0, to 2 units in the last place; 0 below -87. Cephes' polynomial.
MSDA_INLINE float ExpOfNegative(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves a whole number's bits
  const float shifted = x * 1.44269504f + kRound;
  const float whole = shifted - kRound;
  const float rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float series = 1.9875691500e-4f;
  series = series * rest + 1.3981999507e-3f;
  series = series * rest + 8.3334519073e-3f;
  series = series * rest + 4.1665795894e-2f;
  series = series * rest + 1.6666665459e-1f;
  series = series * rest + 5.0000001201e-1f;
  series = series * rest * rest + rest + 1.0f;
  const float scale = BitCast<float>((BitCast<uint32_t>(shifted) + 127u) << 23);
  return x < -87.0f ? 0.0f : series * scale;
}

MSDA_INLINE void Softmax(const float *logits, int64_t count, float *weights) {
  float largest = logits[0];
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; ++i) largest = logits[i] > largest ? logits[i] : largest;
  float total = 0.0f;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < count; ++i) {
    const float power = ExpOfNegative(logits[i] - largest);
    weights[i] = power;
    total += power;
  }
  const float factor = 1.0f / total;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) weights[i] *= factor;
}

// Offsets in units of the box reach half its side: pixels per unit of offset.
MSDA_INLINE float BoxScale(const Job &job, float extent, float side) {
  return extent * side * (0.5f / static_cast<float>(job.sizes.points));
}

MSDA_INLINE void PixelsOfReference(const Job &job, int64_t query, int64_t first, int64_t count,
                                   const float *offsets, Samples &samples) {
  const int64_t size = job.sizes.reference_size;
  const float *references = job.references + query * job.sizes.levels * size;
  const float *columns = job.columns + first, *rows = job.rows + first;
  const int32_t *reference_at = job.reference_at + first;
  Samples s = samples;
  if (size == 2) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const int32_t at = reference_at[i];
      s.x[i] = references[at] * columns[i] - 0.5f + offsets[2 * i];
      s.y[i] = references[at + 1] * rows[i] - 0.5f + offsets[2 * i + 1];
    }
    return;
  }
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const int32_t at = reference_at[i];
    const float step_x = BoxScale(job, references[at + 2], columns[i]);
    const float step_y = BoxScale(job, references[at + 3], rows[i]);
    s.x[i] = references[at] * columns[i] - 0.5f + offsets[2 * i] * step_x;
    s.y[i] = references[at + 1] * rows[i] - 0.5f + offsets[2 * i + 1] * step_y;
  }
}

MSDA_INLINE void PixelsOfLocations(const Job &job, int64_t first, int64_t count,
                                   const float *locations, Samples &samples) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    samples.x[i] = locations[2 * i] * job.columns[first + i] - 0.5f;
    samples.y[i] = locations[2 * i + 1] * job.rows[first + i] - 0.5f;
  }
}

// Neighbours and shares of `count` samples whose pixels are known; `first`: their place in a head.
MSDA_INLINE void FindNeighbours(const Job &job, int64_t first, int64_t count, Samples &samples) {
  const float *columns = job.columns + first, *rows = job.rows + first;
  const int32_t *start = job.start + first;
  Samples s = samples;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const bool counts = s.x[i] >= -1.0f && s.x[i] < columns[i] && s.y[i] >= -1.0f &&
                        s.y[i] < rows[i];  // false for NaN
    const float x = counts ? s.x[i] : 0.0f, y = counts ? s.y[i] : 0.0f;
    const int32_t wide = static_cast<int32_t>(columns[i]), high = static_cast<int32_t>(rows[i]);
    int32_t x0 = static_cast<int32_t>(x), y0 = static_cast<int32_t>(y);
    x0 -= x < static_cast<float>(x0);  // conversion rounds towards zero
    y0 -= y < static_cast<float>(y0);
    const float dx = x - static_cast<float>(x0), dy = y - static_cast<float>(y0);
    const int32_t x1 = x0 + 1, y1 = y0 + 1;
    s.has_left[i] = counts && x0 >= 0 ? 1.0f : 0.0f;
    s.has_right[i] = counts && x1 < wide ? 1.0f : 0.0f;
    s.has_top[i] = counts && y0 >= 0 ? 1.0f : 0.0f;
    s.has_bottom[i] = counts && y1 < high ? 1.0f : 0.0f;
    s.left[i] = (1.0f - dx) * s.has_left[i];
    s.right[i] = dx * s.has_right[i];
    s.top[i] = (1.0f - dy) * s.has_top[i];
    s.bottom[i] = dy * s.has_bottom[i];
    const int32_t near_x = x0 < 0 ? 0 : x0, far_x = x1 < wide ? x1 : wide - 1;
    const int32_t near_y = y0 < 0 ? 0 : y0, far_y = y1 < high ? y1 : high - 1;
    const int32_t upper = start[i] + near_y * wide, lower = start[i] + far_y * wide;
    s.tokens[4 * i] = upper + near_x;
    s.tokens[4 * i + 1] = upper + far_x;
    s.tokens[4 * i + 2] = lower + near_x;
    s.tokens[4 * i + 3] = lower + far_x;
  }
}

MSDA_INLINE void Locate(const Job &job, int64_t query, int64_t head, int64_t first, int64_t count,
                        Samples &samples) {
  const float *places =
      job.places + query * job.place_stride + 2 * (head * job.samples + first);
  if (job.fused) {
    PixelsOfReference(job, query, first, count, places, samples);
  } else {
    PixelsOfLocations(job, first, count, places, samples);
  }
  FindNeighbours(job, first, count, samples);
}

// The attention weights of one query and head.
MSDA_INLINE const float *WeightsOf(const Job &job, int64_t query, int64_t head, Samples &samples) {
  const float *weights = job.weights + query * job.weight_stride + head * job.samples;
  if (!job.fused) return weights;
  Softmax(weights, job.samples, samples.weight);
  return samples.weight;
}

// What each neighbour contributes to the output.
MSDA_INLINE void FindShares(int64_t count, const float *weights, Samples &samples) {
  Samples s = samples;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float upper = weights[i] * s.top[i], lower = weights[i] * s.bottom[i];
    s.shares[4 * i] = upper * s.left[i];
    s.shares[4 * i + 1] = upper * s.right[i];
    s.shares[4 * i + 2] = lower * s.left[i];
    s.shares[4 * i + 3] = lower * s.right[i];
  }
}

}  // namespace

#endif
