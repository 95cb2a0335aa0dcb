// The forward pass: outputs are weighted sums of rows of the value.
#ifndef FOCUS_DETR_MSDA_FORWARD_H
#define FOCUS_DETR_MSDA_FORWARD_H

#include "kernels.h"
#include "lanes.h"
#include "samples.h"
#include "threads.h"
#include "tiles.h"

namespace {

// Rows of one head of one image.
template <typename T>
struct Rows {
  const T *first;
  int64_t stride;  // from one token to the next
};

// Weighted sum of the neighbours of all samples of one query and head.
template <typename T>
struct Gather {
  const Samples &samples;
  int64_t count;
  Rows<T> rows;
  T *output;

  template <int CHANNELS>
  MSDA_APART void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    constexpr int kParts = CHANNELS / kWidth;
    typename Lanes<kWidth>::Floats sums[kParts] = {};
    for (int64_t i = 0; i < count; ++i) {
      const T *neighbours[4];
      float shares[4];
      for (int k = 0; k < 4; ++k) {
        neighbours[k] = rows.first + samples.tokens[4 * i + k] * rows.stride + channel;
        shares[k] = samples.shares[4 * i + k];
      }
      for (int part = 0; part < kParts; ++part) {
        const int at = part * kWidth;
        sums[part] += (shares[0] * Load<kWidth>(neighbours[0] + at) +
                       shares[1] * Load<kWidth>(neighbours[1] + at)) +
                      (shares[2] * Load<kWidth>(neighbours[2] + at) +
                       shares[3] * Load<kWidth>(neighbours[3] + at));
      }
    }
    for (int part = 0; part < kParts; ++part) {
      Store<kWidth>(output + channel + part * kWidth, sums[part]);
    }
  }
};

template <typename T>
MSDA_INLINE T *OutputRow(const Job &job, int64_t query, int64_t head) {
  return static_cast<T *>(job.output) + (query * job.sizes.heads + head) * job.sizes.depth;
}

template <typename T>
void ForwardQuery(const Job &job, int64_t query, int64_t head, const Rows<T> &rows,
                  Samples &samples) {
  const float *weights = WeightsOf(job, query, head, samples);
  Locate(job, query, head, 0, job.samples, samples);
  FindShares(job.samples, weights, samples);
  Gather<T> gather{samples, job.samples, rows, OutputRow<T>(job, query, head)};
  ForChannels(job.sizes.depth, gather);
}

// A task is one head and some queries of one image: the head's values stay in the cache.
template <typename T>
void ForwardTask(const Job &job, int64_t image, int64_t head, int64_t slice, Samples &samples) {
  const msda_sizes &sizes = job.sizes;
  Rows<T> rows{static_cast<const T *>(job.value) + RowOf(sizes, image, 0, head),
               sizes.heads * sizes.depth};
  if (job.tiles) {
    T *tile = reinterpret_cast<T *>(TileOfThread(job));
    CopyHead(job, image, head, tile);
    rows = {tile, sizes.depth};
  }
  const int64_t first = image * sizes.queries + slice * job.queries_per_task;
  const int64_t end = first + job.queries_per_task, end_of_image = (image + 1) * sizes.queries;
  const int64_t last = end < end_of_image ? end : end_of_image;
  for (int64_t query = first; query < last; ++query) {
    const int64_t next = query + kQueriesAhead;
    if (next < last) {
      FetchPlaces(job, next, head);
      Fetch(OutputRow<T>(job, next, head), sizes.depth * sizeof(T));
    }
    ForwardQuery<T>(job, query, head, rows, samples);
  }
}

template <typename T>
void Forward(const Job &job) {
  const msda_sizes &sizes = job.sizes;
  const int64_t slices = (sizes.queries + job.queries_per_task - 1) / job.queries_per_task;
#pragma omp parallel num_threads(job.threads)
  {
    Samples samples(ScratchOfThread(job), job.samples);
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < sizes.batch * sizes.heads * slices; ++task) {
      ForwardTask<T>(job, task / slices / sizes.heads, task / slices % sizes.heads, task % slices,
                     samples);
    }
  }
}

}  // namespace

#endif
