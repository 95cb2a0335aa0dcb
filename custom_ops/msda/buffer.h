// Memory that a calling thread keeps from one call to the next.
#ifndef FOCUS_DETR_MSDA_BUFFER_H
#define FOCUS_DETR_MSDA_BUFFER_H

#include <cstdint>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace msda {

constexpr int64_t kPage = int64_t{1} << 21;  // a huge one: rows all over a tile need few of them

class Buffer {
 public:
  // At least this many bytes, from a page on; what they held before is lost.
  char *Reserve(int64_t bytes) {
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
    return memory_.get();
  }

 private:
  struct Delete {
    void operator()(char *memory) const { operator delete(memory, std::align_val_t{kPage}); }
  };

  std::unique_ptr<char, Delete> memory_;
  int64_t bytes_ = 0;
};

}  // namespace msda

#endif
