// What other operators use of the dense layers, besides products.h.
#ifndef FOCUS_DETR_PRODUCTS_DENSE_H
#define FOCUS_DETR_PRODUCTS_DENSE_H

#include <cstdint>

namespace products {

// grad_weights [O,I] += grad [R,O]^T * source [R,I]; throws what Guard catches
void AddGradWeights(int64_t rows, int64_t inputs, int64_t outputs, const float *grad,
                    const float *source, float *grad_weights);

}  // namespace products

#endif
