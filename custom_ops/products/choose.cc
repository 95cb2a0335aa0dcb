// Which variant of the loops runs here.
#include <cstdlib>
#include <cstring>

#include "loops.h"
#include "products.h"

namespace products {

extern const Loops kBaselineLoops;
#ifdef PRODUCTS_X86
extern const Loops kAvx2Loops, kAvx512Loops;
#endif

namespace {

struct Variant {
  const char *name;
  const Loops &loops;
};

Variant Find() {
#ifdef PRODUCTS_X86
  const char *wanted = std::getenv("FOCUS_DETR_PRODUCTS_VARIANT");  // a lower one, for tests
  const auto allowed = [&](const char *name) { return !wanted || !std::strcmp(wanted, name); };
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && allowed("avx512")) return {"avx512", kAvx512Loops};
  if (avx2 && allowed("avx2")) return {"avx2", kAvx2Loops};
#endif
  return {"baseline", kBaselineLoops};
}

const Variant &Chosen() {
  static const Variant chosen = Find();
  return chosen;
}

}  // namespace

const Loops &Choose() { return Chosen().loops; }

}  // namespace products

int products_has_bfloat16(void) {
#ifdef PRODUCTS_X86
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return 0;
#endif
}

const char *products_variant(void) { return products::Chosen().name; }
