// Rows of cells that lie in a map where they will, as small dense matrices and back.
//
// In an unnamed namespace, as each instruction set needs a copy of its own.
#ifndef FOCUS_DETR_PRODUCTS_CELL_ROWS_H
#define FOCUS_DETR_PRODUCTS_CELL_ROWS_H

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "loops.h"

namespace products {

namespace {

constexpr int kCorner = 4;  // cells and channels that are turned at once
typedef float Four __attribute__((vector_size(kCorner * sizeof(float))));
typedef int32_t Order __attribute__((vector_size(kCorner * sizeof(int32_t))));

#if defined(__clang__)
#define MIX(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define MIX(a, b, i, j, k, l) __builtin_shuffle(a, b, Order{i, j, k, l})
#endif

void GatherRows(const CellRows &c, const float *tensor, const float *outside, float factor,
                float *matrix) {
  for (int64_t cell = 0; cell < c.cells; ++cell, matrix += c.stride) {
    const int64_t place = c.places[cell];
    const float *row = place < 0 ? outside : tensor + place * c.width;
    if (row) {
      row += c.offset;
      int64_t i = 0;
      for (; i + kPiece <= c.depth; i += kPiece) {
#pragma omp simd
        for (int64_t j = 0; j < kPiece; ++j) matrix[i + j] = factor * row[i + j];
      }
      for (; i < c.depth; ++i) matrix[i] = factor * row[i];
    }
    const int64_t filled = row ? c.depth : 0;
    if (filled < c.stride) std::fill(matrix + filled, matrix + c.stride, 0.0f);
  }
}

void ScatterRows(const CellRows &c, const float *matrix, float factor, float *tensor,
                 float *beyond) {
  for (int64_t cell = 0; cell < c.cells; ++cell, matrix += c.stride) {
    const int64_t place = c.places[cell];
    if (place >= 0) {
      float *row = tensor + place * c.width + c.offset;
      int64_t i = 0;
      for (; i + kPiece <= c.depth; i += kPiece) {
#pragma omp simd
        for (int64_t j = 0; j < kPiece; ++j) row[i + j] = factor * matrix[i + j];
      }
      for (; i < c.depth; ++i) row[i] = factor * matrix[i];
    } else if (beyond) {
      for (int64_t i = 0; i < c.depth; ++i) beyond[i] += factor * matrix[i];
    }
  }
}

// The corner [4, 4] of both matrices.
inline void TurnCorner(const float *matrix, int64_t channels, float *turned, int64_t stride) {
  Four rows[kCorner];
#pragma GCC unroll 4
  for (int i = 0; i < kCorner; ++i) std::memcpy(&rows[i], matrix + i * channels, sizeof(Four));
  const Four low02 = MIX(rows[0], rows[2], 0, 4, 1, 5), low13 = MIX(rows[1], rows[3], 0, 4, 1, 5);
  const Four high02 = MIX(rows[0], rows[2], 2, 6, 3, 7);
  const Four high13 = MIX(rows[1], rows[3], 2, 6, 3, 7);
  const Four columns[kCorner] = {MIX(low02, low13, 0, 4, 1, 5), MIX(low02, low13, 2, 6, 3, 7),
                                 MIX(high02, high13, 0, 4, 1, 5),
                                 MIX(high02, high13, 2, 6, 3, 7)};
#pragma GCC unroll 4
  for (int i = 0; i < kCorner; ++i) std::memcpy(turned + i * stride, &columns[i], sizeof(Four));
}

#undef MIX

void Turn(int64_t rows, int64_t channels, const float *matrix, int64_t stride, float *turned) {
  const int64_t whole = rows / kCorner * kCorner;
  for (int64_t i = 0; i < channels; i += kCorner) {  // a multiple of it, as lanes are
    float *target = turned + i * stride;
    for (int64_t row = 0; row < whole; row += kCorner) {
      TurnCorner(matrix + row * channels + i, channels, target + row, stride);
    }
    for (int j = 0; j < kCorner; ++j) {
      for (int64_t row = whole; row < rows; ++row) {
        target[j * stride + row] = matrix[row * channels + i + j];
      }
      std::fill(target + j * stride + rows, target + (j + 1) * stride, 0.0f);
    }
  }
}

void MaskBias(int64_t cells, int64_t stride, const float *bias, const float *regions, float own,
              float apart, float *target) {
#pragma omp simd
  for (int64_t i = 0; i < cells; ++i) target[i] = bias[i] + (regions[i] == own ? 0.0f : apart);
  std::copy(bias + cells, bias + stride, target + cells);
}

}  // namespace

}  // namespace products

#endif
