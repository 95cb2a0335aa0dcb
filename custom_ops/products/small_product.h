// The product of two matrices that lie in the cache, in registers of one instruction set.
//
// In an unnamed namespace, as each instruction set needs a copy of its own.
#ifndef FOCUS_DETR_PRODUCTS_SMALL_PRODUCT_H
#define FOCUS_DETR_PRODUCTS_SMALL_PRODUCT_H

#include <cstdint>
#include <cstring>

#include "loops.h"

namespace products {

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
constexpr int kVectors = 2, kRows = 6;  // as many sums as 16 registers hold beside the operands
static_assert(kPiece % kLanes == 0, "no vector is longer than a piece");

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

template <int ROWS, int VECTORS>
inline __attribute__((always_inline)) void Tile(const SmallProduct &p, int64_t row,
                                                int64_t column) {
  const float *left = p.left + row * p.left_row_stride;
  const float *right = p.right + column;
  Vector sums[ROWS][VECTORS] = {};
  for (int64_t i = 0; i < p.inner; ++i, left += p.left_inner_stride, right += p.right_stride) {
    Vector factors[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      std::memcpy(&factors[v], right + v * kLanes, sizeof(Vector));
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
      const float factor = left[r * p.left_row_stride];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sums[r][v] += factor * factors[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; ++r) {
    float *target = p.target + (row + r) * p.target_stride + column;
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      std::memcpy(target + v * kLanes, &sums[r][v], sizeof(Vector));
    }
  }
}

template <int ROWS>
void Strip(const SmallProduct &p, int64_t row) {
  int64_t column = 0;
  for (; column + kVectors * kLanes <= p.columns; column += kVectors * kLanes) {
    Tile<ROWS, kVectors>(p, row, column);
  }
  for (; column < p.columns; column += kLanes) Tile<ROWS, 1>(p, row, column);
}

void Multiply(const SmallProduct &p) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) Strip<kRows>(p, row);
  switch (p.rows - row) {
    case 1:
      return Strip<1>(p, row);
    case 2:
      return Strip<2>(p, row);
    case 3:
      return Strip<3>(p, row);
    case 4:
      return Strip<4>(p, row);
    case 5:
      return Strip<5>(p, row);
    default:
      return;
  }
}

}  // namespace

}  // namespace products

#endif
