// Entry points for MindSpore's ops.Custom(func_type="aot"), the same for CPU and GPU libraries.
//
// Each operator has three functions: the kernel, the inference of shapes, that of types. MindSpore
// hands over tensors as arrays of pointers, ranks, shapes and type names; an unknown axis is -1 and
// an unknown rank is the shape {-2}. No header of MindSpore is needed.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "msda.h"

namespace {

using Shape = std::vector<int64_t>;

enum Input { kValue, kShapes, kStarts, kPlace, kWeight, kInputs };  // kPlace: locations, references
constexpr int64_t kUnknownAxis = -1;
constexpr int64_t kUnknownRank = -2;

struct Call {
  int count;
  void **data;
  const int *ranks;
  int64_t **shapes;
  const char **types;

  const float *floats(int index) const { return static_cast<const float *>(data[index]); }
  float *gradient(int index) const { return static_cast<float *>(data[index]); }
  bool is(int index, const char *type) const { return std::strcmp(types[index], type) == 0; }

  bool are_float32(int first, int last) const {
    for (int index = first; index < last; ++index) {
      if (!is(index, "float32")) return false;
    }
    return true;
  }

  int value_type() const {
    if (is(kValue, "float32")) return MSDA_FLOAT32;
    if (is(kValue, "float16")) return MSDA_FLOAT16;
    return is(kValue, "bfloat16") ? MSDA_BFLOAT16 : -1;
  }

  int index_type() const {
    if (std::strcmp(types[kShapes], types[kStarts]) != 0) return -1;
    if (is(kShapes, "int32")) return MSDA_INT32;
    return is(kShapes, "int64") ? MSDA_INT64 : -1;
  }
};

int ReadTypes(const Call &call, bool backward, msda_sizes *sizes) {
  sizes->value_type = call.value_type();
  sizes->index_type = call.index_type();
  const bool known = sizes->value_type >= 0 && sizes->index_type >= 0;
  const bool same = call.is(kInputs, call.types[kValue]);  // the output or its gradient
  const bool floats = call.are_float32(kPlace, kInputs) &&
                      (!backward || call.are_float32(kInputs + 1, call.count));
  return known && same && floats ? MSDA_OK : MSDA_WRONG_TYPE;
}

// What plain and fused operators share: everything but the points.
int ReadCommon(const Call &call, bool backward, msda_sizes *sizes) {
  if (call.count != (backward ? kInputs + 4 : kInputs + 1)) return MSDA_WRONG_COUNT;
  if (call.ranks[kValue] != 4 || call.ranks[kShapes] != 2 || call.ranks[kStarts] != 1 ||
      call.ranks[kInputs] != 3) {
    return MSDA_WRONG_RANK;
  }
  const int64_t *value = call.shapes[kValue];
  const int64_t *output = call.shapes[kInputs];
  *sizes = {};
  sizes->batch = value[0];
  sizes->tokens = value[1];
  sizes->heads = value[2];
  sizes->depth = value[3];
  sizes->queries = output[1];
  sizes->levels = call.shapes[kStarts][0];
  if (output[0] != sizes->batch || output[2] != sizes->heads * sizes->depth ||
      call.shapes[kShapes][0] != sizes->levels || call.shapes[kShapes][1] != 2) {
    return MSDA_WRONG_SIZE;
  }
  return ReadTypes(call, backward, sizes);
}

bool Equal(const int64_t *shape, std::initializer_list<int64_t> expected) {
  return std::equal(expected.begin(), expected.end(), shape);
}

int ReadPlain(const Call &call, bool backward, msda_sizes *sizes) {
  if (const int status = ReadCommon(call, backward, sizes)) return status;
  if (call.ranks[kPlace] != 6 || call.ranks[kWeight] != 5) return MSDA_WRONG_RANK;
  const msda_sizes &s = *sizes;
  sizes->points = call.shapes[kWeight][4];
  const bool fits =
      Equal(call.shapes[kWeight], {s.batch, s.queries, s.heads, s.levels, s.points}) &&
      Equal(call.shapes[kPlace], {s.batch, s.queries, s.heads, s.levels, s.points, 2});
  return fits ? MSDA_OK : MSDA_WRONG_SIZE;
}

int ReadFused(const Call &call, bool backward, msda_sizes *sizes) {
  if (const int status = ReadCommon(call, backward, sizes)) return status;
  if (call.ranks[kPlace] != 4 || call.ranks[kWeight] != 3) return MSDA_WRONG_RANK;
  const msda_sizes &s = *sizes;
  const int64_t per_point = 3 * s.heads * s.levels;
  if (per_point <= 0 || call.shapes[kWeight][2] % per_point) return MSDA_WRONG_SIZE;
  sizes->points = call.shapes[kWeight][2] / per_point;
  sizes->reference_size = static_cast<int32_t>(call.shapes[kPlace][3]);
  const bool fits =
      Equal(call.shapes[kWeight], {s.batch, s.queries, per_point * s.points}) &&
      Equal(call.shapes[kPlace], {s.batch, s.queries, s.levels, s.reference_size});
  return fits ? MSDA_OK : MSDA_WRONG_SIZE;
}

Shape OutputShape(const int *ranks, int64_t **shapes) {
  if (ranks[kValue] != 4 || ranks[kWeight] < 3) return {kUnknownRank};
  const int64_t *value = shapes[kValue];
  const bool known = value[2] >= 0 && value[3] >= 0;
  const int64_t batch = value[0] >= 0 ? value[0] : shapes[kWeight][0];
  return {batch, shapes[kWeight][1], known ? value[2] * value[3] : kUnknownAxis};
}

std::vector<Shape> GradientShapes(const int *ranks, int64_t **shapes) {
  std::vector<Shape> gradients;
  for (const int input : {kValue, kPlace, kWeight}) {
    gradients.emplace_back(shapes[input], shapes[input] + ranks[input]);
  }
  return gradients;
}

}  // namespace

enum TypeId : int {};                // as MindSpore passes it, by value
constexpr auto kFloat32 = TypeId{43};  // mindspore::kNumberTypeFloat32

extern "C" {

MSDA_API int MsdaForward(int count, void **data, int *ranks, int64_t **shapes, const char **types,
                         void *stream, void *) {
  const Call call{count, data, ranks, shapes, types};
  msda_sizes sizes;
  if (const int status = ReadPlain(call, false, &sizes)) return status;
  return msda_forward(&sizes, data[kValue], data[kShapes], data[kStarts], call.floats(kPlace),
                      call.floats(kWeight), data[kInputs], stream);
}

MSDA_API int MsdaBackward(int count, void **data, int *ranks, int64_t **shapes, const char **types,
                          void *stream, void *) {
  const Call call{count, data, ranks, shapes, types};
  msda_sizes sizes;
  if (const int status = ReadPlain(call, true, &sizes)) return status;
  return msda_backward(&sizes, data[kValue], data[kShapes], data[kStarts], call.floats(kPlace),
                       call.floats(kWeight), data[kInputs], call.gradient(kInputs + 1),
                       call.gradient(kInputs + 2), call.gradient(kInputs + 3), stream);
}

MSDA_API int MsdaFusedForward(int count, void **data, int *ranks, int64_t **shapes,
                              const char **types, void *stream, void *) {
  const Call call{count, data, ranks, shapes, types};
  msda_sizes sizes;
  if (const int status = ReadFused(call, false, &sizes)) return status;
  return msda_fused_forward(&sizes, data[kValue], data[kShapes], data[kStarts],
                            call.floats(kPlace), call.floats(kWeight), data[kInputs], stream);
}

MSDA_API int MsdaFusedBackward(int count, void **data, int *ranks, int64_t **shapes,
                               const char **types, void *stream, void *) {
  const Call call{count, data, ranks, shapes, types};
  msda_sizes sizes;
  if (const int status = ReadFused(call, true, &sizes)) return status;
  return msda_fused_backward(&sizes, data[kValue], data[kShapes], data[kStarts],
                             call.floats(kPlace), call.floats(kWeight), data[kInputs],
                             call.gradient(kInputs + 1), call.gradient(kInputs + 2),
                             call.gradient(kInputs + 3), stream);
}

MSDA_API Shape MsdaForwardInferShape(int *ranks, int64_t **shapes, void *) {
  return OutputShape(ranks, shapes);
}

MSDA_API Shape MsdaFusedForwardInferShape(int *ranks, int64_t **shapes, void *) {
  return OutputShape(ranks, shapes);
}

MSDA_API std::vector<Shape> MsdaBackwardInferShape(int *ranks, int64_t **shapes, void *) {
  return GradientShapes(ranks, shapes);
}

MSDA_API std::vector<Shape> MsdaFusedBackwardInferShape(int *ranks, int64_t **shapes, void *) {
  return GradientShapes(ranks, shapes);
}

MSDA_API TypeId MsdaForwardInferType(std::vector<TypeId> types, void *) { return types[kValue]; }

MSDA_API TypeId MsdaFusedForwardInferType(std::vector<TypeId> types, void *) {
  return types[kValue];
}

MSDA_API std::vector<TypeId> MsdaBackwardInferType(std::vector<TypeId>, void *) {
  return {kFloat32, kFloat32, kFloat32};
}

MSDA_API std::vector<TypeId> MsdaFusedBackwardInferType(std::vector<TypeId>, void *) {
  return {kFloat32, kFloat32, kFloat32};
}

}  // extern "C"
