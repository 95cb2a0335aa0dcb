// The loops of deformable attention, compiled per instruction set (MSDA_KERNELS names the table).
//
// Every number is computed by one thread in an order that does not depend on how many there are.
// Only functions with internal linkage may be used here: see lanes.h.
#include "kernels.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include "lanes.h"
#include "samples.h"

namespace {

#if defined(__AVX512F__)
constexpr int kWidest = 16;
#elif defined(__AVX__)
constexpr int kWidest = 8;
#else
constexpr int kWidest = 4;
#endif

constexpr int64_t kQueriesPerTask = 64;

MSDA_INLINE float *ScratchOfThread(const Job &job) {
#ifdef _OPENMP
  return job.scratch + omp_get_thread_num() * job.scratch_stride;
#else
  return job.scratch;
#endif
}

// Calls body.template Run<CHANNELS>(first) for blocks that cover all channels of a head.
template <typename Body>
MSDA_INLINE void ForChannels(int64_t depth, Body &body) {
  int64_t channel = 0;
  for (; channel + 32 <= depth; channel += 32) body.template Run<32>(channel);
  if (channel + 16 <= depth) body.template Run<16>(channel), channel += 16;
  if (channel + 8 <= depth) body.template Run<8>(channel), channel += 8;
  if (channel + 4 <= depth) body.template Run<4>(channel), channel += 4;
  for (; channel < depth; ++channel) body.template Run<1>(channel);
}

// Weighted sum of the neighbours of all samples of one query and head.
template <typename T>
struct Gather {
  const Samples &samples;
  int64_t count;
  const float *weights;
  const T *value;  // of the head's first token
  int64_t stride;  // from one token to the next
  T *output;

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    constexpr int kParts = CHANNELS / kWidth;
    typename Lanes<kWidth>::Floats sums[kParts] = {};
    const T *base = value + channel;
    for (int64_t i = 0; i < count; ++i) {
      const float upper = weights[i] * samples.top[i], lower = weights[i] * samples.bottom[i];
      const float shares[4] = {upper * samples.left[i], upper * samples.right[i],
                               lower * samples.left[i], lower * samples.right[i]};
      const T *rows[4];
      for (int k = 0; k < 4; ++k) rows[k] = base + samples.tokens[k * count + i] * stride;
      for (int part = 0; part < kParts; ++part) {
        const int at = part * kWidth;
        sums[part] += (shares[0] * Load<kWidth>(rows[0] + at) +
                       shares[1] * Load<kWidth>(rows[1] + at)) +
                      (shares[2] * Load<kWidth>(rows[2] + at) +
                       shares[3] * Load<kWidth>(rows[3] + at));
      }
    }
    for (int part = 0; part < kParts; ++part) {
      Store<kWidth>(output + channel + part * kWidth, sums[part]);
    }
  }
};

template <typename T>
void ForwardQuery(const Job &job, int64_t query, int64_t head, Samples &samples) {
  const msda_sizes &sizes = job.sizes;
  const float *weights = job.weights + query * job.weight_stride + head * job.samples;
  Locate(job, query, head, 0, job.samples, samples);
  if (job.fused) {
    Softmax(weights, job.samples, samples.weight);
    weights = samples.weight;
  }
  const T *value =
      static_cast<const T *>(job.value) + job.layout.At(query / sizes.queries, head, 0);
  T *output = static_cast<T *>(job.output) + (query * sizes.heads + head) * sizes.depth;
  Gather<T> gather{samples, job.samples, weights, value, job.layout.token, output};
  ForChannels(sizes.depth, gather);
}

// A task is one head and some queries of one image: the head's values stay in the cache.
template <typename T>
void Forward(const Job &job) {
  const msda_sizes &sizes = job.sizes;
  const int64_t slices = (sizes.queries + kQueriesPerTask - 1) / kQueriesPerTask;
#pragma omp parallel num_threads(job.threads)
  {
    Samples samples(ScratchOfThread(job), job.samples);
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < sizes.batch * sizes.heads * slices; ++task) {
      const int64_t slice = task % slices, head = task / slices % sizes.heads;
      const int64_t image = task / (slices * sizes.heads);
      const int64_t first = slice * kQueriesPerTask;
      const int64_t rest = sizes.queries - first;
      const int64_t count = rest < kQueriesPerTask ? rest : kQueriesPerTask;
      for (int64_t i = 0; i < count; ++i) {
        ForwardQuery<T>(job, image * sizes.queries + first + i, head, samples);
      }
    }
  }
}

// For one sample: adds to the gradient of its neighbours, and sums gradient times neighbour.
template <typename T>
struct Scatter {
  const T *grad_output;
  const T *rows[4];
  float *grad_rows[4];
  float shares[4];
  float products[4];

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    typename Lanes<kWidth>::Floats sums[4] = {};
    for (int part = 0; part < CHANNELS / kWidth; ++part) {
      const int64_t at = channel + part * kWidth;
      const auto gradient = Load<kWidth>(grad_output + at);
      for (int k = 0; k < 4; ++k) {
        sums[k] += gradient * Load<kWidth>(rows[k] + at);
        Store<kWidth>(grad_rows[k] + at, Load<kWidth>(grad_rows[k] + at) + shares[k] * gradient);
      }
    }
    for (int k = 0; k < 4; ++k) products[k] += Total<kWidth>::Of(sums[k]);
  }
};

// Gradients of one sample with respect to its position in pixels and its weight.
struct SampleGradient {
  float x, y, weight;
};

// One sample's shares and neighbours, in registers.
struct Corners {
  float left, right, top, bottom, has_left, has_right, has_top, has_bottom;
  int64_t tokens[4];

  MSDA_INLINE Corners(const Samples &s, int64_t i, int64_t count)
      : left(s.left[i]), right(s.right[i]), top(s.top[i]), bottom(s.bottom[i]),
        has_left(s.has_left[i]), has_right(s.has_right[i]), has_top(s.has_top[i]),
        has_bottom(s.has_bottom[i]),
        tokens{s.tokens[i], s.tokens[count + i], s.tokens[2 * count + i],
               s.tokens[3 * count + i]} {}

  // Every map has a column, so only a sample that does not count has neither neighbour.
  MSDA_INLINE bool counts() const { return has_left + has_right > 0.0f; }
};

template <typename T>
MSDA_INLINE SampleGradient BackwardSample(const Job &job, const Corners &c, float weight,
                                          const T *grad_output, const T *value,
                                          float *grad_value) {
  if (!c.counts()) return {0.0f, 0.0f, 0.0f};
  const int64_t stride = job.layout.token;
  const float upper = weight * c.top, lower = weight * c.bottom;
  Scatter<T> scatter{grad_output, {}, {}, {upper * c.left, upper * c.right, lower * c.left,
                                           lower * c.right}, {}};
  for (int k = 0; k < 4; ++k) {
    scatter.rows[k] = value + c.tokens[k] * stride;
    scatter.grad_rows[k] = grad_value + c.tokens[k] * stride;
  }
  ForChannels(job.sizes.depth, scatter);
  const float *g = scatter.products;
  const float in_top = c.left * g[0] + c.right * g[1];
  const float in_bottom = c.left * g[2] + c.right * g[3];
  const float in_left = c.top * g[0] + c.bottom * g[2];
  const float in_right = c.top * g[1] + c.bottom * g[3];
  return {weight * (c.has_right * in_right - c.has_left * in_left),
          weight * (c.has_bottom * in_bottom - c.has_top * in_top),
          c.top * in_top + c.bottom * in_bottom};
}

// Samples of one query, from `first` on in a head. In the fused form grad_weights holds the weights
// when it begins, and positions stay in pixels; FinishQuery does the rest.
template <typename T>
void BackwardQuery(const Job &job, int64_t query, int64_t head, int64_t first, int64_t count,
                   Samples &samples) {
  const msda_sizes &sizes = job.sizes;
  const int64_t entry = head * job.samples + first;
  const int64_t row = job.layout.At(query / sizes.queries, head, 0);
  const T *grad_output =
      static_cast<const T *>(job.grad_output) + (query * sizes.heads + head) * sizes.depth;
  const T *value = static_cast<const T *>(job.value) + row;
  float *grad_value = job.grad_value + row;
  float *grad_places = job.grad_places + query * job.place_stride + 2 * entry;
  float *grad_weights = job.grad_weights + query * job.weight_stride + entry;
  const float *weights =
      job.fused ? grad_weights : job.weights + query * job.weight_stride + entry;
  Locate(job, query, head, first, count, samples);
  for (int64_t i = 0; i < count; ++i) {
    const Corners corners(samples, i, count);
    const SampleGradient gradient =
        BackwardSample<T>(job, corners, weights[i], grad_output, value, grad_value);
    grad_places[2 * i] = gradient.x * (job.fused ? 1.0f : job.columns[first + i]);
    grad_places[2 * i + 1] = gradient.y * (job.fused ? 1.0f : job.rows[first + i]);
    grad_weights[i] = gradient.weight;
  }
}

void SoftmaxOfQuery(const Job &job, int64_t query) {
  const int64_t at = query * job.weight_stride;
  for (int64_t head = 0; head < job.sizes.heads; ++head) {
    const int64_t entry = at + head * job.samples;
    Softmax(job.weights + entry, job.samples, job.grad_weights + entry);
  }
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
      gradient[i] = Times(gradient[i], BoxScale(job, reference, axis, sides[axis]));
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

// A task owns one head of one image, or one level of it where there are many threads, and with it
// all gradients that it writes. Either way every gradient is summed in the order of the queries.
template <typename T>
void Backward(const Job &job) {
  const msda_sizes &sizes = job.sizes;
  const int64_t queries = job.fused ? sizes.batch * sizes.queries : 0;
  const int64_t values = sizes.batch * sizes.tokens * sizes.heads * sizes.depth;
  const int64_t parts = sizes.batch * sizes.heads < 2 * job.threads ? sizes.levels : 1;
  const int64_t count = job.samples / parts;
#pragma omp parallel num_threads(job.threads)
  {
    Samples samples(ScratchOfThread(job), job.samples);
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < values; ++i) job.grad_value[i] = 0.0f;
#pragma omp for schedule(static)
    for (int64_t query = 0; query < queries; ++query) SoftmaxOfQuery(job, query);
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < sizes.batch * sizes.heads * parts; ++task) {
      const int64_t part = task % parts, head = task / parts % sizes.heads;
      const int64_t first = task / (parts * sizes.heads) * sizes.queries;
      for (int64_t query = first; query < first + sizes.queries; ++query) {
        BackwardQuery<T>(job, query, head, part * count, count, samples);
      }
    }
#pragma omp for schedule(static)
    for (int64_t query = 0; query < queries; ++query) FinishQuery(job, query, samples);
  }
}

void ForwardOfType(const Job &job) {
  if (job.sizes.value_type == MSDA_FLOAT32) return Forward<float>(job);
  if (job.sizes.value_type == MSDA_FLOAT16) return Forward<Half>(job);
  Forward<Brain>(job);
}

void BackwardOfType(const Job &job) {
  if (job.sizes.value_type == MSDA_FLOAT32) return Backward<float>(job);
  if (job.sizes.value_type == MSDA_FLOAT16) return Backward<Half>(job);
  Backward<Brain>(job);
}

}  // namespace

extern const msda::Kernels msda::MSDA_KERNELS;
const msda::Kernels msda::MSDA_KERNELS = {ForwardOfType, BackwardOfType};
