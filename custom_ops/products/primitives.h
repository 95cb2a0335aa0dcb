// oneDNN's objects with owners, and primitives that are made once for each problem.
#ifndef FOCUS_DETR_PRODUCTS_PRIMITIVES_H
#define FOCUS_DETR_PRODUCTS_PRIMITIVES_H

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "onednn.h"
#include "products.h"

namespace products {

using Sizes = std::vector<int64_t>;

// Thrown inside the library only; entry points return the status.
struct Failure {
  int status;
};

void Check(int status);  // of a function of oneDNN
void Require(int status);  // of one of ours

// Shape and strides of a memory; no strides: the format is oneDNN's choice.
class Layout {
 public:
  Layout() = default;
  Layout(const Sizes &sizes, const Sizes &strides, int type = onednn::kFloat32);
  static Layout Dense(const Sizes &sizes);  // row-major
  static Layout Any(const Sizes &sizes, int type = onednn::kFloat32);
  static Layout Copy(const onednn::Descriptor *);

  const onednn::Descriptor *get() const { return descriptor_.get(); }
  uint64_t bytes() const;
  bool equals(const Layout &other) const;

 private:
  std::shared_ptr<onednn::Descriptor> descriptor_;
};

// What a product does with its sums before it writes them.
struct After {
  int activation = PRODUCTS_NONE;
  const Layout *residual = nullptr;  // added before the activation
  bool adds = false;                 // to what the target holds, before all else
};

std::shared_ptr<onednn::Attributes> MakeAttributes(const After &after);

// What threads may run at the same time, each with work space of its own.
struct Step {
  std::shared_ptr<onednn::Primitive> primitive;
  Layout scratchpad;

  explicit operator bool() const { return primitive != nullptr; }
};

// A primitive, and the layout of weights that it chose.
struct Ready {
  Step step;
  Layout weights;
  Step reorder;  // to or from that layout; none if it is the caller's
  Layout plain;  // the caller's layout of the weights
  Step lower;    // the caller's source to `source`; none if it is the caller's
  Layout source;
};

// The type of oneDNN for an enum products_precision.
int TypeOf(int precision);

using Owned = std::shared_ptr<onednn::Plan>;

Owned Own(onednn::Plan *plan);
Step Make(const Owned &plan);
Step MakeReorder(const Layout &from, const Layout &to);

// The primitive of a problem, made by `make` at the first call; `key` has all that it depends on
// but the number of threads. It stays until the process ends.
const Ready &Keep(Sizes key, const std::function<Ready()> &make);

struct Operand {
  int index;
  const Layout *layout;
  const void *data;
};

// Runs to the end.
void Execute(const Step &step, std::initializer_list<Operand> operands);

// Work space of the calling thread: valid until it asks for the same `slot` again.
enum Slot {
  kPackedWeights,
  kLoweredSource,
  kProbabilities,
  kProbabilityGradients,
  kPartialSums,
  kPlacedSource,
  kWindowBias,
  kWindowSpace,
  kStrip,
  kOfPrimitive,
  kSlots
};
void *Scratch(Slot slot, uint64_t bytes);

// The weights as the primitive wants them: the caller's own, or a packed copy.
const void *Packed(const Ready &ready, const float *weights);

// The source likewise; `from` is the caller's layout.
const void *Lowered(const Ready &ready, const Layout &from, const float *source);

template <typename Body>
int Guard(const Body &body) {
  try {
    body();
    return PRODUCTS_OK;
  } catch (const Failure &failure) {
    return failure.status;
  } catch (const std::bad_alloc &) {
    return PRODUCTS_OUT_OF_MEMORY;
  }
}

}  // namespace products

#endif
