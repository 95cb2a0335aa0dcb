// What every implementation of msda.h asks of the sizes and types of a call.
#ifndef FOCUS_DETR_MSDA_CHECKS_H
#define FOCUS_DETR_MSDA_CHECKS_H

#include <cstdint>
#include <limits>

#include "msda.h"

namespace msda {

constexpr int64_t kLargestSide = int64_t{1} << 24;  // of a level; whole numbers that float32 holds

inline int CheckArguments(const msda_sizes &s, bool fused) {
  if (s.batch < 0 || s.tokens < 0 || s.queries < 0 || s.heads < 1 || s.depth < 1 ||
      s.levels < 1 || s.points < 1) {
    return MSDA_WRONG_SIZE;
  }
  if (fused && s.reference_size != 2 && s.reference_size != 4) return MSDA_WRONG_SIZE;
  if (s.value_type < MSDA_FLOAT32 || s.value_type > MSDA_BFLOAT16) return MSDA_WRONG_TYPE;
  if (s.index_type != MSDA_INT32 && s.index_type != MSDA_INT64) return MSDA_WRONG_TYPE;
  return s.tokens > std::numeric_limits<int32_t>::max() ? MSDA_TOO_LARGE : MSDA_OK;
}

}  // namespace msda

#endif
