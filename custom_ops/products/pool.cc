#include "pool.h"

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>
#endif

namespace products {

#ifdef _OPENMP
namespace {

// A forked process has no other threads, but GNU's OpenMP would wait for them: it goes on with one.
const int alone_after_fork = pthread_atfork(nullptr, nullptr, [] { omp_set_num_threads(1); });

}  // namespace

int ThreadCount() { return omp_in_parallel() ? 1 : omp_get_max_threads(); }

int ThreadNumber() { return omp_get_thread_num(); }

bool Pool::get_in_parallel() const { return omp_in_parallel(); }
#else
int ThreadCount() { return 1; }

int ThreadNumber() { return 0; }

bool Pool::get_in_parallel() const { return false; }
#endif

int Pool::get_num_threads() const { return ThreadCount(); }

void Pool::parallel_for(int count, const std::function<void(int, int)> &body) {
#pragma omp parallel for schedule(static, 1)
  for (int i = 0; i < count; ++i) body(i, count);
}

uint64_t Pool::get_flags() const { return 0; }

void Pool::wait() {}

}  // namespace products
