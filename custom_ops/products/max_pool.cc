// The largest of each window of a map.
#include <algorithm>
#include <limits>

#include "rows.h"

using namespace products;

namespace {

struct Window {
  int64_t first, end;
};

// Cells under the window of target cell `at`, inside 0..cells.
Window Under(const products_map &map, int64_t at, int64_t before, int64_t cells) {
  const int64_t first = at * map.stride - before;
  return {std::max<int64_t>(first, 0), std::min(first + map.kernel, cells)};
}

// For each row of the target: body(image, row, window of rows).
template <typename Body>
void ForRows(const products_map &map, const Body &body) {
  const int64_t rows = products_cells(map.rows, map.kernel, map.stride, map.top, map.bottom);
#pragma omp parallel for schedule(static)
  for (int64_t at = 0; at < map.batch * rows; ++at) {
    body(at / rows, at % rows, Under(map, at % rows, map.top, map.rows));
  }
}

}  // namespace

int products_max_pool(const products_map *pointer, const float *source, float *target) {
  const products_map &map = *pointer;
  const int64_t channels = map.inputs;
  const int64_t columns =
      products_cells(map.columns, map.kernel, map.stride, map.left, map.right);
  const int64_t rows = products_cells(map.rows, map.kernel, map.stride, map.top, map.bottom);
  ForRows(map, [&](int64_t image, int64_t row, Window vertical) {
    for (int64_t column = 0; column < columns; ++column) {
      float *to = target + ((image * rows + row) * columns + column) * channels;
      std::fill_n(to, channels, -std::numeric_limits<float>::infinity());
      const Window across = Under(map, column, map.left, map.columns);
      for (int64_t y = vertical.first; y < vertical.end; ++y) {
        for (int64_t x = across.first; x < across.end; ++x) {
          const int64_t cell = (image * map.rows + y) * map.columns + x;
          Choose().take_larger(channels, source + cell * channels, to);
        }
      }
    }
  });
  return PRODUCTS_OK;
}

int products_max_pool_grad(const products_map *pointer, const float *source, const float *target,
                           const float *grad, float *grad_source) {
  const products_map &map = *pointer;
  const int64_t channels = map.inputs, size = map.rows * map.columns * channels;
  const int64_t columns =
      products_cells(map.columns, map.kernel, map.stride, map.left, map.right);
  const int64_t rows = products_cells(map.rows, map.kernel, map.stride, map.top, map.bottom);
  std::fill_n(grad_source, map.batch * size, 0.0f);
  // windows overlap, so threads share channels, not rows
#pragma omp parallel for schedule(static)
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t at = 0; at < map.batch * rows * columns; ++at) {
      const int64_t image = at / (rows * columns), row = at / columns % rows;
      const Window vertical = Under(map, row, map.top, map.rows);
      const Window across = Under(map, at % columns, map.left, map.columns);
      const float largest = target[at * channels + channel];
      const auto give = [&] {  // the first that is the largest gets all
        for (int64_t y = vertical.first; y < vertical.end; ++y) {
          for (int64_t x = across.first; x < across.end; ++x) {
            const int64_t from = image * size + (y * map.columns + x) * channels + channel;
            if (source[from] != largest) continue;
            grad_source[from] += grad[at * channels + channel];
            return;
          }
        }
      };
      give();
    }
  }
  return PRODUCTS_OK;
}
