// Copies of one head's rows that a thread works on.
//
// In [B, N, M, C] the rows of one head are a power of two apart: they compete for a few sets of the
// caches, lie on many pages, and the framework's tensors do not begin at a line of the cache. One
// after the other they fit the cache of one core; reading them often pays for the copying.
#ifndef FOCUS_DETR_MSDA_TILES_H
#define FOCUS_DETR_MSDA_TILES_H

#include "kernels.h"
#include "lanes.h"
#include "threads.h"

namespace {

using msda::Job;

constexpr int64_t kTokensAhead = 16;  // from a row to the one that is fetched meanwhile

// Element of a tensor [B, N, M, C] where a head's row of a token begins.
MSDA_INLINE int64_t RowOf(const msda_sizes &sizes, int64_t image, int64_t token, int64_t head) {
  return ((image * sizes.tokens + token) * sizes.heads + head) * sizes.depth;
}

// Rows of one head are too far from each other for the processor to see what comes next.
template <typename T>
MSDA_INLINE void FetchRowAfter(const msda_sizes &sizes, const T *rows, int64_t token,
                               int64_t count) {
  const int64_t next = token + kTokensAhead;
  if (next < count) Fetch(rows + next * sizes.heads * sizes.depth, sizes.depth * sizeof(T));
}

template <typename T>
struct CopyRow {
  const T *from;
  T *to;

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    std::memcpy(to + channel, from + channel, CHANNELS * sizeof(T));
  }
};

// Forward: rows [N, C] as they are.
template <typename T>
void CopyHead(const Job &job, int64_t image, int64_t head, T *tile) {
  const msda_sizes &sizes = job.sizes;
  const T *value = static_cast<const T *>(job.value) + RowOf(sizes, image, 0, head);
  for (int64_t token = 0; token < sizes.tokens; ++token) {
    FetchRowAfter(sizes, value, token, sizes.tokens);
    CopyRow<T> copy{value + token * sizes.heads * sizes.depth, tile + token * sizes.depth};
    ForChannels(sizes.depth, copy);
  }
}

// Some tokens of one head of one image.
struct Region {
  int64_t image, head, first, count;
};

template <typename T>
struct OpenRow {
  const T *value;
  float *row;
  int64_t depth;

  template <int CHANNELS>
  MSDA_INLINE void Run(int64_t channel) {
    constexpr int kWidth = CHANNELS < kWidest ? CHANNELS : kWidest;
    for (int64_t at = channel; at < channel + CHANNELS; at += kWidth) {
      Store<kWidth>(row + at, Load<kWidth>(value + at));
      Store<kWidth>(row + depth + at, typename Lanes<kWidth>::Floats{});
    }
  }
};

// Backward: rows [N, 2*C] of float32, the value and then its gradient, 0 for now. Side by side they
// are not a multiple of 4096 bytes apart (unless C is one of 1024), which would make loads wait for
// stores elsewhere.
template <typename T>
void OpenTile(const Job &job, const Region &region, float *tile) {
  const msda_sizes &sizes = job.sizes;
  const T *value = static_cast<const T *>(job.value) +
                   RowOf(sizes, region.image, region.first, region.head);
  for (int64_t token = 0; token < region.count; ++token) {
    FetchRowAfter(sizes, value, token, region.count);
    OpenRow<T> open{value + token * sizes.heads * sizes.depth, tile + token * 2 * sizes.depth,
                    sizes.depth};
    ForChannels(sizes.depth, open);
  }
}

// Writes the gradients to where the caller wants them.
MSDA_INLINE void CloseTile(const Job &job, const Region &region, const float *tile) {
  const msda_sizes &sizes = job.sizes;
  float *gradient = job.grad_value + RowOf(sizes, region.image, region.first, region.head);
  for (int64_t token = 0; token < region.count; ++token) {
    FetchRowAfter(sizes, gradient, token, region.count);
    CopyRow<float> copy{tile + (2 * token + 1) * sizes.depth,
                        gradient + token * sizes.heads * sizes.depth};
    ForChannels(sizes.depth, copy);
  }
}

}  // namespace

#endif
