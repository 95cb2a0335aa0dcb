// Runs every function of msda.h on random sizes for the sanitizers to watch: tensors are blocks of
// exactly their size, and the bytes behind a thread's copy of a head are closed (MSDA_WATCHED), so
// that any access outside is seen; one from a field of a thread's other work space into the next is
// not. Compares with plain loops.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "msda.h"

namespace {

std::mt19937 generator(0);

int Between(int low, int high) { return low + static_cast<int>(generator() % (high - low + 1)); }

// A heap block of exactly this many items.
template <typename T>
struct Block {
  explicit Block(int64_t size) : size(size), data(new T[size]) {}

  Block &Fill(float spread) {
    std::normal_distribution<float> normal(0.0f, spread);
    for (int64_t i = 0; i < size; ++i) data[i] = static_cast<T>(normal(generator));
    return *this;
  }

  int64_t size;
  std::unique_ptr<T[]> data;
};

void Expect(bool holds, const char *what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

struct Levels {
  std::vector<int> rows, columns, first;
  int64_t tokens = 0;

  explicit Levels(int count) {
    for (int level = 0; level < count; ++level) {
      tokens += Between(0, 2);  // gaps are allowed
      rows.push_back(Between(1, 5));
      columns.push_back(Between(1, 5));
      first.push_back(static_cast<int>(tokens));
      tokens += rows.back() * columns.back();
    }
  }

  template <typename T>
  void Write(T *shapes, T *starts) const {
    for (size_t level = 0; level < rows.size(); ++level) {
      shapes[2 * level] = rows[level];
      shapes[2 * level + 1] = columns[level];
      starts[level] = first[level];
    }
  }
};

double Tent(double x, int cell) {
  const double near = 1.0 - std::fabs(x - cell);
  return near > 0 ? near : 0;
}

// One number of the plain operator's output.
double Expected(const msda_sizes &s, const Levels &levels, const float *value,
                const float *locations, const float *weights, int64_t b, int64_t q, int64_t m,
                int64_t c) {
  double sum = 0;
  for (int64_t l = 0; l < s.levels; ++l) {
    for (int64_t p = 0; p < s.points; ++p) {
      const int64_t i = (((b * s.queries + q) * s.heads + m) * s.levels + l) * s.points + p;
      const double x = locations[2 * i] * levels.columns[l] - 0.5;
      const double y = locations[2 * i + 1] * levels.rows[l] - 0.5;
      for (int row = 0; row < levels.rows[l]; ++row) {
        for (int column = 0; column < levels.columns[l]; ++column) {
          const int64_t token = levels.first[l] + row * levels.columns[l] + column;
          const int64_t at = ((b * s.tokens + token) * s.heads + m) * s.depth + c;
          sum += weights[i] * Tent(x, column) * Tent(y, row) * value[at];
        }
      }
    }
  }
  return sum;
}

void CheckPlain(const msda_sizes &s, const Levels &levels, const void *shapes, const void *starts) {
  const int64_t entries = s.batch * s.queries * s.heads * s.levels * s.points;
  const int64_t values = s.batch * s.tokens * s.heads * s.depth;
  const int64_t outputs = s.batch * s.queries * s.heads * s.depth;
  Block<float> value(values), locations(2 * entries), weights(entries), output(outputs);
  Block<float> grad_value(values), grad_locations(2 * entries), grad_weights(entries);
  value.Fill(1), locations.Fill(1), weights.Fill(1);
  Expect(!msda_forward(&s, value.data.get(), shapes, starts, locations.data.get(),
                       weights.data.get(), output.data.get(), nullptr),
         "forward");
  int64_t at = 0;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t q = 0; q < s.queries; ++q)
      for (int64_t m = 0; m < s.heads; ++m)
        for (int64_t c = 0; c < s.depth; ++c, ++at) {
          const double expected = Expected(s, levels, value.data.get(), locations.data.get(),
                                           weights.data.get(), b, q, m, c);
          Expect(std::fabs(output.data[at] - expected) < 1e-4, "output equals the plain loops");
        }
  Expect(!msda_backward(&s, value.data.get(), shapes, starts, locations.data.get(),
                        weights.data.get(), output.data.get(), grad_value.data.get(),
                        grad_locations.data.get(), grad_weights.data.get(), nullptr),
         "backward");
  double by_value = 0, by_weight = 0, squares = 0;  // linear in both: Euler's identity
  for (int64_t i = 0; i < values; ++i) by_value += value.data[i] * grad_value.data[i];
  for (int64_t i = 0; i < entries; ++i) by_weight += weights.data[i] * grad_weights.data[i];
  for (int64_t i = 0; i < outputs; ++i) squares += output.data[i] * output.data[i];
  Expect(std::fabs(by_value - squares) <= 1e-4 * (1 + squares), "gradient of the value");
  Expect(std::fabs(by_weight - squares) <= 1e-4 * (1 + squares), "gradient of the weights");
}

// Halves are read as random bits: all numbers occur, infinite and NaN included.
template <typename T>
void RunFused(const msda_sizes &s, const void *shapes, const void *starts, float spread) {
  const int64_t entries = s.batch * s.queries * s.heads * s.levels * s.points;
  const int64_t values = s.batch * s.tokens * s.heads * s.depth;
  const int64_t outputs = s.batch * s.queries * s.heads * s.depth;
  const int64_t places = s.batch * s.queries * s.levels * s.reference_size;
  Block<T> value(values), output(outputs), grad_output(outputs);
  Block<float> references(places), projected(3 * entries);
  Block<float> grad_value(values), grad_references(places), grad_projected(3 * entries);
  for (int64_t i = 0; i < values; ++i) value.data[i] = static_cast<T>(generator() >> 8);
  for (int64_t i = 0; i < outputs; ++i) grad_output.data[i] = static_cast<T>(generator() >> 8);
  references.Fill(spread), projected.Fill(spread);
  if (projected.size) projected.data[0] = NAN, projected.data[projected.size - 1] = INFINITY;
  Expect(!msda_fused_forward(&s, value.data.get(), shapes, starts, references.data.get(),
                             projected.data.get(), output.data.get(), nullptr),
         "fused forward");
  Expect(!msda_fused_backward(&s, value.data.get(), shapes, starts, references.data.get(),
                              projected.data.get(), grad_output.data.get(), grad_value.data.get(),
                              grad_references.data.get(), grad_projected.data.get(), nullptr),
         "fused backward");
}

void RunOnce() {
  const Levels levels(Between(1, 3));
  msda_sizes s = {};
  s.batch = Between(0, 3);
  s.tokens = levels.tokens + Between(0, 1);
  s.heads = Between(1, 3);
  s.depth = Between(1, 70);
  s.queries = Between(0, 9);
  s.levels = static_cast<int64_t>(levels.rows.size());
  s.points = Between(1, 5);
  s.reference_size = 2 * Between(1, 2);
  s.index_type = Between(0, 1);
  std::vector<int32_t> shapes32(2 * s.levels), starts32(s.levels);
  std::vector<int64_t> shapes64(2 * s.levels), starts64(s.levels);
  levels.Write(shapes32.data(), starts32.data());
  levels.Write(shapes64.data(), starts64.data());
  const bool wide = s.index_type == MSDA_INT64;
  const void *shapes = wide ? static_cast<void *>(shapes64.data()) : shapes32.data();
  const void *starts = wide ? static_cast<void *>(starts64.data()) : starts32.data();
  CheckPlain(s, levels, shapes, starts);
  for (const float spread : {1.0f, 1e30f}) {
    s.value_type = MSDA_FLOAT32;
    RunFused<float>(s, shapes, starts, spread);
    s.value_type = Between(MSDA_FLOAT16, MSDA_BFLOAT16);
    RunFused<uint16_t>(s, shapes, starts, spread);
  }
}

}  // namespace

int main() {
  for (int run = 0; run < 60; ++run) RunOnce();
  std::printf("%s\n", msda_variant());
}
