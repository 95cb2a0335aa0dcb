// Entry points for MindSpore's ops.Custom(func_type="aot").
//
// Each operator has three functions: the kernel, the inference of shapes, that of types. MindSpore
// hands over tensors as arrays of pointers, ranks, shapes and type names, and the operator's
// attributes as an object. No header of MindSpore is needed: an unknown axis is -1, an unknown rank
// the shape {-2}.
// MindSpore's libraries use the older layout of std::string.
#define _GLIBCXX_USE_CXX11_ABI 0

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "products.h"

// Laid out as MindSpore 2.10's AotExtra; the order of the functions is what counts.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual bool Has(std::string name) = 0;
  virtual bool Truth(std::string name) = 0;
  virtual int64_t Number(std::string name) = 0;
  virtual float Real(std::string name) = 0;
  virtual std::string Text(std::string name) = 0;
  virtual std::vector<int64_t> Numbers(std::string name) = 0;
};

enum TypeId : int {};                  // as MindSpore passes it, by value
constexpr auto kFloat32 = TypeId{43};  // mindspore::kNumberTypeFloat32

namespace {

using Shape = std::vector<int64_t>;
using Types = std::vector<TypeId>;

constexpr int64_t kUnknownRank = -2;

struct Call {
  Call(int count, void **data, int *ranks, int64_t **shapes, const char **types, void *extra)
      : count(count), data(data), ranks(ranks), shapes(shapes), types(types),
        settings(*static_cast<Settings *>(extra)) {}

  int Read(int expected) const {
    if (count != expected) return PRODUCTS_WRONG_COUNT;
    for (int i = 0; i < count; ++i) {
      if (std::strcmp(types[i], "float32") != 0) return PRODUCTS_WRONG_TYPE;
    }
    return PRODUCTS_OK;
  }

  float *operator[](int index) const { return static_cast<float *>(data[index]); }

  int64_t size(int index, int axis) const { return shapes[index][axis]; }

  int64_t last(int index) const { return shapes[index][ranks[index] - 1]; }

  int64_t elements(int index) const { return rows(index) * last(index); }

  int64_t rows(int index) const {  // product of all axes but the last
    int64_t rows = 1;
    for (int axis = 0; axis + 1 < ranks[index]; ++axis) rows *= shapes[index][axis];
    return rows;
  }

  int activation() const { return static_cast<int>(settings.Number("activation")); }

  int precision() const { return static_cast<int>(settings.Number("precision")); }

  int count;
  void **data;
  int *ranks;
  int64_t **shapes;
  const char **types;
  Settings &settings;
};

// The fourth input of a product, if it has one.
enum Fourth { kNothing, kResidual, kValid };

// Whether it is shaped as the target at place `target` asks.
bool Fits(const Call &call, Fourth fourth, int target) {
  return fourth == kNothing || call.elements(3) == (fourth == kResidual ? call.elements(target)
                                                                        : call.rows(target));
}

int Dense(const Call &call, Fourth fourth) {
  const int target = fourth == kNothing ? 3 : 4;
  if (const int status = call.Read(target + 1)) return status;
  const int64_t inputs = call.last(0), outputs = call.last(target);
  if (call.size(1, 0) != outputs || call.size(1, 1) != inputs || call.size(2, 0) != outputs ||
      !Fits(call, fourth, target)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_dense(call.rows(0), inputs, outputs, call.activation(), call.precision(),
                        call[0], call[1], call[2], fourth == kResidual ? call[3] : nullptr,
                        fourth == kValid ? call[3] : nullptr, call[target]);
}

// `map` [B,h,w,I], `weights` [O,I/G,k,k]; settings: "place" = stride, top, bottom, left, right, G
products_map ReadMap(const int64_t *map, const int64_t *weights, const Shape &place) {
  return {map[0],     map[1],   map[2],   map[3],   weights[0], weights[2],
          place[5], place[0], place[1], place[2], place[3],   place[4]};
}

products_map ReadWindow(const int64_t *map, Settings &settings) {
  const Shape window = settings.Numbers("window");
  return {map[0], map[1],    map[2],    map[3],    map[3],    window[0],
          1,      window[1], window[2], window[3], window[4], window[5]};
}

Shape TargetShape(const products_map &map) {
  const auto cells = [&](int64_t size, int64_t before, int64_t after) {
    return size < 0 ? size : products_cells(size, map.kernel, map.stride, before, after);
  };
  return {map.batch, cells(map.rows, map.top, map.bottom), cells(map.columns, map.left, map.right),
          map.outputs};
}

Shape TargetOfConvolution(int *ranks, int64_t **shapes, void *extra) {
  if (ranks[0] != 4 || ranks[1] != 4) return {kUnknownRank};
  Settings &settings = *static_cast<Settings *>(extra);
  return TargetShape(ReadMap(shapes[0], shapes[1], settings.Numbers("place")));
}

Shape TargetOfPooling(int *ranks, int64_t **shapes, void *extra) {
  if (ranks[0] != 4) return {kUnknownRank};
  return TargetShape(ReadWindow(shapes[0], *static_cast<Settings *>(extra)));
}

int Convolution(const Call &call, Fourth fourth) {
  const int target = fourth == kNothing ? 3 : 4;
  if (const int status = call.Read(target + 1)) return status;
  const products_map map =
      ReadMap(call.shapes[0], call.shapes[1], call.settings.Numbers("place"));
  if (call.size(1, 1) * map.groups != map.inputs || call.size(1, 3) != map.kernel ||
      call.size(2, 0) != map.outputs || !Fits(call, fourth, target)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_convolution(&map, call.activation(), call.precision(), call[0], call[1], call[2],
                              fourth == kResidual ? call[3] : nullptr,
                              fourth == kValid ? call[3] : nullptr, call[target]);
}

products_groups ReadGroups(const Call &call) {
  const int64_t batch = call.size(0, 0), cells = batch ? call.rows(0) / batch : 0;
  return {batch, cells, call.last(0), call.settings.Number("groups")};
}

// Whether a gradient is shaped as what a convolution or a pooling gives.
bool IsTarget(const Call &call, int grad, const products_map &map) {
  const Shape target = TargetShape(map);
  return call.ranks[grad] == 4 && std::equal(target.begin(), target.end(), call.shapes[grad]);
}

// Of an attention over query_key [B,N,2C] with bias [B or 1, 1, N or 1, N].
int ReadHeads(const Call &call, products_heads *heads) {
  if (call.ranks[0] != 3 || call.ranks[1] != 3 || call.ranks[2] != 4) return PRODUCTS_WRONG_SIZE;
  const int64_t batch = call.size(0, 0), tokens = call.size(0, 1), width = call.size(1, 2);
  const int64_t *bias = call.shapes[2], number = call.settings.Number("heads");
  *heads = {batch, tokens, number, width / number, bias[0], bias[2]};
  const bool fits = call.size(0, 2) == 2 * width && width % number == 0 && call.elements(1) == batch * tokens * width &&
                    call.ranks[2] == 4 && (bias[0] == 1 || bias[0] == batch) && bias[1] == 1 &&
                    (bias[2] == 1 || bias[2] == tokens) && bias[3] == tokens;
  return fits ? PRODUCTS_OK : PRODUCTS_WRONG_SIZE;
}

// Of windows in qkv [B,h,w,3C] with outside [3C], table [T,M] and extents [B,2].
int ReadWindows(const Call &call, products_windows *windows) {
  if (call.ranks[0] != 4 || call.ranks[2] != 2) return PRODUCTS_WRONG_SIZE;
  const int64_t *map = call.shapes[0], heads = call.size(2, 1), sides = 3 * heads;
  const int64_t window = call.settings.Number("window"), shift = call.settings.Number("shift");
  *windows = {map[0], map[1], map[2], heads, heads ? map[3] / sides : 0, window, shift};
  const bool fits = heads > 0 && map[3] % sides == 0 && call.elements(1) == map[3] &&
                    call.size(2, 0) == (2 * window - 1) * (2 * window - 1) && window > 0 &&
                    shift >= 0 && shift < window && call.elements(3) == 2 * map[0];
  return fits ? PRODUCTS_OK : PRODUCTS_WRONG_SIZE;
}

// Of a perceptron's branch: source [B,...,C], gamma [C], beta [C], first [H,C], and second [C,H]
// and factor [B] at their places.
int ReadPerceptron(const Call &call, int second, int factor, products_perceptron *perceptron) {
  const int64_t batch = call.size(0, 0), channels = call.last(0), hidden = call.size(3, 0);
  *perceptron = {batch, batch ? call.rows(0) / batch : 0, channels, hidden};
  const bool fits = call.elements(1) == channels && call.elements(2) == channels &&
                    call.last(3) == channels && call.size(second, 0) == channels &&
                    call.last(second) == hidden && call.elements(factor) == batch;
  return fits ? PRODUCTS_OK : PRODUCTS_WRONG_SIZE;
}

Shape ShapeOf(int index, int *ranks, int64_t **shapes) {
  return {shapes[index], shapes[index] + ranks[index]};
}

int64_t Doubled(int64_t size) { return size < 0 ? size : 2 * size; }

Shape RowsOf(int index, int64_t outputs, int *ranks, int64_t **shapes) {
  Shape shape = ShapeOf(index, ranks, shapes);
  if (shape == Shape{kUnknownRank}) return shape;
  shape.back() = outputs;
  return shape;
}

}  // namespace

#define KERNEL(name)                                                                          \
  extern "C" PRODUCTS_API int name(int count, void **data, int *ranks, int64_t **shapes,      \
                                   const char **types, void *, void *extra)
#define CALL Call(count, data, ranks, shapes, types, extra)
#define ONE_OUTPUT(name, shape)                                                               \
  extern "C" PRODUCTS_API Shape name##InferShape(int *ranks, int64_t **shapes, void *extra) { \
    (void)ranks, (void)extra;                                                                 \
    return shape;                                                                             \
  }                                                                                           \
  extern "C" PRODUCTS_API TypeId name##InferType(Types, void *) { return kFloat32; }
#define OUTPUTS(name, number, ...)                                                            \
  extern "C" PRODUCTS_API std::vector<Shape> name##InferShape(int *ranks, int64_t **shapes,   \
                                                              void *) {                       \
    return __VA_ARGS__;                                                                       \
  }                                                                                           \
  extern "C" PRODUCTS_API Types name##InferType(Types, void *) {                              \
    return Types(number, kFloat32);                                                           \
  }

// source [..., I], weights [O,I], bias [O] -> [..., O]
KERNEL(DenseForward) { return Dense(CALL, kNothing); }
ONE_OUTPUT(DenseForward, RowsOf(0, shapes[1][0], ranks, shapes))

// and residual [..., O]
KERNEL(DenseSumForward) { return Dense(CALL, kResidual); }
ONE_OUTPUT(DenseSumForward, RowsOf(0, shapes[1][0], ranks, shapes))

// and valid, a number for each row
KERNEL(DenseValidForward) { return Dense(CALL, kValid); }
ONE_OUTPUT(DenseValidForward, RowsOf(0, shapes[1][0], ranks, shapes))

// grad [..., O], weights [O,I] -> [..., I]
KERNEL(DenseGradSource) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  return products_dense_grad_source(call.rows(0), call.size(1, 1), call.size(1, 0), call[0],
                                    call[1], call[2]);
}
ONE_OUTPUT(DenseGradSource, RowsOf(0, shapes[1][1], ranks, shapes))

// grad [..., O], source [..., I] -> [O,I], [O]
KERNEL(DenseGradWeights) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  if (call.rows(0) != call.rows(1)) return PRODUCTS_WRONG_SIZE;
  return products_dense_grad_weights(call.rows(0), call.last(1), call.last(0), call[0], call[1],
                                     call[2], call[3]);
}
OUTPUTS(DenseGradWeights, 2,
        {{shapes[0][ranks[0] - 1], shapes[1][ranks[1] - 1]}, {shapes[0][ranks[0] - 1]}})

// source [B,h,w,I], weights [O,I/G,k,k], bias [O] -> [B,h',w',O]
KERNEL(ConvolutionForward) { return Convolution(CALL, kNothing); }
ONE_OUTPUT(ConvolutionForward, TargetOfConvolution(ranks, shapes, extra))

// and residual [B,h',w',O]
KERNEL(ConvolutionSumForward) { return Convolution(CALL, kResidual); }
ONE_OUTPUT(ConvolutionSumForward, TargetOfConvolution(ranks, shapes, extra))

// and valid, a number for each cell of the target
KERNEL(ConvolutionValidForward) { return Convolution(CALL, kValid); }
ONE_OUTPUT(ConvolutionValidForward, TargetOfConvolution(ranks, shapes, extra))

// source [B,h,w,I] of which only the shape is read, weights, grad [B,h',w',O] -> [B,h,w,I]
KERNEL(ConvolutionGradSource) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  const products_map map = ReadMap(call.shapes[0], call.shapes[1], call.settings.Numbers("place"));
  if (!IsTarget(call, 2, map)) return PRODUCTS_WRONG_SIZE;
  return products_convolution_grad_source(&map, call[2], call[1], call[3]);
}
ONE_OUTPUT(ConvolutionGradSource, ShapeOf(0, ranks, shapes))

// source, weights of which only the shape is read, grad -> [O,I/G,k,k], [O]
KERNEL(ConvolutionGradWeights) {
  const Call call = CALL;
  if (const int status = call.Read(5)) return status;
  const products_map map = ReadMap(call.shapes[0], call.shapes[1], call.settings.Numbers("place"));
  if (!IsTarget(call, 2, map)) return PRODUCTS_WRONG_SIZE;
  return products_convolution_grad_weights(&map, call[2], call[0], call[3], call[4]);
}
OUTPUTS(ConvolutionGradWeights, 2, {ShapeOf(1, ranks, shapes), {shapes[1][0]}})

// grad and what the activation gave (gelu: took), alike -> alike
KERNEL(ActivationGrad) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  if (call.elements(0) != call.elements(1)) return PRODUCTS_WRONG_SIZE;
  return products_activation_grad(call.activation(), call.elements(0), call[0], call[1], call[2]);
}
ONE_OUTPUT(ActivationGrad, ShapeOf(0, ranks, shapes))

// source [..., C], factor: a number for each row -> [..., C]
KERNEL(WeighRows) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  if (call.elements(1) != call.rows(0)) return PRODUCTS_WRONG_SIZE;
  return products_weigh_rows(call.rows(0), call.last(0), call[0], call[1], call[2]);
}
ONE_OUTPUT(WeighRows, ShapeOf(0, ranks, shapes))

// first and second [..., C], and one number a row, of which only the shape is read -> that shape
KERNEL(RowProducts) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  if (call.elements(0) != call.elements(1) || call.elements(2) != call.rows(0)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_row_products(call.rows(0), call.last(0), call[0], call[1], call[3]);
}
ONE_OUTPUT(RowProducts, ShapeOf(2, ranks, shapes))

// weights [O,I,k,k], gamma, beta, mean, variance [O] -> [O,I,k,k], [O]
KERNEL(FoldNorm) {
  const Call call = CALL;
  if (const int status = call.Read(7)) return status;
  const int64_t outputs = call.size(0, 0);
  for (int i = 1; i < 5; ++i) {
    if (call.elements(i) != outputs) return PRODUCTS_WRONG_SIZE;
  }
  return products_fold_norm(outputs, call.elements(0) / outputs, call.settings.Real("epsilon"),
                            call[0], call[1], call[2], call[3], call[4], call[5], call[6]);
}
OUTPUTS(FoldNorm, 2, {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes)})

// grad [O,I,k,k], gamma [O], variance [O] -> [O,I,k,k]
KERNEL(FoldNormGrad) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  const int64_t outputs = call.size(0, 0);
  if (call.elements(1) != outputs || call.elements(2) != outputs) return PRODUCTS_WRONG_SIZE;
  return products_fold_norm_grad(outputs, call.elements(0) / outputs,
                                 call.settings.Real("epsilon"), call[0], call[1], call[2],
                                 call[3]);
}
ONE_OUTPUT(FoldNormGrad, ShapeOf(0, ranks, shapes))

// source [..., C], gamma [C], beta [C] -> [..., C]
KERNEL(LayerNormForward) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  if (call.size(1, 0) != call.last(0) || call.size(2, 0) != call.last(0)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_layer_norm(call.rows(0), call.last(0), call.settings.Real("epsilon"), call[0],
                             call[1], call[2], call[3]);
}
ONE_OUTPUT(LayerNormForward, ShapeOf(0, ranks, shapes))

// source, gamma, grad [..., C] -> [..., C], [C], [C]
KERNEL(LayerNormGrad) {
  const Call call = CALL;
  if (const int status = call.Read(6)) return status;
  if (call.elements(2) != call.elements(0)) return PRODUCTS_WRONG_SIZE;
  return products_layer_norm_grad(call.rows(0), call.last(0), call.settings.Real("epsilon"),
                                  call[0], call[1], call[2], call[3], call[4], call[5]);
}
OUTPUTS(LayerNormGrad, 3,
        {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes), ShapeOf(1, ranks, shapes)})

// source [B,h,w,C], counted [B, cells], gamma [C], beta [C] -> [B,h,w,C]
KERNEL(GroupNormForward) {
  const Call call = CALL;
  if (const int status = call.Read(5)) return status;
  const products_groups groups = ReadGroups(call);
  if (call.elements(1) != call.rows(0)) return PRODUCTS_WRONG_SIZE;
  return products_group_norm(&groups, call.settings.Real("epsilon"), call[0], call[1], call[2],
                             call[3], call[4]);
}
ONE_OUTPUT(GroupNormForward, ShapeOf(0, ranks, shapes))

// source, counted, gamma, grad [B,h,w,C] -> [B,h,w,C], [C], [C]
KERNEL(GroupNormGrad) {
  const Call call = CALL;
  if (const int status = call.Read(7)) return status;
  const products_groups groups = ReadGroups(call);
  if (call.elements(3) != call.elements(0)) return PRODUCTS_WRONG_SIZE;
  return products_group_norm_grad(&groups, call.settings.Real("epsilon"), call[0], call[1],
                                  call[2], call[3], call[4], call[5], call[6]);
}
OUTPUTS(GroupNormGrad, 3,
        {ShapeOf(0, ranks, shapes), ShapeOf(2, ranks, shapes), ShapeOf(2, ranks, shapes)})

// source [B,h,w,C] -> [B,h',w',C]; settings: "window" = kernel, stride, top, bottom, left, right
KERNEL(MaxPoolForward) {
  const Call call = CALL;
  if (const int status = call.Read(2)) return status;
  const products_map map = ReadWindow(call.shapes[0], call.settings);
  return products_max_pool(&map, call[0], call[1]);
}
ONE_OUTPUT(MaxPoolForward, TargetOfPooling(ranks, shapes, extra))

// source, what it gave, grad -> [B,h,w,C]
KERNEL(MaxPoolGrad) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  const products_map map = ReadWindow(call.shapes[0], call.settings);
  if (!IsTarget(call, 1, map) || !IsTarget(call, 2, map)) return PRODUCTS_WRONG_SIZE;
  return products_max_pool_grad(&map, call[0], call[1], call[2], call[3]);
}
ONE_OUTPUT(MaxPoolGrad, ShapeOf(0, ranks, shapes))

// query_key [B,N,2C], value [B,N,C], bias [B or 1, 1, N or 1, N] -> [B,N,C]
KERNEL(AttentionForward) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  products_heads heads;
  if (const int status = ReadHeads(call, &heads)) return status;
  return products_attention(&heads, call[0], call[1], call[2], call[3]);
}
ONE_OUTPUT(AttentionForward, ShapeOf(1, ranks, shapes))

// and grad [B,N,C] -> [B,N,2C], [B,N,C]
KERNEL(AttentionGrad) {
  const Call call = CALL;
  if (const int status = call.Read(6)) return status;
  products_heads heads;
  if (const int status = ReadHeads(call, &heads)) return status;
  return products_attention_grad(&heads, call[0], call[1], call[2], call[3], call[4], call[5]);
}
OUTPUTS(AttentionGrad, 2, {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes)})

// source [B,N,C], position [B,N,C], weights [3C,C], bias [3C] -> [B,N,2C], [B,N,C]
KERNEL(AttentionInputs) {
  const Call call = CALL;
  if (const int status = call.Read(6)) return status;
  const int64_t channels = call.last(0);
  if (call.elements(1) != call.elements(0) || call.elements(2) != 3 * channels * channels ||
      call.elements(3) != 3 * channels) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_attention_inputs(call.rows(0), channels, call.precision(), call[0], call[1],
                                   call[2], call[3], call[4], call[5]);
}
OUTPUTS(AttentionInputs, 2,
        {RowsOf(0, Doubled(shapes[0][ranks[0] - 1]), ranks, shapes), ShapeOf(0, ranks, shapes)})

// source, position, weights, grad_query_key, grad_value -> gradients of the four inputs
KERNEL(AttentionInputsGrad) {
  const Call call = CALL;
  if (const int status = call.Read(9)) return status;
  if (call.elements(3) != 2 * call.elements(0) || call.elements(4) != call.elements(0)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_attention_inputs_grad(call.rows(0), call.last(0), call[0], call[1], call[2],
                                        call[3], call[4], call[5], call[6], call[7], call[8]);
}
OUTPUTS(AttentionInputsGrad, 4,
        {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes), ShapeOf(2, ranks, shapes),
         {shapes[2][0]}})

// any shape -> that shape
KERNEL(BoxSigmoid) {
  const Call call = CALL;
  if (const int status = call.Read(2)) return status;
  return products_box_sigmoid(call.elements(0), call[0], call[1]);
}
ONE_OUTPUT(BoxSigmoid, ShapeOf(0, ranks, shapes))

// grad and target, alike -> alike
KERNEL(BoxSigmoidGrad) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  if (call.elements(0) != call.elements(1)) return PRODUCTS_WRONG_SIZE;
  return products_box_sigmoid_grad(call.elements(0), call[0], call[1], call[2]);
}
ONE_OUTPUT(BoxSigmoidGrad, ShapeOf(0, ranks, shapes))

// any shape -> that shape
KERNEL(InverseSigmoid) {
  const Call call = CALL;
  if (const int status = call.Read(2)) return status;
  return products_inverse_sigmoid(call.elements(0), call.settings.Real("epsilon"), call[0],
                                  call[1]);
}
ONE_OUTPUT(InverseSigmoid, ShapeOf(0, ranks, shapes))

// grad and source, alike -> alike
KERNEL(InverseSigmoidGrad) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  if (call.elements(0) != call.elements(1)) return PRODUCTS_WRONG_SIZE;
  return products_inverse_sigmoid_grad(call.elements(0), call.settings.Real("epsilon"), call[0],
                                       call[1], call[2]);
}
ONE_OUTPUT(InverseSigmoidGrad, ShapeOf(0, ranks, shapes))

// any shape -> alike
KERNEL(GeluForward) {
  const Call call = CALL;
  if (const int status = call.Read(2)) return status;
  return products_gelu(call.elements(0), call[0], call[1]);
}
ONE_OUTPUT(GeluForward, ShapeOf(0, ranks, shapes))

// residual [B, ...], branch alike, factor [B] -> [B, ...]
KERNEL(ScaledSumForward) {
  const Call call = CALL;
  if (const int status = call.Read(4)) return status;
  const int64_t batch = call.elements(2);
  if (call.size(0, 0) != batch || call.elements(1) != call.elements(0)) return PRODUCTS_WRONG_SIZE;
  return products_scaled_sum(batch, batch ? call.elements(0) / batch : 0, call[0], call[1],
                             call[2], call[3]);
}
ONE_OUTPUT(ScaledSumForward, ShapeOf(0, ranks, shapes))

// grad [B, ...], factor [B] -> [B, ...]
KERNEL(ScaledSumGrad) {
  const Call call = CALL;
  if (const int status = call.Read(3)) return status;
  const int64_t batch = call.elements(1);
  if (call.size(0, 0) != batch) return PRODUCTS_WRONG_SIZE;
  return products_scaled_sum(batch, batch ? call.elements(0) / batch : 0, nullptr, call[0],
                             call[1], call[2]);
}
ONE_OUTPUT(ScaledSumGrad, ShapeOf(0, ranks, shapes))

// qkv [B,h,w,3C], outside [3C], table [T,M], extents [B,2] -> [B,h,w,C]
KERNEL(WindowAttentionForward) {
  const Call call = CALL;
  if (const int status = call.Read(5)) return status;
  products_windows windows;
  if (const int status = ReadWindows(call, &windows)) return status;
  return products_window_attention(&windows, call[0], call[1], call[2], call[3], call[4]);
}
ONE_OUTPUT(WindowAttentionForward, RowsOf(0, shapes[0][ranks[0] - 1] / 3, ranks, shapes))

// and grad [B,h,w,C] -> [B,h,w,3C], [3C], [T,M]
KERNEL(WindowAttentionGrad) {
  const Call call = CALL;
  if (const int status = call.Read(8)) return status;
  products_windows windows;
  if (const int status = ReadWindows(call, &windows)) return status;
  if (3 * call.elements(4) != call.elements(0)) return PRODUCTS_WRONG_SIZE;
  return products_window_attention_grad(&windows, call[0], call[1], call[2], call[3], call[4],
                                        call[5], call[6], call[7]);
}
OUTPUTS(WindowAttentionGrad, 3,
        {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes), ShapeOf(2, ranks, shapes)})

// source [B, ..., C], gamma, beta [C], first [H,C], its bias [H], second [C,H], its bias [C],
// factor [B] -> [B, ..., C], GELU's argument [B, ..., H]
KERNEL(PerceptronBranchForward) {
  const Call call = CALL;
  if (const int status = call.Read(10)) return status;
  products_perceptron perceptron;
  if (const int status = ReadPerceptron(call, 5, 7, &perceptron)) return status;
  if (call.elements(4) != perceptron.hidden || call.elements(6) != perceptron.channels) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_perceptron_branch(&perceptron, call.settings.Real("epsilon"), call[0], call[1],
                                    call[2], call[3], call[4], call[5], call[6], call[7], call[8],
                                    call[9]);
}
OUTPUTS(PerceptronBranchForward, 2,
        {ShapeOf(0, ranks, shapes), RowsOf(0, shapes[3][0], ranks, shapes)})

// source, gamma, beta, first, second, factor, GELU's argument, grad [B, ..., C] -> gradients of
// source, gamma, beta, first, its bias, second, its bias
KERNEL(PerceptronBranchGrad) {
  const Call call = CALL;
  if (const int status = call.Read(15)) return status;
  products_perceptron perceptron;
  if (const int status = ReadPerceptron(call, 4, 5, &perceptron)) return status;
  if (call.elements(6) != call.rows(0) * perceptron.hidden ||
      call.elements(7) != call.elements(0)) {
    return PRODUCTS_WRONG_SIZE;
  }
  return products_perceptron_branch_grad(
      &perceptron, call.settings.Real("epsilon"), call[0], call[1], call[2], call[3], call[4],
      call[5], call[6], call[7], call[8], call[9], call[10], call[11], call[12], call[13],
      call[14]);
}
OUTPUTS(PerceptronBranchGrad, 7,
        {ShapeOf(0, ranks, shapes), ShapeOf(1, ranks, shapes), ShapeOf(1, ranks, shapes),
         ShapeOf(3, ranks, shapes), {shapes[3][0]}, ShapeOf(4, ranks, shapes), {shapes[4][0]}})

int products_interface(void) { return PRODUCTS_INTERFACE; }

