// Memory that a calling thread keeps from one call to the next.
#ifndef FOCUS_DETR_MSDA_BUFFER_H
#define FOCUS_DETR_MSDA_BUFFER_H

#include <cstdint>
#include <memory>
#include <new>

#ifdef MSDA_WATCHED  // by the address sanitizer, in tests
#include <sanitizer/asan_interface.h>
#endif

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace msda {

constexpr int64_t kPage = int64_t{1} << 21;  // a huge one: rows all over a tile need few of them

#ifdef MSDA_WATCHED
constexpr int64_t kGap = 64;  // behind every piece of a buffer
#else
constexpr int64_t kGap = 0;
#endif

class Buffer {
 public:
  // Memory from a page on for `count` pieces, one every `stride` bytes, of which the first `bytes`
  // may be used; what it held before is lost.
  char *Reserve(int64_t count, int64_t stride, [[maybe_unused]] int64_t bytes) {
    Grow(count * stride);
#ifdef MSDA_WATCHED
    ASAN_POISON_MEMORY_REGION(memory_.get(), bytes_);
    for (int64_t i = 0; i < count; ++i) {
      ASAN_UNPOISON_MEMORY_REGION(memory_.get() + i * stride, bytes);
    }
#endif
    return memory_.get();
  }

 private:
  struct Delete {
    void operator()(char *memory) const { operator delete(memory, std::align_val_t{kPage}); }
  };

  void Grow(int64_t bytes) {
    if (bytes > bytes_) {
      bytes_ = 0;
      memory_.reset();
      const int64_t whole = (bytes + kPage - 1) / kPage * kPage;
      memory_.reset(static_cast<char *>(operator new(whole, std::align_val_t{kPage})));
#ifdef MADV_HUGEPAGE
      madvise(memory_.get(), whole, MADV_HUGEPAGE);  // a wish: the system may refuse
#endif
      bytes_ = whole;
    }
  }

  std::unique_ptr<char, Delete> memory_;
  int64_t bytes_ = 0;
};

}  // namespace msda

#endif
