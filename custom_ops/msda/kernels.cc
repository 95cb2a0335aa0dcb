// The loops of deformable attention, compiled per instruction set (MSDA_TABLE names the table).
//
// Every number is computed by one thread in an order that does not depend on how many there are.
// Only functions with internal linkage may be used here: see lanes.h.
#include "kernels.h"

#include "backward.h"
#include "forward.h"

namespace {

void ForwardOfType(const Job &job) {
  if (job.sizes.value_type == MSDA_FLOAT32) return Forward<float>(job);
  if (job.sizes.value_type == MSDA_FLOAT16) return Forward<Half>(job);
  Forward<Brain>(job);
}

void BackwardOfType(const Job &job) {
  if (job.sizes.value_type == MSDA_FLOAT32) return Backward<float>(job);
  if (job.sizes.value_type == MSDA_FLOAT16) return Backward<Half>(job);
  Backward<Brain>(job);
}

}  // namespace

extern const msda::Kernels msda::MSDA_TABLE;
const msda::Kernels msda::MSDA_TABLE = {ForwardOfType, BackwardOfType};
