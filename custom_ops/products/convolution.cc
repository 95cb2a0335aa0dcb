// Convolutions of maps whose channels are last.
#include "rows.h"

namespace {

using namespace products;

enum Kind : int64_t { kForward = 16, kGradSource, kGradWeights };  // apart from those of dense.cc

// Everything that oneDNN wants to know of a convolution but the formats of its weights.
struct Problem {
  explicit Problem(const products_map &map, int type = onednn::kFloat32)
      : rows(products_cells(map.rows, map.kernel, map.stride, map.top, map.bottom)),
        columns(products_cells(map.columns, map.kernel, map.stride, map.left, map.right)),
        type(type),
        source(ChannelsLast(map.batch, map.inputs, map.rows, map.columns, type)),
        target(ChannelsLast(map.batch, map.outputs, rows, columns)),
        bias({map.outputs}, {1}),
        weights(WeightSizes(map)),
        plain(Layout::Dense(weights)),
        strides{map.stride, map.stride},
        before{map.top, map.left},
        after{map.bottom, map.right} {}

  static Layout ChannelsLast(int64_t batch, int64_t channels, int64_t rows, int64_t columns,
                             int type = onednn::kFloat32) {
    return {{batch, channels, rows, columns},
            {rows * columns * channels, 1, columns * channels, channels},
            type};
  }

  static Sizes WeightSizes(const products_map &map) {
    const int64_t k = map.kernel, inputs = map.inputs / map.groups;
    if (map.groups == 1) return {map.outputs, inputs, k, k};
    return {map.groups, map.outputs / map.groups, inputs, k, k};
  }

  int64_t rows, columns;
  int type;  // of source and weights
  Layout source, target, bias;
  Sizes weights;
  Layout plain;
  int64_t strides[2], dilations[2] = {0, 0}, before[2], after[2];
};

Sizes Key(int64_t kind, const products_map &map, Sizes more = {}) {
  Sizes key{kind,      map.batch,  map.rows,   map.columns, map.inputs, map.outputs, map.kernel,
            map.groups, map.stride, map.top,    map.bottom,  map.left,   map.right};
  key.insert(key.end(), more.begin(), more.end());
  return key;
}

Owned PlanForward(const Problem &p, bool with_bias, const After &after) {
  const onednn::Library &library = *onednn::Opened();
  const auto attributes = MakeAttributes(after);
  onednn::Plan *plan = nullptr;
  Check(library.convolution_forward_primitive_desc_create(
      &plan, library.engine, onednn::kForward, onednn::kDirect, p.source.get(),
      Layout::Any(p.weights, p.type).get(), with_bias ? p.bias.get() : nullptr, p.target.get(), p.strides,
      p.dilations, p.before, p.after, attributes.get()));
  return Own(plan);
}

// `from` is the caller's layout of the source.
Ready MakeForward(const Problem &p, const Layout &from, bool with_bias, const After &after) {
  const Owned plan = PlanForward(p, with_bias, after);
  const auto *chosen =
      onednn::Opened()->primitive_desc_query_md(plan.get(), onednn::kQueryWeights, 0);
  Ready ready{Make(plan), Layout::Copy(chosen), {}, p.plain, {}, p.source};
  ready.reorder = MakeReorder(p.plain, ready.weights);
  ready.lower = MakeReorder(from, p.source);
  return ready;
}

Ready MakeGradSource(const Problem &p) {
  const onednn::Library &library = *onednn::Opened();
  onednn::Plan *made = nullptr;
  Check(library.convolution_backward_data_primitive_desc_create(
      &made, library.engine, onednn::kDirect, p.source.get(), Layout::Any(p.weights).get(),
      p.target.get(), p.strides, p.dilations, p.before, p.after,
      PlanForward(p, false, {}).get(), MakeAttributes({}).get()));
  const Owned plan = Own(made);
  const auto *chosen = library.primitive_desc_query_md(made, onednn::kQueryWeights, 0);
  Ready ready{Make(plan), Layout::Copy(chosen), {}, p.plain, {}, {}};
  ready.reorder = MakeReorder(p.plain, ready.weights);
  return ready;
}

Ready MakeGradWeights(const Problem &p, bool with_bias) {
  const onednn::Library &library = *onednn::Opened();
  onednn::Plan *made = nullptr;
  Check(library.convolution_backward_weights_primitive_desc_create(
      &made, library.engine, onednn::kDirect, p.source.get(), Layout::Any(p.weights).get(),
      with_bias ? p.bias.get() : nullptr, p.target.get(), p.strides, p.dilations, p.before,
      p.after, PlanForward(p, with_bias, {}).get(), MakeAttributes({}).get()));
  const Owned plan = Own(made);
  const auto *chosen = library.primitive_desc_query_md(made, onednn::kQueryGradWeights, 0);
  Ready ready{Make(plan), Layout::Copy(chosen), {}, p.plain, {}, {}};
  ready.reorder = MakeReorder(ready.weights, p.plain);
  return ready;
}

}  // namespace

int64_t products_cells(int64_t cells, int64_t kernel, int64_t stride, int64_t before,
                       int64_t after) {
  return (cells + before + after - kernel) / stride + 1;
}

int products_convolution(const products_map *map, int activation, int precision,
                         const float *source, const float *weights, const float *bias,
                         const float *residual, const float *valid, float *target) {
  return Guard([&] {
    const Problem p(*map, TypeOf(precision));
    const Layout from = Problem::ChannelsLast(map->batch, map->inputs, map->rows, map->columns);
    const Sizes more{activation, precision, bias != nullptr, residual != nullptr};
    const Ready &ready = Keep(Key(kForward, *map, more), [&] {
      return MakeForward(p, from, bias != nullptr, {activation, residual ? &p.target : nullptr});
    });
    Execute(ready.step, {{onednn::kSource, &p.source, Lowered(ready, from, source)},
                         {onednn::kWeights, &ready.weights, Packed(ready, weights)},
                         {onednn::kBias, &p.bias, bias},
                         {onednn::kPostOp | onednn::kSource1, &p.target, residual},
                         {onednn::kTarget, &p.target, target}});
    ClearInvalid(map->batch * p.rows * p.columns, map->outputs, valid, target);
  });
}

int products_convolution_grad_source(const products_map *map, const float *grad,
                                     const float *weights, float *grad_source) {
  return Guard([&] {
    const Problem p(*map);
    const Ready &ready = Keep(Key(kGradSource, *map), [&] { return MakeGradSource(p); });
    Execute(ready.step,
            {{onednn::kGradTarget, &p.target, grad},
             {onednn::kWeights, &ready.weights, Packed(ready, weights)},
             {onednn::kGradSource, &p.source, grad_source}});
  });
}

int products_convolution_grad_weights(const products_map *map, const float *grad,
                                      const float *source, float *grad_weights,
                                      float *grad_bias) {
  return Guard([&] {
    const Problem p(*map);
    const Ready &ready = Keep(Key(kGradWeights, *map, {grad_bias != nullptr}),
                              [&] { return MakeGradWeights(p, grad_bias != nullptr); });
    void *packed = grad_weights;
    if (ready.reorder) packed = Scratch(kPackedWeights, ready.weights.bytes());
    Execute(ready.step, {{onednn::kSource, &p.source, source},
                                    {onednn::kGradTarget, &p.target, grad},
                                    {onednn::kGradWeights, &ready.weights, packed},
                                    {onednn::kGradBias, &p.bias, grad_bias}});
    if (!ready.reorder) return;
    Execute(ready.reorder, {{onednn::kSource, &ready.weights, packed},
                                  {onednn::kTarget, &ready.plain, grad_weights}});
  });
}
