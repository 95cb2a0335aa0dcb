// Copies of the value and its gradient in which the heads stand one after the other.
//
// In [B, N, M, C] the rows of one head are a power of two apart, so they compete for a few sets of
// the cache, and the framework's tensors do not begin at a line of the cache. Packed as [B, M, N, C]
// from such a line on, rows that are read and written often take less time than the copying costs.
#ifndef FOCUS_DETR_MSDA_PACKING_H
#define FOCUS_DETR_MSDA_PACKING_H

#include <cstdint>
#include <cstring>
#include <memory>

#include "kernels.h"

namespace msda {

constexpr int64_t kReadsThatPay = 16;    // of each row, on average
constexpr int64_t kAlignment = 64;       // bytes of a line of the cache
constexpr int64_t kTokensPerCopy = 256;  // that one thread takes at a time

// Memory from a line of the cache on. It is kept between calls: fresh pages cost as much as copying.
class Buffer {
 public:
  char *Reserve(int64_t bytes) {
    if (bytes > bytes_) {
      bytes_ = 0;
      memory_.reset();
      memory_.reset(new char[bytes + kAlignment]);
      bytes_ = bytes;
    }
    const uintptr_t address = reinterpret_cast<uintptr_t>(memory_.get()) + kAlignment - 1;
    return reinterpret_cast<char *>(address - address % kAlignment);
  }

 private:
  std::unique_ptr<char[]> memory_;
  int64_t bytes_ = 0;
};

inline bool PackingPays(const Job &job) {
  const msda_sizes &sizes = job.sizes;
  const int64_t reads = 4 * sizes.queries * job.samples;
  return job.grad_value && reads >= kReadsThatPay * sizes.tokens;
}

inline Layout UnpackedLayout(const msda_sizes &sizes) {
  const int64_t width = sizes.heads * sizes.depth;
  return {sizes.tokens * width, sizes.depth, width};
}

inline Layout PackedLayout(const msda_sizes &sizes) {
  return {sizes.heads * sizes.tokens * sizes.depth, sizes.tokens * sizes.depth, sizes.depth};
}

// Copies all rows of C elements, `size` bytes each.
inline void CopyRows(const Job &job, const void *source, const Layout &from, void *target,
                     const Layout &to, int64_t size) {
  const msda_sizes &sizes = job.sizes;
  const int64_t blocks = (sizes.tokens + kTokensPerCopy - 1) / kTokensPerCopy;
  const char *rows = static_cast<const char *>(source);
  char *copies = static_cast<char *>(target);
#pragma omp parallel for num_threads(job.threads) schedule(static)
  for (int64_t task = 0; task < sizes.batch * blocks; ++task) {
    const int64_t image = task / blocks, first = task % blocks * kTokensPerCopy;
    const int64_t rest = sizes.tokens - first;
    const int64_t last = first + (rest < kTokensPerCopy ? rest : kTokensPerCopy);
    for (int64_t head = 0; head < sizes.heads; ++head) {
      for (int64_t token = first; token < last; ++token) {
        std::memcpy(copies + to.At(image, head, token) * size,
                    rows + from.At(image, head, token) * size, sizes.depth * size);
      }
    }
  }
}

// Hands a job of the backward pass packed copies of its value and of the gradient that it writes.
class Packing {
 public:
  explicit Packing(Job *job) : job_(job), layout_(job->layout), grad_value_(job->grad_value) {
    const msda_sizes &sizes = job->sizes;
    const int64_t count = sizes.batch * sizes.tokens * sizes.heads * sizes.depth;
    const int64_t size = sizes.value_type == MSDA_FLOAT32 ? 4 : 2;
    static thread_local Buffer values, gradients;
    char *value = values.Reserve(count * size);
    char *gradient = gradients.Reserve(count * sizeof(float));
    job->layout = PackedLayout(sizes);
    CopyRows(*job, job->value, layout_, value, job->layout, size);
    job->value = value;
    job->grad_value = reinterpret_cast<float *>(gradient);
  }

  // Call it when the job is done.
  void Unpack() {
    CopyRows(*job_, job_->grad_value, job_->layout, grad_value_, layout_, sizeof(float));
  }

 private:
  Job *job_;
  Layout layout_;      // of the caller's tensors
  float *grad_value_;  // the caller's
};

}  // namespace msda

#endif
