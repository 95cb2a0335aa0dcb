// The C interface on a GPU: checks the arguments and puts the kernels into the caller's stream.
//
// Nothing is allocated and nothing waits. Shapes and starts lie on the device, so levels that do
// not fit cannot be reported: they turn output and gradients of places and weights into NaN.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <initializer_list>
#include <limits>

#include "checks.h"
#include "cuda_backward.cuh"
#include "cuda_forward.cuh"
#include "cuda_job.h"
#include "msda.h"

namespace msda_cuda {
namespace {

constexpr int kVectorBytes = 16;
constexpr int kAtomicWidth = 4;           // float32 gradients of a vector
constexpr int kSharedBytes = 48 * 1024;   // what every device gives a block
constexpr int kVectorAtomicsMajor = 9;    // first compute capability with vector atomics

// A kernel and how many lanes its teams have.
struct Plan {
  void (*kernel)(Job);
  int lanes;
};

bool ProductIsInt(std::initializer_list<int64_t> sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    if (size != 0 && product > std::numeric_limits<int>::max() / size) return false;
    product *= size;
  }
  return true;
}

// Blocks of a team kernel are at most images * heads * queries, those of the last kernel fewer.
int CheckSizes(const msda_sizes &s, bool fused) {
  if (const int status = msda::CheckArguments(s, fused)) return status;
  const int64_t level_bytes = kSharedBytes - kRecordBytes;
  const bool small = ProductIsInt({s.heads, s.depth}) &&
                     ProductIsInt({3, s.heads, s.levels, s.points}) &&
                     ProductIsInt({s.batch, s.heads, s.queries}) &&
                     ProductIsInt({s.batch, s.levels, s.queries}) &&
                     s.levels <= level_bytes / static_cast<int64_t>(sizeof(Level));
  return small ? MSDA_OK : MSDA_TOO_LARGE;
}

Job CommonJob(const msda_sizes &sizes, const void *value, const void *shapes, const void *starts) {
  Job job{};
  job.tokens = sizes.tokens;
  job.images = static_cast<int>(sizes.batch);
  job.heads = static_cast<int>(sizes.heads);
  job.depth = static_cast<int>(sizes.depth);
  job.queries = static_cast<int>(sizes.queries);
  job.levels = static_cast<int>(sizes.levels);
  job.points = static_cast<int>(sizes.points);
  job.samples = job.levels * job.points;
  job.reference_size = sizes.reference_size;
  job.wide_indices = sizes.index_type == MSDA_INT64;
  job.token_stride = job.heads * job.depth;
  job.value = value;
  job.shapes = shapes;
  job.starts = starts;
  return job;
}

Job PlainJob(const msda_sizes &sizes, const void *value, const void *shapes, const void *starts,
             const float *locations, const float *weights) {
  Job job = CommonJob(sizes, value, shapes, starts);
  job.places = locations;
  job.weights = weights;
  job.weight_stride = job.heads * job.samples;
  job.place_stride = 2 * job.weight_stride;
  return job;
}

Job FusedJob(const msda_sizes &sizes, const void *value, const void *shapes, const void *starts,
             const float *references, const float *projected) {
  Job job = CommonJob(sizes, value, shapes, starts);
  const int entries = job.heads * job.samples;
  job.references = references;
  job.places = projected;
  job.weights = projected + 2 * entries;
  job.place_stride = job.weight_stride = 3 * entries;
  return job;
}

// Whether heads consist of vectors of `width` numbers that lie where a vector may.
bool IsVector(const Job &job, int width, std::initializer_list<const void *> tensors) {
  if (job.depth % width != 0) return false;
  for (const void *tensor : tensors) {
    if (reinterpret_cast<uintptr_t>(tensor) % kVectorBytes != 0) return false;
  }
  return true;
}

bool HasVectorAtomics() {
  int device = 0, major = 0;
  return MSDA_VECTOR_ATOMICS && cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         major >= kVectorAtomicsMajor;
}

template <typename T, bool FUSED>
Plan PlanForward(const Job &job) {
  constexpr int kWidth = kVectorBytes / sizeof(T);
  if (!IsVector(job, kWidth, {job.value, job.output})) return {Forward<T, FUSED, 32, 1>, 32};
  if (job.depth <= 4 * kWidth) return {Forward<T, FUSED, 4, kWidth>, 4};
  return {Forward<T, FUSED, 8, kWidth>, 8};
}

template <typename T, bool FUSED>
Plan PlanBackward(const Job &job) {
  const bool vectors = IsVector(job, kAtomicWidth, {job.value, job.grad_output, job.grad_value});
  if (!vectors || !HasVectorAtomics()) return {Backward<T, FUSED, 32, 1>, 32};
  if (job.depth <= 4 * kAtomicWidth) return {Backward<T, FUSED, 4, kAtomicWidth>, 4};
  return {Backward<T, FUSED, 8, kAtomicWidth>, 8};
}

template <bool FUSED>
Plan PlanForwardOfType(const Job &job, int value_type) {
  if (value_type == MSDA_FLOAT32) return PlanForward<float, FUSED>(job);
  if (value_type == MSDA_FLOAT16) return PlanForward<__half, FUSED>(job);
  return PlanForward<__nv_bfloat16, FUSED>(job);
}

template <bool FUSED>
Plan PlanBackwardOfType(const Job &job, int value_type) {
  if (value_type == MSDA_FLOAT32) return PlanBackward<float, FUSED>(job);
  if (value_type == MSDA_FLOAT16) return PlanBackward<__half, FUSED>(job);
  return PlanBackward<__nv_bfloat16, FUSED>(job);
}

// The error is taken back, so that the caller's next call does not report it as its own.
int Status(cudaError_t error) {
  if (error == cudaSuccess) return MSDA_OK;
  cudaGetLastError();
  return MSDA_DEVICE_ERROR;
}

int Launch(void (*kernel)(Job), Job job, int64_t blocks, void *stream) {
  void *arguments[] = {&job};
  const size_t shared = kRecordBytes + job.levels * sizeof(Level);
  return Status(cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                                 arguments, shared, static_cast<cudaStream_t>(stream)));
}

int LaunchTeams(const Plan &plan, const Job &job, void *stream) {
  const int64_t queries = kThreads / plan.lanes;  // of a block
  const int64_t slices = (job.queries + queries - 1) / queries;
  const int64_t blocks = slices * job.heads * job.images;
  return blocks == 0 ? MSDA_OK : Launch(plan.kernel, job, blocks, stream);
}

int ClearGradValue(const Job &job, void *stream) {
  const size_t numbers = static_cast<size_t>(job.images) * job.tokens * job.token_stride;
  if (numbers == 0) return MSDA_OK;
  return Status(cudaMemsetAsync(job.grad_value, 0, numbers * sizeof(float),
                                static_cast<cudaStream_t>(stream)));
}

int RunBackward(const Plan &plan, const Job &job, void *stream) {
  if (const int status = ClearGradValue(job, stream)) return status;
  return LaunchTeams(plan, job, stream);
}

int LaunchFinish(const Job &job, void *stream) {
  const int64_t threads = int64_t{job.images} * job.queries * job.levels * 2;
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  return blocks == 0 ? MSDA_OK : Launch(FinishReferences, job, blocks, stream);
}

}  // namespace
}  // namespace msda_cuda

using msda_cuda::Job;

int msda_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                 const void *starts, const float *locations, const float *weights, void *output,
                 void *stream) {
  if (const int status = msda_cuda::CheckSizes(*sizes, false)) return status;
  Job job = msda_cuda::PlainJob(*sizes, value, shapes, starts, locations, weights);
  job.output = output;
  const auto plan = msda_cuda::PlanForwardOfType<false>(job, sizes->value_type);
  return msda_cuda::LaunchTeams(plan, job, stream);
}

int msda_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                  const void *starts, const float *locations, const float *weights,
                  const void *grad_output, float *grad_value, float *grad_locations,
                  float *grad_weights, void *stream) {
  if (const int status = msda_cuda::CheckSizes(*sizes, false)) return status;
  Job job = msda_cuda::PlainJob(*sizes, value, shapes, starts, locations, weights);
  job.grad_output = grad_output;
  job.grad_value = grad_value;
  job.grad_places = grad_locations;
  job.grad_weights = grad_weights;
  const auto plan = msda_cuda::PlanBackwardOfType<false>(job, sizes->value_type);
  return msda_cuda::RunBackward(plan, job, stream);
}

int msda_fused_forward(const msda_sizes *sizes, const void *value, const void *shapes,
                       const void *starts, const float *references, const float *projected,
                       void *output, void *stream) {
  if (const int status = msda_cuda::CheckSizes(*sizes, true)) return status;
  Job job = msda_cuda::FusedJob(*sizes, value, shapes, starts, references, projected);
  job.output = output;
  const auto plan = msda_cuda::PlanForwardOfType<true>(job, sizes->value_type);
  return msda_cuda::LaunchTeams(plan, job, stream);
}

int msda_fused_backward(const msda_sizes *sizes, const void *value, const void *shapes,
                        const void *starts, const float *references, const float *projected,
                        const void *grad_output, float *grad_value, float *grad_references,
                        float *grad_projected, void *stream) {
  if (const int status = msda_cuda::CheckSizes(*sizes, true)) return status;
  Job job = msda_cuda::FusedJob(*sizes, value, shapes, starts, references, projected);
  job.grad_output = grad_output;
  job.grad_value = grad_value;
  job.grad_references = grad_references;
  job.grad_places = grad_projected;
  job.grad_weights = grad_projected + 2 * job.heads * job.samples;
  const auto plan = msda_cuda::PlanBackwardOfType<true>(job, sizes->value_type);
  if (const int status = msda_cuda::RunBackward(plan, job, stream)) return status;
  return msda_cuda::LaunchFinish(job, stream);
}

int msda_interface(void) { return MSDA_INTERFACE; }

const char *msda_variant(void) { return "cuda"; }
