// Vector instructions: on the first `count` numbers, or with a mask of lanes, repeats and strides.
#pragma once

#include "memory.h"

namespace AscendC {

enum class RoundMode { CAST_NONE, CAST_RINT, CAST_FLOOR };
enum class CMPMODE { LT, GT };
enum class SELMODE { VSEL_TENSOR_SCALAR_MODE };

// Strides in 32-byte blocks: between blocks of a repeat, and between repeats.
struct BinaryRepeatParams {
    BinaryRepeatParams(uint8_t dstBlock, uint8_t src0Block, uint8_t src1Block, uint8_t dstRepeat,
                       uint8_t src0Repeat, uint8_t src1Repeat)
        : block{dstBlock, src0Block, src1Block}, repeat{dstRepeat, src0Repeat, src1Repeat} {}
    uint8_t block[3], repeat[3];
};

struct BrcbRepeatParams {
    uint16_t dstBlkStride, dstRepStride;
};

struct GatherMaskParams {
    uint8_t src0BlockStride;
    uint16_t repeatTimes, src0RepeatStride;
    uint8_t src1RepeatStride;
};

template <typename T>
const T* Input(const LocalTensor<T>& tensor, size_t index, size_t count) {
    const T* const numbers = tensor.At(index, count);
    emulator::core->Read(PIPE_V, tensor.Offset(index), count * sizeof(T));
    return numbers;
}

template <typename T>
T* Output(const LocalTensor<T>& tensor, size_t index, size_t count) {
    T* const numbers = tensor.At(index, count);
    emulator::core->Write(PIPE_V, tensor.Offset(index), count * sizeof(T));
    return numbers;
}

template <typename... Tensors>
void BeginVector(int64_t count, const Tensors&... tensors) {
    emulator::Check(count > 0, "vector instruction without numbers");
    (tensors.CheckAligned(), ...);
    emulator::core->Begin(PIPE_V);
}

// Element-wise on the first `count` numbers; inputs and output may be the same tensor, but a
// result must not depend on the order of the elements.
template <typename To, typename A, typename Function>
void Unary(const LocalTensor<To>& to, const LocalTensor<A>& a, int32_t count, Function function) {
    BeginVector(count, to, a);
    const A* const numbers = Input(a, 0, count);
    const std::vector<A> copy(numbers, numbers + count);
    To* const results = Output(to, 0, count);
    for (int32_t i = 0; i < count; ++i) results[i] = function(copy[i]);
}

template <typename T, typename Function>
void Binary(const LocalTensor<T>& to, const LocalTensor<T>& a, const LocalTensor<T>& b,
            int32_t count, Function function) {
    BeginVector(count, to, a, b);
    const T* const left = Input(a, 0, count);
    const T* const right = Input(b, 0, count);
    std::vector<T> results(count);
    for (int32_t i = 0; i < count; ++i) results[i] = function(left[i], right[i]);
    std::copy(results.begin(), results.end(), Output(to, 0, count));
}

// Element-wise on `lanes` numbers of each repeat. Only float32 is emulated.
template <typename Function>
void Repeated(const LocalTensor<float>& to, const LocalTensor<float>& a,
              const LocalTensor<float>& b, uint64_t lanes, uint8_t repeats,
              const BinaryRepeatParams& stride, Function function) {
    BeginVector(repeats, to, a, b);
    emulator::Check(lanes >= 1 && lanes <= 64, "1 to 64 lanes");
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
        for (size_t lane = 0; lane < lanes; lane += 8) {
            const size_t count = std::min<size_t>(8, lanes - lane);
            const auto at = [&](int operand) {
                return 8 * (repeat * stride.repeat[operand] + lane / 8 * stride.block[operand]);
            };
            const float* const left = Input(a, at(1), count);
            const float* const right = Input(b, at(2), count);
            float* const result = Output(to, at(0), count);
            for (size_t i = 0; i < count; ++i) result[i] = function(result[i], left[i], right[i]);
        }
    }
}

#define EMULATE_BINARY(NAME, EXPRESSION)                                                         \
    template <typename T>                                                                        \
    void NAME(const LocalTensor<T>& to, const LocalTensor<T>& a, const LocalTensor<T>& b,        \
              int32_t count) {                                                                   \
        Binary(to, a, b, count, [](T x, T y) { return static_cast<T>(EXPRESSION); });            \
    }
EMULATE_BINARY(Add, x + y)
EMULATE_BINARY(Sub, x - y)
EMULATE_BINARY(Mul, x * y)
EMULATE_BINARY(Min, y < x ? y : x)
EMULATE_BINARY(And, x & y)
#undef EMULATE_BINARY

#define EMULATE_WITH_SCALAR(NAME, EXPRESSION)                                                    \
    template <typename T>                                                                        \
    void NAME(const LocalTensor<T>& to, const LocalTensor<T>& a, T y, int32_t count) {           \
        Unary(to, a, count, [y](T x) { return static_cast<T>(EXPRESSION); });                    \
    }
EMULATE_WITH_SCALAR(Adds, x + y)
EMULATE_WITH_SCALAR(Muls, x * y)
EMULATE_WITH_SCALAR(Maxs, x < y ? y : x)
EMULATE_WITH_SCALAR(Mins, y < x ? y : x)
#undef EMULATE_WITH_SCALAR

inline void Mul(const LocalTensor<float>& to, const LocalTensor<float>& a,
                const LocalTensor<float>& b, uint64_t lanes, uint8_t repeats,
                const BinaryRepeatParams& stride) {
    Repeated(to, a, b, lanes, repeats, stride, [](float, float x, float y) { return x * y; });
}

inline void MulAddDst(const LocalTensor<float>& to, const LocalTensor<float>& a,
                      const LocalTensor<float>& b, uint64_t lanes, uint8_t repeats,
                      const BinaryRepeatParams& stride) {
    Repeated(to, a, b, lanes, repeats, stride,
             [](float sum, float x, float y) { return sum + x * y; });
}

inline void MulAddDst(const LocalTensor<float>& to, const LocalTensor<float>& a,
                      const LocalTensor<float>& b, int32_t count) {
    BeginVector(count, to, a, b);
    const float* const left = Input(a, 0, count);
    const float* const right = Input(b, 0, count);
    float* const sums = Output(to, 0, count);
    for (int32_t i = 0; i < count; ++i) sums[i] += left[i] * right[i];
}

template <typename T>
void Duplicate(const LocalTensor<T>& to, T value, int32_t count) {
    BeginVector(count, to);
    std::fill_n(Output(to, 0, count), count, value);
}

template <typename To, typename From>
void Cast(const LocalTensor<To>& to, const LocalTensor<From>& from, RoundMode mode,
          int32_t count) {
    constexpr bool toInteger = std::numeric_limits<To>::is_integer;
    emulator::Check(toInteger == (mode == RoundMode::CAST_FLOOR), "cast: rounding mode");
    Unary(to, from, count, [](From x) {
        const float number = static_cast<float>(x);
        return static_cast<To>(toInteger ? std::floor(number) : number);
    });
}

// One bit for each comparison; whole vector instructions only.
template <typename Compare>
void WriteBits(const LocalTensor<uint8_t>& to, uint32_t count, Compare compare) {
    emulator::Check(count % 64 == 0, "comparison: not a multiple of 256 bytes");
    uint8_t* const bits = Output(to, 0, count / 8);
    std::fill_n(bits, count / 8, 0);
    for (uint32_t i = 0; i < count; ++i) bits[i / 8] |= static_cast<uint8_t>(compare(i)) << i % 8;
}

inline void Compare(const LocalTensor<uint8_t>& to, const LocalTensor<float>& a,
                    const LocalTensor<float>& b, CMPMODE mode, uint32_t count) {
    BeginVector(count, to, a, b);
    const float* const left = Input(a, 0, count);
    const float* const right = Input(b, 0, count);
    WriteBits(to, count, [&](uint32_t i) {
        return mode == CMPMODE::LT ? left[i] < right[i] : left[i] > right[i];
    });
}

inline void CompareScalar(const LocalTensor<uint8_t>& to, const LocalTensor<float>& a, float limit,
                          CMPMODE mode, uint32_t count) {
    BeginVector(count, to, a);
    const float* const numbers = Input(a, 0, count);
    WriteBits(to, count, [&](uint32_t i) {
        return mode == CMPMODE::LT ? numbers[i] < limit : numbers[i] > limit;
    });
}

inline void Select(const LocalTensor<float>& to, const LocalTensor<uint8_t>& mask,
                   const LocalTensor<float>& a, float otherwise, SELMODE, uint32_t count) {
    BeginVector(count, to, mask, a);
    const uint8_t* const bits = Input(mask, 0, (count + 7) / 8);
    const float* const numbers = Input(a, 0, count);
    float* const results = Output(to, 0, count);
    for (uint32_t i = 0; i < count; ++i) {
        results[i] = bits[i / 8] >> i % 8 & 1 ? numbers[i] : otherwise;
    }
}

// Each of 8 numbers fills one block.
inline void Brcb(const LocalTensor<float>& to, const LocalTensor<float>& from, uint8_t repeats,
                 const BrcbRepeatParams& stride) {
    BeginVector(repeats, to, from);
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
        const float* const numbers = Input(from, repeat * 8, 8);
        for (size_t i = 0; i < 8; ++i) {
            const size_t block = repeat * stride.dstRepStride + i * stride.dstBlkStride;
            std::fill_n(Output(to, block * 8, 8), 8, numbers[i]);
        }
    }
}

// Patterns 1 and 2 keep the even and the odd numbers.
inline void GatherMask(const LocalTensor<float>& to, const LocalTensor<float>& from,
                       uint8_t pattern, bool reduceMode, uint32_t, const GatherMaskParams& params,
                       uint64_t& kept) {
    const size_t count = 64 * static_cast<size_t>(params.repeatTimes);
    BeginVector(count, to, from);
    emulator::Check(params.repeatTimes <= 255, "gather mask: more than 255 repeats");
    emulator::Check((pattern == 1 || pattern == 2) && !reduceMode && params.src0BlockStride == 1 &&
                        params.src0RepeatStride == 8,
                    "gather mask: not emulated");
    const float* const numbers = Input(from, 0, count);
    kept = count / 2;
    float* const results = Output(to, 0, kept);
    for (size_t i = 0; i < kept; ++i) results[i] = numbers[2 * i + pattern - 1];
}

// to[i] = the number at byte base + offsets[i] of `from`.
inline void Gather(const LocalTensor<float>& to, const LocalTensor<float>& from,
                   const LocalTensor<uint32_t>& offsets, uint32_t base, uint32_t count) {
    BeginVector(count, to, from, offsets);
    const uint32_t* const places = Input(offsets, 0, count);
    float* const results = Output(to, 0, count);
    for (uint32_t i = 0; i < count; ++i) {
        emulator::Check((base + places[i]) % sizeof(float) == 0, "gather: misaligned offset");
        results[i] = *Input(from, (base + places[i]) / sizeof(float), 1);
    }
}

// One sum for each repeat; strides of the source in blocks, of the result in numbers.
inline void WholeReduceSum(const LocalTensor<float>& to, const LocalTensor<float>& from,
                           int32_t lanes, int32_t repeats, int32_t resultStride,
                           int32_t blockStride, int32_t repeatStride) {
    BeginVector(repeats, to, from);
    emulator::Check(lanes >= 1 && lanes <= 64 && repeats <= 255, "reduction: lanes or repeats");
    emulator::Check(blockStride == 1, "reduction: block stride is not emulated");
    for (int32_t repeat = 0; repeat < repeats; ++repeat) {
        const float* const numbers = Input(from, 8 * repeat * repeatStride, lanes);
        float sum = 0.0f;
        for (int32_t lane = 0; lane < lanes; ++lane) sum += numbers[lane];
        *Output(to, repeat * resultStride, 1) = sum;
    }
}

}  // namespace AscendC
