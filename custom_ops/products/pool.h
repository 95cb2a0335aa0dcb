// The threads that oneDNN computes with: those of OpenMP, as OMP_NUM_THREADS says.
#ifndef FOCUS_DETR_PRODUCTS_POOL_H
#define FOCUS_DETR_PRODUCTS_POOL_H

#include <cstdint>
#include <functional>

namespace products {

int ThreadCount();
int ThreadNumber();  // below ThreadCount, of a thread inside a parallel loop

// Laid out as oneDNN's threadpool_iface; `wait` is called by releases from 3.9 on.
class Pool {
 public:
  virtual int get_num_threads() const;
  virtual bool get_in_parallel() const;
  virtual void parallel_for(int count, const std::function<void(int, int)> &body);
  virtual uint64_t get_flags() const;
  virtual void wait();
  virtual ~Pool() = default;
};

}  // namespace products

#endif
