// What belongs to a thread, and what it needs next.
#ifndef FOCUS_DETR_MSDA_THREADS_H
#define FOCUS_DETR_MSDA_THREADS_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "kernels.h"
#include "lanes.h"

namespace {

using msda::Job;

constexpr int64_t kQueriesAhead = 4;  // from a query to the one whose data are fetched meanwhile
constexpr int64_t kLineBytes = 64;

MSDA_INLINE int ThreadNumber() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

MSDA_INLINE float *ScratchOfThread(const Job &job) {
  return job.scratch + ThreadNumber() * job.scratch_stride;
}

MSDA_INLINE char *TileOfThread(const Job &job) {
  return job.tiles + ThreadNumber() * job.tile_bytes;
}

// Asks for memory that is needed soon: a head's numbers of one query are far from the next one's.
MSDA_INLINE void Fetch(const void *from, int64_t bytes) {
  const char *line = static_cast<const char *>(from);
  for (int64_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(line + at);
}

MSDA_INLINE void FetchPlaces(const Job &job, int64_t query, int64_t head) {
  const int64_t entry = head * job.samples;
  Fetch(job.places + query * job.place_stride + 2 * entry, 2 * job.samples * sizeof(float));
  Fetch(job.weights + query * job.weight_stride + entry, job.samples * sizeof(float));
}

}  // namespace

#endif
