// Attention inside the windows of Swin Transformer: windows are read from the map where they lie.
//
// A window of one head is small enough for the cache, so threads share windows and heads. What sums
// over windows is summed in blocks of them, which do not depend on the number of threads.
#include <cmath>
#include <cstring>
#include <vector>

#include "pool.h"
#include "rows.h"

namespace {

using namespace products;

constexpr int64_t kWindowsOfBlock = 32;
constexpr float kApart = -100.0f;  // added to a logit of cells that do not lie together
constexpr float kNever = -1e30f;   // the bias of columns that only fill a vector

int64_t RoundUp(int64_t number, int64_t unit) { return (number + unit - 1) / unit * unit; }

// Sizes of a problem.
struct Plan {
  explicit Plan(const products_windows &w)
      : map(w),
        width(w.heads * w.depth),
        padded_rows(RoundUp(w.rows, w.window)),
        padded_columns(RoundUp(w.columns, w.window)),
        across(padded_columns / w.window),
        windows(w.batch * (padded_rows / w.window) * across),
        blocks((windows + kWindowsOfBlock - 1) / kWindowsOfBlock),
        cells(w.window * w.window),
        stride(RoundUp(cells, Choose().lanes)),
        depth(RoundUp(w.depth, Choose().lanes)),
        scale(1.0f / std::sqrt(static_cast<float>(w.depth))) {}

  products_windows map;
  int64_t width, padded_rows, padded_columns, across, windows, blocks;
  int64_t cells, stride, depth;  // of a window; rounded up to whole vectors
  float scale;
};

// Where the cells of one window lie.
struct Window {
  Window(const Plan &plan, int64_t index, const float *extents)
      : places(plan.cells), regions(plan.cells) {
    const products_windows &m = plan.map;
    const int64_t of_image = plan.windows / m.batch, image = index / of_image;
    const int64_t first_row = index % of_image / plan.across * m.window;
    const int64_t first_column = index % of_image % plan.across * m.window;
    const auto rows = static_cast<int64_t>(extents[2 * image]);
    const auto columns = static_cast<int64_t>(extents[2 * image + 1]);
    const int64_t last_row = RoundUp(rows, m.window), last_column = RoundUp(columns, m.window);
    for (int64_t cell = 0; cell < plan.cells; ++cell) {
      const int64_t row = (first_row + cell / m.window + m.shift) % plan.padded_rows;
      const int64_t column = (first_column + cell % m.window + m.shift) % plan.padded_columns;
      const bool inside = row < rows && column < columns;
      places[cell] = inside ? (image * m.rows + row) * m.columns + column : -1;
      real += inside;
      regions[cell] = 3 * Region(row, m.shift, last_row) + Region(column, m.shift, last_column);
      one_region = one_region && regions[cell] == regions[0];
    }
  }

  // Along one axis: cells that the shift brings round, those of the image, those beyond it.
  static float Region(int64_t at, int64_t shift, int64_t end) {
    return at < shift ? 0.0f : at < end ? 1.0f : 2.0f;
  }

  std::vector<int64_t> places;  // in the batch's maps; -1: outside of the image
  std::vector<float> regions;
  int64_t real = 0;
  bool one_region = true;
};

// A thread's matrices of one window and head, filled up with zeros to whole vectors.
struct Space {
  Space(const Plan &plan, float *memory) {
    float **small[] = {&query, &key, &value, &grad, &grad_small};
    for (float **matrix : small) {
      *matrix = memory;
      memory += plan.cells * plan.depth;
    }
    float **turned[] = {&key_turned, &value_turned};
    for (float **matrix : turned) {
      *matrix = memory;
      memory += plan.depth * plan.stride;
    }
    float **large[] = {&probabilities, &grads};
    for (float **matrix : large) {
      *matrix = memory;
      memory += plan.cells * plan.stride;
    }
    bias = memory;
  }

  static int64_t Size(const Plan &plan) {
    const int64_t small = 5 * plan.cells * plan.depth, turned = 2 * plan.depth * plan.stride;
    return RoundUp(small + turned + (2 * plan.cells + 1) * plan.stride, kPiece);
  }

  float *query, *key, *value, *grad, *grad_small;  // [cells, depth]
  float *key_turned, *value_turned;                // [depth, stride]
  float *probabilities, *grads;                    // [cells, stride]
  float *bias;                                     // [stride], of one row
};

Space OfThread(const Plan &plan, float *memory) {
  return {plan, memory + ThreadNumber() * Space::Size(plan)};
}

// One head of one window.
struct Job {
  enum Part : int64_t { kQuery, kKey, kValue };  // of a row of qkv

  const Plan &plan;
  const Window &window;
  const Space &space;
  const float *qkv, *outside;
  const float *bias;  // [cells, stride] of the head
  int64_t head;

  // The probabilities of all queries, and query, key and value on the way.
  void Attend() const {
    const Loops &loops = Choose();
    Gather(kQuery, plan.scale, space.query);
    Gather(kKey, 1.0f, space.key);
    Gather(kValue, 1.0f, space.value);
    Turn(space.key, space.key_turned);
    Multiply(space.query, plan.depth, 1, plan.depth, space.key_turned, plan.stride,
             space.probabilities);
    if (window.one_region) {
      loops.softmax(plan.cells, plan.stride, 1.0f, bias, plan.stride, space.probabilities);
      return;
    }
    for (int64_t cell = 0; cell < plan.cells; ++cell) {
      loops.mask_bias(plan.cells, plan.stride, bias + cell * plan.stride, window.regions.data(),
                      window.regions[cell], kApart, space.bias);
      loops.softmax(1, plan.stride, 1.0f, space.bias, 0,
                    space.probabilities + cell * plan.stride);
    }
  }

  void Forward(float *target) const {
    Attend();
    float *attended = space.query;  // the queries have done their work
    Multiply(space.probabilities, plan.stride, 1, plan.cells, space.value, plan.depth, attended);
    Choose().scatter_rows(Rows(plan.width, 0), attended, 1.0f, target, nullptr);
  }

  // Adds to grad_bias [cells, stride] and grad_outside [3, depth].
  void Backward(const float *grad, float *grad_qkv, float *grad_bias, float *grad_outside) const {
    const Loops &loops = Choose();
    Attend();
    loops.gather_rows(Rows(plan.width, 0), grad, nullptr, 1.0f, space.grad);
    Multiply(space.probabilities, 1, plan.stride, plan.cells, space.grad, plan.depth,
             space.grad_small);
    Scatter(kValue, 1.0f, grad_qkv, grad_outside);
    Turn(space.value, space.value_turned);
    Multiply(space.grad, plan.depth, 1, plan.depth, space.value_turned, plan.stride, space.grads);
    loops.softmax_grad(plan.cells, plan.stride, 1.0f, space.probabilities, space.grads);
    loops.scaled_sum(plan.cells * plan.stride, 1.0f, grad_bias, space.grads, grad_bias);
    Multiply(space.grads, plan.stride, 1, plan.cells, space.key, plan.depth, space.grad_small);
    Scatter(kQuery, plan.scale, grad_qkv, grad_outside);
    Multiply(space.grads, 1, plan.stride, plan.cells, space.query, plan.depth, space.grad_small);
    Scatter(kKey, 1.0f, grad_qkv, grad_outside);
  }

 private:
  // target [cells, right_stride] = left [cells, inner] * right [inner, right_stride]
  void Multiply(const float *left, int64_t row_stride, int64_t inner_stride, int64_t inner,
                const float *right, int64_t right_stride, float *target) const {
    Choose().multiply({plan.cells, inner, right_stride, left, row_stride, inner_stride, right,
                       right_stride, target, right_stride});
  }

  // The head's channels in rows of `width` numbers, in the part that begins behind `before`.
  CellRows Rows(int64_t width, int64_t before) const {
    const int64_t depth = plan.map.depth;
    return {plan.cells, window.places.data(), width, before + head * depth, depth, plan.depth};
  }

  void Gather(Part part, float factor, float *matrix) const {
    Choose().gather_rows(Rows(3 * plan.width, part * plan.width), qkv, outside, factor, matrix);
  }

  // Writes rows of the image's cells and adds those of the others to grad_outside [3, depth].
  void Scatter(Part part, float factor, float *grad_qkv, float *grad_outside) const {
    Choose().scatter_rows(Rows(3 * plan.width, part * plan.width), space.grad_small, factor,
                          grad_qkv, grad_outside + part * plan.map.depth);
  }

  void Turn(const float *matrix, float *turned) const {
    Choose().turn(plan.cells, plan.depth, matrix, plan.stride, turned);
  }
};

// The row of the table for a query and a key of a window.
int64_t Distance(const Plan &plan, int64_t query, int64_t key) {
  const int64_t side = plan.map.window, span = 2 * side - 1;
  const int64_t down = query / side - key / side, right = query % side - key % side;
  return (down + side - 1) * span + right + side - 1;
}

// The table as matrices [M, cells, stride].
const float *SpreadTable(const Plan &plan, const float *table) {
  const int64_t matrix = plan.cells * plan.stride, heads = plan.map.heads;
  auto *bias = static_cast<float *>(Scratch(kWindowBias, heads * matrix * sizeof(float)));
  for (int64_t query = 0; query < plan.cells; ++query) {
    for (int64_t key = 0; key < plan.stride; ++key) {
      const float *row = key < plan.cells ? table + Distance(plan, query, key) * heads : nullptr;
      for (int64_t head = 0; head < heads; ++head) {
        bias[head * matrix + query * plan.stride + key] = row ? row[head] : kNever;
      }
    }
  }
  return bias;
}

float *Spaces(const Plan &plan) {
  const int64_t bytes = ThreadCount() * Space::Size(plan) * sizeof(float);
  return static_cast<float *>(Scratch(kWindowSpace, bytes));
}

std::vector<Window> Places(const Plan &plan, const float *extents) {
  std::vector<Window> windows;
  windows.reserve(plan.windows);
  for (int64_t index = 0; index < plan.windows; ++index) windows.emplace_back(plan, index, extents);
  return windows;
}

// body(window, head, block of windows) for windows with cells of their image.
template <typename Body>
void ForWindows(const Plan &plan, const std::vector<Window> &windows, const Body &body) {
  const int64_t heads = plan.map.heads;
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t item = 0; item < plan.blocks * heads; ++item) {
    const int64_t block = item / heads, first = block * kWindowsOfBlock;
    const int64_t end = std::min(first + kWindowsOfBlock, plan.windows);
    for (int64_t index = first; index < end; ++index) {
      if (windows[index].real > 0) body(windows[index], item % heads, block);
    }
  }
}

// What the windows of one block and head give to gradients that all windows share.
class Partial {
 public:
  explicit Partial(const Plan &plan)
      : plan_(plan),
        size_(plan.cells * plan.stride + 3 * plan.map.depth),
        sums_(plan.blocks * plan.map.heads * size_) {}

  float *bias(int64_t block, int64_t head) {
    return sums_.data() + (block * plan_.map.heads + head) * size_;
  }
  float *outside(int64_t block, int64_t head) {
    return bias(block, head) + plan_.cells * plan_.stride;
  }

  void Add(float *grad_outside, float *grad_table) {
    const int64_t heads = plan_.map.heads, depth = plan_.map.depth;
    const int64_t span = 2 * plan_.map.window - 1;
    std::fill_n(grad_outside, 3 * plan_.width, 0.0f);
    std::fill_n(grad_table, span * span * heads, 0.0f);
    if (plan_.blocks == 0) return;
    for (int64_t head = 0; head < heads; ++head) {
      float *sums = bias(0, head);
      for (int64_t block = 1; block < plan_.blocks; ++block) {
        Choose().scaled_sum(size_, 1.0f, sums, bias(block, head), sums);
      }
      for (int64_t query = 0; query < plan_.cells; ++query) {
        for (int64_t key = 0; key < plan_.cells; ++key) {
          const int64_t row = Distance(plan_, query, key);
          grad_table[row * heads + head] += sums[query * plan_.stride + key];
        }
      }
      for (int64_t part = 0; part < 3; ++part) {
        const float *from = outside(0, head) + part * depth;
        std::copy_n(from, depth, grad_outside + part * plan_.width + head * depth);
      }
    }
  }

 private:
  const Plan &plan_;
  int64_t size_;
  std::vector<float> sums_;
};

// Cells that no image has keep 0.
void ClearOutside(const Plan &plan, const float *extents, int64_t width, float *tensor) {
  const products_windows &m = plan.map;
  bool covered = true;
  for (int64_t image = 0; image < m.batch; ++image) {
    covered = covered && extents[2 * image] >= m.rows && extents[2 * image + 1] >= m.columns;
  }
  if (!covered) std::fill_n(tensor, m.batch * m.rows * m.columns * width, 0.0f);
}

}  // namespace

int products_window_attention(const products_windows *windows, const float *qkv,
                              const float *outside, const float *table, const float *extents,
                              float *target) {
  return Guard([&] {
    const Plan plan(*windows);
    const std::vector<Window> places = Places(plan, extents);
    const float *bias = SpreadTable(plan, table);
    float *memory = Spaces(plan);
    ClearOutside(plan, extents, plan.width, target);
    ForWindows(plan, places, [&](const Window &window, int64_t head, int64_t) {
      const Space space = OfThread(plan, memory);
      const float *of_head = bias + head * plan.cells * plan.stride;
      Job{plan, window, space, qkv, outside, of_head, head}.Forward(target);
    });
  });
}

int products_window_attention_grad(const products_windows *windows, const float *qkv,
                                   const float *outside, const float *table, const float *extents,
                                   const float *grad, float *grad_qkv, float *grad_outside,
                                   float *grad_table) {
  return Guard([&] {
    const Plan plan(*windows);
    ClearOutside(plan, extents, 3 * plan.width, grad_qkv);
    const std::vector<Window> places = Places(plan, extents);
    const float *bias = SpreadTable(plan, table);
    float *memory = Spaces(plan);
    Partial partial(plan);
    ForWindows(plan, places, [&](const Window &window, int64_t head, int64_t block) {
      const Space space = OfThread(plan, memory);
      const float *of_head = bias + head * plan.cells * plan.stride;
      Job{plan, window, space, qkv, outside, of_head, head}.Backward(
          grad, grad_qkv, partial.bias(block, head), partial.outside(block, head));
    });
    partial.Add(grad_outside, grad_table);
  });
}
