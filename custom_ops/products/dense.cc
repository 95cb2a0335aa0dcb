// Dense layers: products of rows with a weight matrix.
#include "dense.h"

#include "rows.h"

namespace {

using namespace products;
using onednn::kBias;
using onednn::kSource;
using onednn::kTarget;
using onednn::kWeights;

enum Kind : int64_t { kForward, kGradSource, kGradWeights, kAddGradWeights };

Owned PlanProduct(const Layout &source, const Layout &weights, const Layout *bias,
                  const Layout &target, const After &after) {
  const onednn::Library &library = *onednn::Opened();
  const auto attributes = MakeAttributes(after);
  onednn::Plan *plan = nullptr;
  Check(library.matmul_primitive_desc_create(&plan, library.engine, source.get(), weights.get(),
                                             bias ? bias->get() : nullptr, target.get(),
                                             attributes.get()));
  return Own(plan);
}

Ready MakeProduct(const Layout &source, const Layout &weights, const Layout *bias,
                  const Layout &target, const After &after) {
  return {Make(PlanProduct(source, weights, bias, target, after)), {}, {}, {}, {}, {}};
}

// The same with its factors rounded first; `sizes` of the weights.
Ready MakeLowered(const Layout &source, const Layout &lowered, const Layout &weights,
                  const Sizes &sizes, const Layout *bias, const Layout &target,
                  const After &after) {
  const Layout any = Layout::Any(sizes, onednn::kBfloat16);
  const Owned plan = PlanProduct(lowered, any, bias, target, after);
  const auto *chosen =
      onednn::Opened()->primitive_desc_query_md(plan.get(), onednn::kQueryWeights, 0);
  Ready ready{Make(plan), Layout::Copy(chosen), {}, weights, {}, lowered};
  ready.reorder = MakeReorder(weights, ready.weights);
  ready.lower = MakeReorder(source, lowered);
  return ready;
}

void GradWeights(Kind kind, int64_t rows, int64_t inputs, int64_t outputs, const float *grad,
                 const float *source, float *grad_weights) {
  const Layout from({outputs, rows}, {1, outputs}), matrix({rows, inputs}, {inputs, 1});
  const Layout to({outputs, inputs}, {inputs, 1});
  const Ready &ready = Keep({kind, rows, inputs, outputs}, [&] {
    After after;
    after.adds = kind == kAddGradWeights;
    return MakeProduct(from, matrix, nullptr, to, after);
  });
  Execute(ready.step,
          {{kSource, &from, grad}, {kWeights, &matrix, source}, {kTarget, &to, grad_weights}});
}

}  // namespace

void products::AddGradWeights(int64_t rows, int64_t inputs, int64_t outputs, const float *grad,
                              const float *source, float *grad_weights) {
  GradWeights(kAddGradWeights, rows, inputs, outputs, grad, source, grad_weights);
}

int products_dense(int64_t rows, int64_t inputs, int64_t outputs, int activation, int precision,
                   const float *source, const float *weights, const float *bias,
                   const float *residual, const float *valid, float *target) {
  if (rows == 0) return PRODUCTS_OK;
  return Guard([&] {
    const Layout from({rows, inputs}, {inputs, 1}), matrix({inputs, outputs}, {1, inputs});
    const Layout to({rows, outputs}, {outputs, 1}), row({1, outputs}, {outputs, 1});
    const Sizes key{kForward,   rows,      inputs,          outputs,
                    activation, precision, bias != nullptr, residual != nullptr};
    const Ready &ready = Keep(key, [&] {
      const After after{activation, residual ? &to : nullptr};
      const Layout *with = bias ? &row : nullptr;
      if (precision == PRODUCTS_FLOAT32) return MakeProduct(from, matrix, with, to, after);
      const Layout lowered({rows, inputs}, {inputs, 1}, TypeOf(precision));
      return MakeLowered(from, lowered, matrix, {inputs, outputs}, with, to, after);
    });
    Execute(ready.step, {{kSource, ready.lower ? &ready.source : &from,
                          Lowered(ready, from, source)},
                         {kWeights, ready.reorder ? &ready.weights : &matrix,
                          Packed(ready, weights)},
                         {kBias, &row, bias},
                         {onednn::kPostOp | onednn::kSource1, &to, residual},
                         {kTarget, &to, target}});
    ClearInvalid(rows, outputs, valid, target);
  });
}

int products_dense_grad_source(int64_t rows, int64_t inputs, int64_t outputs, const float *grad,
                               const float *weights, float *grad_source) {
  if (rows == 0) return PRODUCTS_OK;
  return Guard([&] {
    const Layout from({rows, outputs}, {outputs, 1}), matrix({outputs, inputs}, {inputs, 1});
    const Layout to({rows, inputs}, {inputs, 1});
    const Ready &ready = Keep({kGradSource, rows, inputs, outputs}, [&] {
      return MakeProduct(from, matrix, nullptr, to, {});
    });
    Execute(ready.step,
            {{kSource, &from, grad}, {kWeights, &matrix, weights}, {kTarget, &to, grad_source}});
  });
}

int products_dense_grad_weights(int64_t rows, int64_t inputs, int64_t outputs, const float *grad,
                                const float *source, float *grad_weights, float *grad_bias) {
  return Guard([&] {
    if (rows == 0) {
      std::fill_n(grad_weights, inputs * outputs, 0.0f);
      if (grad_bias) std::fill_n(grad_bias, outputs, 0.0f);
      return;
    }
    GradWeights(kGradWeights, rows, inputs, outputs, grad, source, grad_weights);
    if (!grad_bias) return;
    SumBlocks(rows, outputs, grad_bias, [&](int64_t first, int64_t count, float *own) {
      Choose().add_rows(count, outputs, grad + first * outputs, own);
    });
  });
}
