// Dense layers: products of rows with a weight matrix.
#include "rows.h"

namespace {

using namespace products;
using onednn::kBias;
using onednn::kSource;
using onednn::kTarget;
using onednn::kWeights;

enum Kind : int64_t { kForward, kGradSource, kGradWeights };

Step MakeProduct(const Layout &source, const Layout &weights,
                                               const Layout *bias, const Layout &target,
                                               const After &after) {
  const onednn::Library &library = *onednn::Opened();
  const auto attributes = MakeAttributes(after);
  onednn::Plan *plan = nullptr;
  Check(library.matmul_primitive_desc_create(&plan, library.engine, source.get(), weights.get(),
                                             bias ? bias->get() : nullptr, target.get(),
                                             attributes.get()));
  return Make(Own(plan));
}

}  // namespace

int products_dense(int64_t rows, int64_t inputs, int64_t outputs, int activation,
                   const float *source, const float *weights, const float *bias,
                   const float *residual, const float *valid, float *target) {
  if (rows == 0) return PRODUCTS_OK;
  return Guard([&] {
    const Layout from({rows, inputs}, {inputs, 1}), matrix({inputs, outputs}, {1, inputs});
    const Layout to({rows, outputs}, {outputs, 1}), row({1, outputs}, {outputs, 1});
    const Sizes key{kForward, rows, inputs, outputs, activation, bias != nullptr,
                    residual != nullptr};
    const Ready &ready = Keep(key, [&] {
      const After after{activation, residual ? &to : nullptr};
      return Ready{MakeProduct(from, matrix, bias ? &row : nullptr, to, after), {}, {}, {}};
    });
    Execute(ready.step, {{kSource, &from, source},
                                    {kWeights, &matrix, weights},
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
      return Ready{MakeProduct(from, matrix, nullptr, to, {}), {}, {}, {}};
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
    const Layout from({outputs, rows}, {1, outputs}), matrix({rows, inputs}, {inputs, 1});
    const Layout to({outputs, inputs}, {inputs, 1});
    const Ready &ready = Keep({kGradWeights, rows, inputs, outputs}, [&] {
      return Ready{MakeProduct(from, matrix, nullptr, to, {}), {}, {}, {}};
    });
    Execute(ready.step,
            {{kSource, &from, grad}, {kWeights, &matrix, source}, {kTarget, &to, grad_weights}});
    if (!grad_bias) return;
    SumBlocks(rows, outputs, grad_bias, [&](int64_t first, int64_t count, float *own) {
      Choose().add_rows(count, outputs, grad + first * outputs, own);
    });
  });
}
