// The backward pass: gradients of the value, of places and of weights.
#ifndef FOCUS_DETR_MSDA_BACKWARD_H
#define FOCUS_DETR_MSDA_BACKWARD_H

#include "kernels.h"
#include "lanes.h"
#include "samples.h"
#include "threads.h"
#include "tiles.h"

namespace {

// For one sample: adds to the gradient of its neighbours, and sums gradient times neighbour.
struct Scatter {
  const float *grad_output;
  float *rows[4];  // value, then its gradient
  float shares[4];
  int64_t depth;
  Lanes<4>::Floats products[4];

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    typename Lanes<kWidth>::Floats sums[4] = {};
    for (int64_t at = channel; at < channel + CHANNELS; at += kWidth) {
      const auto gradient = Load<kWidth>(grad_output + at);
      for (int k = 0; k < 4; ++k) {
        float *sum = rows[k] + depth + at;
        sums[k] += gradient * Load<kWidth>(rows[k] + at);
        Store<kWidth>(sum, Load<kWidth>(sum) + shares[k] * gradient);
      }
    }
    for (int k = 0; k < 4; ++k) products[k] += Folded<kWidth>::Of(sums[k]);
  }
};

// Every map has a column, so only a sample that does not count has neither neighbour.
MSDA_INLINE bool Counts(const Samples &samples, int64_t i) {
  return samples.has_left[i] + samples.has_right[i] > 0.0f;
}

// A thread's copy of rows, from token `first` on.
struct Tile {
  float *rows;
  int64_t first;
};

// Samples of one query and head, in turn.
MSDA_APART void ScatterSamples(const Job &job, int64_t count, const Tile &tile,
                               Samples &samples) {
  const int64_t depth = job.sizes.depth;
  for (int64_t i = 0; i < count; ++i) {
    Scatter scatter{samples.grad_output, {}, {}, depth, {}};
    for (int k = 0; k < 4; ++k) {
      scatter.rows[k] = tile.rows + (samples.tokens[4 * i + k] - tile.first) * 2 * depth;
      scatter.shares[k] = samples.shares[4 * i + k];
    }
    if (Counts(samples, i)) ForChannels(depth, scatter);
    for (int k = 0; k < 4; ++k) {
      Store<4>(samples.products + 4 * (4 * i + k), scatter.products[k]);
    }
  }
}

// Gradients of positions, per pixel (fused) or location, and of weights.
MSDA_INLINE void GradientsOfSamples(const Job &job, int64_t first, int64_t count,
                                    const float *weights, const Samples &samples,
                                    float *grad_places, float *grad_weights) {
  const Samples s = samples;
  const float *parts = s.products, *columns = job.columns + first, *rows = job.rows + first;
#pragma omp simd
  for (int64_t i = 0; i < 4 * count; ++i) {
    s.sums[i] = (parts[4 * i] + parts[4 * i + 1]) + (parts[4 * i + 2] + parts[4 * i + 3]);
  }
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float upper_left = s.sums[4 * i], upper_right = s.sums[4 * i + 1];
    const float lower_left = s.sums[4 * i + 2], lower_right = s.sums[4 * i + 3];
    const float in_top = s.left[i] * upper_left + s.right[i] * upper_right;
    const float in_bottom = s.left[i] * lower_left + s.right[i] * lower_right;
    const float in_left = s.top[i] * upper_left + s.bottom[i] * lower_left;
    const float in_right = s.top[i] * upper_right + s.bottom[i] * lower_right;
    const float x = weights[i] * (s.has_right[i] * in_right - s.has_left[i] * in_left);
    const float y = weights[i] * (s.has_bottom[i] * in_bottom - s.has_top[i] * in_top);
    const bool counts = Counts(s, i);
    grad_places[2 * i] = counts ? x * (job.fused ? 1.0f : columns[i]) : 0.0f;
    grad_places[2 * i + 1] = counts ? y * (job.fused ? 1.0f : rows[i]) : 0.0f;
    grad_weights[i] = counts ? s.top[i] * in_top + s.bottom[i] * in_bottom : 0.0f;
  }
}

template <typename T>
struct Widen {
  const T *from;
  float *to;

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    for (int64_t at = channel; at < channel + CHANNELS; at += kWidth) {
      Store<kWidth>(to + at, Load<kWidth>(from + at));
    }
  }
};

template <typename T>
MSDA_INLINE const T *GradOutputRow(const Job &job, int64_t query, int64_t head) {
  return static_cast<const T *>(job.grad_output) +
         (query * job.sizes.heads + head) * job.sizes.depth;
}

// `count` samples of one query from `first` on in a head. In the fused form positions stay in
// pixels and gradients of weights are not yet those of logits; FinishQuery does the rest.
template <typename T>
void BackwardQuery(const Job &job, int64_t query, int64_t head, int64_t first, int64_t count,
                   const Tile &tile, Samples &samples) {
  const int64_t entry = head * job.samples + first;
  Widen<T> widen{GradOutputRow<T>(job, query, head), samples.grad_output};
  ForChannels(job.sizes.depth, widen);
  const float *weights = WeightsOf(job, query, head, samples) + first;
  Locate(job, query, head, first, count, samples);
  FindShares(count, weights, samples);
  ScatterSamples(job, count, tile, samples);
  GradientsOfSamples(job, first, count, weights, samples,
                     job.grad_places + query * job.place_stride + 2 * entry,
                     job.grad_weights + query * job.weight_stride + entry);
}

// From gradients of the weights to those of the logits.
void FinishLogits(const Job &job, int64_t entry, float *weights) {
  float *gradient = job.grad_weights + entry;
  Softmax(job.weights + entry, job.samples, weights);
  float mean = 0.0f;
#pragma omp simd reduction(+ : mean)
  for (int64_t i = 0; i < job.samples; ++i) mean += weights[i] * gradient[i];
#pragma omp simd
  for (int64_t i = 0; i < job.samples; ++i) gradient[i] = weights[i] * (gradient[i] - mean);
}

// 0 stays 0 beside an infinite factor: a sample outside has no gradient, wherever it is.
MSDA_INLINE float Times(float gradient, float factor) {
  return gradient == 0.0f ? 0.0f : gradient * factor;
}

// From gradients of pixels to those of one level's offsets and reference.
void FinishLevel(const Job &job, int64_t query, int64_t level) {
  const msda_sizes &sizes = job.sizes;
  const int64_t points = sizes.points, size = sizes.reference_size, first = level * points;
  const float sides[2] = {job.columns[first], job.rows[first]};
  const float *reference = job.references + (query * sizes.levels + level) * size;
  float totals[4] = {};
  for (int64_t head = 0; head < sizes.heads; ++head) {
    const int64_t at = query * job.place_stride + 2 * (head * job.samples + first);
    const float *offsets = job.places + at;
    float *gradient = job.grad_places + at;
    for (int64_t i = 0; i < 2 * points; ++i) {
      const int axis = i % 2;
      totals[axis] += gradient[i] * sides[axis];
      if (size == 2) continue;
      const float reach = sides[axis] * (0.5f / static_cast<float>(points));
      totals[2 + axis] += Times(gradient[i], offsets[i] * reach);
      gradient[i] = Times(gradient[i], BoxScale(job, reference[2 + axis], sides[axis]));
    }
  }
  float *grad_reference = job.grad_references + (query * sizes.levels + level) * size;
  for (int64_t i = 0; i < size; ++i) grad_reference[i] = totals[i];
}

void FinishQuery(const Job &job, int64_t query, Samples &samples) {
  for (int64_t head = 0; head < job.sizes.heads; ++head) {
    FinishLogits(job, query * job.weight_stride + head * job.samples, samples.weight);
  }
  for (int64_t level = 0; level < job.sizes.levels; ++level) FinishLevel(job, query, level);
}

template <typename T>
MSDA_INLINE void FetchBackward(const Job &job, int64_t query, int64_t head) {
  const int64_t entry = head * job.samples;
  FetchPlaces(job, query, head);
  Fetch(GradOutputRow<T>(job, query, head), job.sizes.depth * sizeof(T));
  Fetch(job.grad_places + query * job.place_stride + 2 * entry, 2 * job.samples * sizeof(float));
  Fetch(job.grad_weights + query * job.weight_stride + entry, job.samples * sizeof(float));
}

// A task owns the gradients of some levels of one head, summed in the order of the queries.
template <typename T>
void BackwardTask(const Job &job, const Region &region, int64_t first, int64_t count,
                  Samples &samples) {
  const Tile tile{reinterpret_cast<float *>(TileOfThread(job)), region.first};
  OpenTile<T>(job, region, tile.rows);
  const int64_t last = (region.image + 1) * job.sizes.queries;
  for (int64_t query = last - job.sizes.queries; query < last; ++query) {
    const int64_t next = query + kQueriesAhead;
    if (next < last) FetchBackward<T>(job, next, region.head);
    BackwardQuery<T>(job, query, region.head, first, count, tile, samples);
  }
  CloseTile(job, region, tile.rows);
}

template <typename T>
void Backward(const Job &job) {
  const msda_sizes &sizes = job.sizes;
  const int64_t queries = job.fused ? sizes.batch * sizes.queries : 0;
  const int64_t count = job.samples / job.parts;
#pragma omp parallel num_threads(job.threads)
  {
    Samples samples(ScratchOfThread(job), job.samples);
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < sizes.batch * sizes.heads * job.parts; ++task) {
      const int64_t part = task % job.parts, head = task / job.parts % sizes.heads;
      const int64_t first = part ? job.start[part * count] : 0;
      const int64_t end = part + 1 < job.parts ? job.start[(part + 1) * count] : sizes.tokens;
      const Region region{task / job.parts / sizes.heads, head, first, end - first};
      BackwardTask<T>(job, region, part * count, count, samples);
    }
#pragma omp for schedule(static)
    for (int64_t query = 0; query < queries; ++query) FinishQuery(job, query, samples);
  }
}

}  // namespace

#endif
