#include "primitives.h"

#include <map>
#include <mutex>
#include <new>

#include "pool.h"

namespace products {

namespace {

const onednn::Library &Oned() {
  const onednn::Library *library = onednn::Opened();
  if (!library) throw Failure{PRODUCTS_NO_ONEDNN};
  return *library;
}

// oneDNN plans for as many threads as it is told, by default all cores; it is MindSpore's setting
// too, so it is put back.
class PlanningThreads {
 public:
  PlanningThreads() {
    Oned().threadpool_interop_get_max_concurrency(&before_);
    Oned().threadpool_interop_set_max_concurrency(ThreadCount());
  }
  ~PlanningThreads() { Oned().threadpool_interop_set_max_concurrency(before_); }

 private:
  int before_ = 0;
};

void Append(onednn::PostOps *steps, const After &after) {
  if (after.adds) Check(Oned().post_ops_append_sum(steps, 1.0f, 0, onednn::kFloat32));
  if (after.residual) {
    Check(Oned().post_ops_append_binary(steps, onednn::kAdd, after.residual->get()));
  }
  switch (after.activation) {
    case PRODUCTS_RELU:
      return Check(Oned().post_ops_append_eltwise(steps, onednn::kRelu, 0, 0));
    case PRODUCTS_RELU6:
      return Check(Oned().post_ops_append_eltwise(steps, onednn::kClip, 0, 6));
    case PRODUCTS_GELU:
      return Check(Oned().post_ops_append_eltwise(steps, onednn::kGelu, 0, 0));
    default:
      return;
  }
}

}  // namespace

void Check(int status) {
  if (status == 1) throw Failure{PRODUCTS_OUT_OF_MEMORY};
  if (status != onednn::kSuccess) throw Failure{PRODUCTS_REFUSED};
}

int TypeOf(int precision) {
  return precision == PRODUCTS_BFLOAT16 ? onednn::kBfloat16 : onednn::kFloat32;
}

void Require(int status) {
  if (status != PRODUCTS_OK) throw Failure{status};
}

Layout::Layout(const Sizes &sizes, const Sizes &strides, int type) {
  onednn::Descriptor *made = nullptr;
  const int axes = static_cast<int>(sizes.size());
  Check(strides.empty()
            ? Oned().memory_desc_create_with_tag(&made, axes, sizes.data(), type, onednn::kAnyFormat)
            : Oned().memory_desc_create_with_strides(&made, axes, sizes.data(), type, strides.data()));
  descriptor_.reset(made, Oned().memory_desc_destroy);
}

Layout Layout::Dense(const Sizes &sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t axis = sizes.size() - 1; axis > 0; --axis) {
    strides[axis - 1] = strides[axis] * sizes[axis];
  }
  return {sizes, strides};
}

Layout Layout::Any(const Sizes &sizes, int type) { return {sizes, {}, type}; }

Layout Layout::Copy(const onednn::Descriptor *descriptor) {
  onednn::Descriptor *made = nullptr;
  Check(Oned().memory_desc_clone(&made, descriptor));
  Layout layout;
  layout.descriptor_.reset(made, Oned().memory_desc_destroy);
  return layout;
}

uint64_t Layout::bytes() const { return Oned().memory_desc_get_size(get()); }

bool Layout::equals(const Layout &other) const {
  return Oned().memory_desc_equal(get(), other.get());
}

std::shared_ptr<onednn::Attributes> MakeAttributes(const After &after) {
  onednn::Attributes *made = nullptr;
  Check(Oned().primitive_attr_create(&made));
  std::shared_ptr<onednn::Attributes> attributes(made, Oned().primitive_attr_destroy);
  onednn::PostOps *list = nullptr;
  Check(Oned().post_ops_create(&list));
  const std::shared_ptr<onednn::PostOps> steps(list, Oned().post_ops_destroy);
  Append(list, after);
  Check(Oned().primitive_attr_set_post_ops(made, list));
  Check(Oned().primitive_attr_set_scratchpad_mode(made, onednn::kCallersScratchpad));
  return attributes;
}

Owned Own(onednn::Plan *plan) { return {plan, Oned().primitive_desc_destroy}; }

Step Make(const Owned &plan) {
  onednn::Primitive *made = nullptr;
  Check(Oned().primitive_create(&made, plan.get()));
  const auto *scratchpad =
      Oned().primitive_desc_query_md(plan.get(), onednn::kQueryScratchpad, 0);
  return {{made, Oned().primitive_destroy}, Layout::Copy(scratchpad)};
}

Step MakeReorder(const Layout &from, const Layout &to) {
  if (from.equals(to)) return {};
  const onednn::Library &library = Oned();
  onednn::Plan *plan = nullptr;
  Check(library.reorder_primitive_desc_create(&plan, from.get(), library.engine, to.get(),
                                              library.engine, MakeAttributes({}).get()));
  return Make(Own(plan));
}

const Ready &Keep(Sizes key, const std::function<Ready()> &make) {
  static std::mutex mutex;
  static auto &kept = *new std::map<Sizes, Ready>;  // oneDNN may be gone when the process ends
  key.push_back(ThreadCount());
  std::lock_guard<std::mutex> lock(mutex);
  const auto found = kept.find(key);
  if (found != kept.end()) return found->second;
  const PlanningThreads threads;
  return kept.emplace(std::move(key), make()).first->second;
}

void Execute(const Step &step, std::initializer_list<Operand> operands) {
  static Pool pool;
  const onednn::Library &library = Oned();
  onednn::Stream *stream = nullptr;
  Check(library.threadpool_interop_stream_create(&stream, library.engine, &pool));
  const std::shared_ptr<onednn::Stream> owned(stream, library.stream_destroy);
  std::vector<std::shared_ptr<onednn::Memory>> memories;
  std::vector<onednn::Argument> arguments;
  const auto add = [&](int index, const Layout &layout, const void *data) {
    onednn::Memory *memory = nullptr;
    Check(library.memory_create(&memory, layout.get(), library.engine, const_cast<void *>(data)));
    memories.emplace_back(memory, library.memory_destroy);
    arguments.push_back({index, memory});
  };
  for (const Operand &operand : operands) {
    if (operand.data) add(operand.index, *operand.layout, operand.data);
  }
  if (const uint64_t bytes = step.scratchpad.bytes()) {
    add(onednn::kScratchpad, step.scratchpad, Scratch(kOfPrimitive, bytes));
  }
  Check(library.primitive_execute(step.primitive.get(), stream, static_cast<int>(arguments.size()),
                                  arguments.data()));
  Check(library.stream_wait(stream));
}

const void *Packed(const Ready &ready, const float *weights) {
  if (!ready.reorder) return weights;
  void *packed = Scratch(kPackedWeights, ready.weights.bytes());
  Execute(ready.reorder,
          {{onednn::kSource, &ready.plain, weights}, {onednn::kTarget, &ready.weights, packed}});
  return packed;
}

const void *Lowered(const Ready &ready, const Layout &from, const float *source) {
  if (!ready.lower) return source;
  void *lowered = Scratch(kLoweredSource, ready.source.bytes());
  Execute(ready.lower,
          {{onednn::kSource, &from, source}, {onednn::kTarget, &ready.source, lowered}});
  return lowered;
}

void *Scratch(Slot slot, uint64_t bytes) {
  struct Buffer {
    std::unique_ptr<char, void (*)(char *)> memory{nullptr, [](char *memory) {
                                                     operator delete(memory, std::align_val_t{64});
                                                   }};
    uint64_t bytes = 0;
  };
  static thread_local Buffer buffers[kSlots];
  Buffer &buffer = buffers[slot];
  if (bytes > buffer.bytes) {
    buffer.bytes = 0;
    buffer.memory.reset();
    buffer.memory.reset(static_cast<char *>(operator new(bytes, std::align_val_t{64})));
    buffer.bytes = bytes;
  }
  return buffer.memory.get();
}

}  // namespace products
