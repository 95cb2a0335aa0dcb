// Sharing rows among threads, in blocks that do not depend on their number: so no sum does.
#ifndef FOCUS_DETR_PRODUCTS_ROWS_H
#define FOCUS_DETR_PRODUCTS_ROWS_H

#include <algorithm>
#include <cstdint>

#include "loops.h"
#include "primitives.h"

namespace products {

constexpr int64_t kRowsOfBlock = 64;
constexpr int64_t kWorth = 1 << 14;  // numbers for which threads are woken

inline int64_t Blocks(int64_t rows) { return (rows + kRowsOfBlock - 1) / kRowsOfBlock; }

// body(first row, how many, number of the block)
template <typename Body>
void ForBlocks(int64_t rows, int64_t channels, const Body &body) {
#pragma omp parallel for schedule(static) if (rows * channels > kWorth)
  for (int64_t block = 0; block < Blocks(rows); ++block) {
    const int64_t first = block * kRowsOfBlock;
    body(first, std::min(kRowsOfBlock, rows - first), block);
  }
}

// body(first, how many) of `count` numbers
template <typename Body>
void ForPieces(int64_t count, const Body &body) {
  constexpr int64_t kNumbers = 1 << 12;
#pragma omp parallel for schedule(static) if (count > kWorth)
  for (int64_t first = 0; first < count; first += kNumbers) {
    body(first, std::min(kNumbers, count - first));
  }
}

// sums [width] over all rows: body(first row, how many, sums to add to)
template <typename Body>
void SumBlocks(int64_t rows, int64_t width, float *sums, const Body &body) {
  const auto bytes = static_cast<uint64_t>(Blocks(rows)) * width * sizeof(float);
  float *partial = static_cast<float *>(Scratch(kPartialSums, bytes));
  ForBlocks(rows, width, [&](int64_t first, int64_t count, int64_t block) {
    float *own = partial + block * width;
    std::fill_n(own, width, 0.0f);
    body(first, count, own);
  });
  std::fill_n(sums, width, 0.0f);
  Choose().add_rows(Blocks(rows), width, partial, sums);
}

// 0 in the rows [R,C] whose `valid` [R] is 0; nothing where that is null.
inline void ClearInvalid(int64_t rows, int64_t channels, const float *valid, float *target) {
  if (!valid) return;
  ForBlocks(rows, channels, [&](int64_t first, int64_t count, int64_t) {
    for (int64_t row = first; row < first + count; ++row) {
      if (valid[row] == 0.0f) std::fill_n(target + row * channels, channels, 0.0f);
    }
  });
}

}  // namespace products

#endif
