// The C interface on a CPU: checks the arguments and calls the kernels for this processor.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "buffer.h"
#include "checks.h"
#include "kernels.h"
#include "msda.h"

namespace {

using msda::Job;
using msda::Kernels;

constexpr int64_t kSerialWork = 1 << 15;            // channels of samples; below, threads cost more
constexpr int64_t kLineBytes = 64;                  // of the cache
constexpr int64_t kLine = 16;                       // floats of it
constexpr int64_t kQueriesPerTask = 64;             // without tiles
constexpr int64_t kReadsThatPay = 4;                // of each row, on average, for a tile

struct Variant {
  const char *name;
  const Kernels *kernels;
};

#ifdef MSDA_X86
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

// The best variant that this processor has and FOCUS_DETR_MSDA_VARIANT, if set, allows.
Variant ChooseVariant() {
#ifdef MSDA_X86
  const char *limit = std::getenv("FOCUS_DETR_MSDA_VARIANT");
  const bool baseline = limit && std::strcmp(limit, "baseline") == 0;
  const bool avx2 = limit && std::strcmp(limit, "avx2") == 0;
  if (HasAvx512() && !baseline && !avx2) return {"avx512", &msda::kAvx512Kernels};
  if (HasAvx2() && !baseline) return {"avx2", &msda::kAvx2Kernels};
#endif
  return {"baseline", &msda::kBaselineKernels};
}

const Variant &ChosenVariant() {
  static const Variant variant = ChooseVariant();
  return variant;
}

int64_t IndexAt(const msda_sizes &sizes, const void *indices, int64_t at) {
  if (sizes.index_type == MSDA_INT32) return static_cast<const int32_t *>(indices)[at];
  return static_cast<const int64_t *>(indices)[at];
}

// Owns what a job points to: the levels as the kernels read them, and work space.
struct Workspace {
  std::vector<float> columns;
  std::vector<float> rows;
  std::vector<int32_t> start;
  std::vector<int32_t> reference_at;
  std::vector<float> scratch;

  int ReadLevels(Job *job, const void *shapes, const void *starts) {
    const msda_sizes &sizes = job->sizes;
    int64_t free = 0;
    for (int64_t level = 0; level < sizes.levels; ++level) {
      const int64_t high = IndexAt(sizes, shapes, 2 * level);
      const int64_t wide = IndexAt(sizes, shapes, 2 * level + 1);
      const int64_t first = IndexAt(sizes, starts, level);
      if (high > msda::kLargestSide || wide > msda::kLargestSide) return MSDA_TOO_LARGE;
      if (high < 1 || wide < 1 || first < free || high * wide > sizes.tokens - first) {
        return MSDA_WRONG_LEVELS;
      }
      free = first + high * wide;
      columns.insert(columns.end(), sizes.points, static_cast<float>(wide));
      rows.insert(rows.end(), sizes.points, static_cast<float>(high));
      start.insert(start.end(), sizes.points, static_cast<int32_t>(first));
      reference_at.insert(reference_at.end(), sizes.points,
                          static_cast<int32_t>(level * sizes.reference_size));
    }
    job->columns = columns.data();
    job->rows = rows.data();
    job->start = start.data();
    job->reference_at = reference_at.data();
    return MSDA_OK;
  }

  void ReserveScratch(Job *job) {
    const int64_t floats = msda::kFloatsPerSample * job->samples + job->sizes.depth;
    job->scratch_stride = (floats + kLine - 1) / kLine * kLine;
    scratch.resize(job->threads * job->scratch_stride);
    job->scratch = scratch.data();
  }
};

int AllThreads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

int Threads(const msda_sizes &sizes, int64_t samples) {
  const int64_t work = sizes.batch * sizes.queries * sizes.heads * samples * sizes.depth;
  return work < kSerialWork ? 1 : AllThreads();
}

Job PlainJob(const msda_sizes &sizes, const float *locations, const float *weights) {
  Job job{};
  job.sizes = sizes;
  job.samples = sizes.levels * sizes.points;
  job.places = locations;
  job.weights = weights;
  job.weight_stride = sizes.heads * job.samples;
  job.place_stride = 2 * job.weight_stride;
  return job;
}

Job FusedJob(const msda_sizes &sizes, const float *references, const float *projected) {
  Job job{};
  job.sizes = sizes;
  job.fused = true;
  job.samples = sizes.levels * sizes.points;
  job.references = references;
  const int64_t entries = sizes.heads * job.samples;
  job.places = projected;
  job.weights = projected + 2 * entries;
  job.place_stride = job.weight_stride = 3 * entries;
  return job;
}

// Memory for each thread's copy of this many rows of a head.
void ReserveTiles(Job *job, int64_t tokens, int64_t row_bytes) {
  static thread_local msda::Buffer tiles;  // kept: fresh pages cost as much as the copying
  const int64_t bytes = tokens * row_bytes;
  job->tile_bytes = (bytes + kLineBytes - 1) / kLineBytes * kLineBytes + msda::kGap;
  job->tiles = tiles.Reserve(job->threads, job->tile_bytes, bytes);
}

// Where there are few heads for the threads, several copy the same one and share its queries.
void PlanForward(Job *job) {
  const msda_sizes &sizes = job->sizes;
  const int64_t heads = std::max<int64_t>(1, sizes.batch * sizes.heads);
  const int64_t slices = (2 * job->threads + heads - 1) / heads;
  const int64_t reads = 4 * sizes.queries * job->samples;
  job->queries_per_task = kQueriesPerTask;
  if (reads < kReadsThatPay * slices * sizes.tokens) return;
  job->queries_per_task = (sizes.queries + slices - 1) / slices;
  ReserveTiles(job, sizes.tokens, sizes.depth * (sizes.value_type == MSDA_FLOAT32 ? 4 : 2));
}

// Tokens of the largest region that a task of the backward pass owns: all of them, or a level and
// the gap behind it.
int64_t LargestRegion(const Job &job) {
  int64_t largest = 0, first = 0;
  for (int64_t part = 1; part <= job.parts; ++part) {
    const bool last = part == job.parts;
    const int64_t end = last ? job.sizes.tokens : job.start[part * job.sizes.points];
    largest = std::max(largest, end - first);
    first = end;
  }
  return largest;
}

// Where there are few heads for the threads, each takes one level of a head.
void PlanBackward(Job *job) {
  const msda_sizes &sizes = job->sizes;
  const int64_t heads = std::max<int64_t>(1, sizes.batch * sizes.heads);
  job->parts = heads < 2 * job->threads ? sizes.levels : 1;
  job->threads = static_cast<int>(std::min<int64_t>(job->threads, heads * job->parts));
  ReserveTiles(job, LargestRegion(*job), 2 * sizes.depth * sizeof(float));
}

int Run(Job job, const void *shapes, const void *starts, bool backward) try {
  Workspace workspace;
  if (const int status = workspace.ReadLevels(&job, shapes, starts)) return status;
  job.threads = Threads(job.sizes, job.samples);
  (backward ? PlanBackward : PlanForward)(&job);
  workspace.ReserveScratch(&job);
  const Kernels &kernels = *ChosenVariant().kernels;
  (backward ? kernels.backward : kernels.forward)(job);
  return MSDA_OK;
} catch (const std::exception &) {  // bad_alloc; of a vector also length_error
  return MSDA_OUT_OF_MEMORY;
}

}  // namespace

int msda_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                 const void *starts, const float *locations, const float *weights, void *output,
                 void *) {
  if (const int status = msda::CheckArguments(*sizes, false)) return status;
  Job job = PlainJob(*sizes, locations, weights);
  job.value = value;
  job.output = output;
  return Run(job, shapes, starts, false);
}

int msda_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                  const void *starts, const float *locations, const float *weights,
                  const void *grad_output, float *grad_value, float *grad_locations,
                  float *grad_weights, void *) {
  if (const int status = msda::CheckArguments(*sizes, false)) return status;
  Job job = PlainJob(*sizes, locations, weights);
  job.value = value;
  job.grad_output = grad_output;
  job.grad_value = grad_value;
  job.grad_places = grad_locations;
  job.grad_weights = grad_weights;
  return Run(job, shapes, starts, true);
}

int msda_fused_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                       const void *starts, const float *references, const float *projected,
                       void *output, void *) {
  if (const int status = msda::CheckArguments(*sizes, true)) return status;
  Job job = FusedJob(*sizes, references, projected);
  job.value = value;
  job.output = output;
  return Run(job, shapes, starts, false);
}

int msda_fused_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                        const void *starts, const float *references, const float *projected,
                        const void *grad_output, float *grad_value, float *grad_references,
                        float *grad_projected, void *) {
  if (const int status = msda::CheckArguments(*sizes, true)) return status;
  Job job = FusedJob(*sizes, references, projected);
  job.value = value;
  job.grad_output = grad_output;
  job.grad_value = grad_value;
  job.grad_references = grad_references;
  job.grad_places = grad_projected;
  job.grad_weights = grad_projected + 2 * sizes->heads * job.samples;
  return Run(job, shapes, starts, true);
}

int msda_interface(void) { return MSDA_INTERFACE; }

const char *msda_variant(void) { return ChosenVariant().name; }
