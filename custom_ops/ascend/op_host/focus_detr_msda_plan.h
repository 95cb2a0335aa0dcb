// How the work of both operators is divided: over cores, into tiles, into row fetches.
//
// Plain C++ without CANN, so that the tests run the same arithmetic. The kernels allocate exactly
// what `ForwardBytes` and `BackwardBytes` count; the tests compare the two.
//
// Shape letters: B batch, N tokens, Q queries, M heads, D = C/M channels per head, L levels,
// P points. An item is one head of one query, so there are B*Q*M items with L*P samples each.
#ifndef FOCUS_DETR_MSDA_PLAN_H
#define FOCUS_DETR_MSDA_PLAN_H

#include <algorithm>
#include <cstdint>

namespace focus_detr {

constexpr uint32_t kBlockBytes = 32;      // what the unified buffer is addressed in
constexpr uint32_t kBlockFloats = 8;      // float32 numbers of a block
constexpr uint32_t kVectorFloats = 64;    // float32 lanes of a vector instruction
constexpr uint32_t kCornersPerSample = 4;
constexpr uint32_t kFetchBytes = 16 * 1024;  // aim for the float32 rows of one fetch
constexpr uint64_t kReservedBytes = 8 * 1024;  // the buffer's end, scratch of CANN's Select
constexpr uint32_t kMostRepeats = 248;    // a repeat count is a byte; a multiple of 8
constexpr uint32_t kMostTileSamples = 8128;  // splitting x from y takes 2 / 64 repeats a sample
constexpr uint32_t kMostTileItems = 4095;    // blocks of one copy
constexpr uint64_t kMostTokens = 1u << 27;   // a row number carries four bits beside it
constexpr uint64_t kMostItems = 1u << 31;

enum class Pass { kForward, kBackward };

struct MsdaShape {
    uint64_t batch, tokens, heads, depth, queries, levels, points;
    uint32_t valueBytes;  // 4 for float32, 2 for float16 and bfloat16
};

// Numbers of the plan, which are the tiling data of both operators, all uint32_t:
//   samples       L*P, of an item
//   samplePitch   the same in whole blocks of float32
//   depthPitch    D in whole blocks of the value's type
//   fetchSamples  samples of one row fetch, a multiple of 8
//   tileItems     items of a tile, and
//   tileSamples   their samples in whole vector instructions
//   items         B*Q*M
//   cores         to start, at least 1
#define FOCUS_DETR_MSDA_PLAN(FIELD)                                                          \
    FIELD(batch) FIELD(tokens) FIELD(heads) FIELD(depth)                                     \
    FIELD(queries) FIELD(levels) FIELD(points)                                               \
    FIELD(samples) FIELD(samplePitch) FIELD(depthPitch) FIELD(fetchSamples)                  \
    FIELD(tileItems) FIELD(tileSamples) FIELD(items) FIELD(itemsPerCore) FIELD(cores)

struct MsdaPlan {
#define FOCUS_DETR_MSDA_MEMBER(name) uint32_t name;
    FOCUS_DETR_MSDA_PLAN(FOCUS_DETR_MSDA_MEMBER)
#undef FOCUS_DETR_MSDA_MEMBER
};

template <typename Number>
constexpr Number CeilDivide(Number number, Number divisor) {
    return (number + divisor - 1) / divisor;
}

template <typename Number>
constexpr Number AlignUp(Number number, Number multiple) {
    return CeilDivide(number, multiple) * multiple;
}

// Bytes of the buffers that both kernels have.
inline uint64_t SharedBytes(const MsdaPlan& plan, uint32_t valueBytes) {
    const uint64_t perSample = 3 * 2 + 5 + 14;  // two inputs of 3, constants, working arrays
    const uint64_t mask = AlignUp(plan.tileSamples / 8, kBlockBytes);
    const uint64_t rows =
        static_cast<uint64_t>(kCornersPerSample) * plan.fetchSamples * plan.depthPitch;
    const uint64_t shares = kCornersPerSample * plan.fetchSamples * kBlockBytes;
    const uint64_t widened = valueBytes == sizeof(float) ? 0 : rows * sizeof(float);
    return perSample * plan.tileSamples * sizeof(float) + 4 * mask + 2 * rows * valueBytes +
           widened + shares;
}

inline uint64_t ForwardBytes(const MsdaPlan& plan, uint32_t valueBytes) {
    const uint64_t sums = static_cast<uint64_t>(plan.fetchSamples) * plan.depthPitch;
    const uint64_t results = static_cast<uint64_t>(plan.tileItems) * plan.depthPitch;
    return SharedBytes(plan, valueBytes) + sums * sizeof(float) +
           results * (sizeof(float) + 2 * valueBytes);
}

inline uint64_t BackwardBytes(const MsdaPlan& plan, uint32_t valueBytes) {
    const uint64_t perSample = 4 + 2 + 2 + 3;  // dots, x and y gradients, order, output
    const uint64_t gradients = static_cast<uint64_t>(plan.tileItems) * plan.depthPitch;
    const uint64_t fetched = static_cast<uint64_t>(kCornersPerSample) * plan.fetchSamples;
    const uint64_t products = std::min(plan.depthPitch, kVectorFloats);
    return SharedBytes(plan, valueBytes) + perSample * plan.tileSamples * sizeof(float) +
           gradients * (sizeof(float) + 2 * valueBytes) +
           fetched * (products + 2 * plan.depthPitch) * sizeof(float);
}

inline uint64_t BufferBytes(const MsdaPlan& plan, uint32_t valueBytes, Pass pass) {
    return pass == Pass::kForward ? ForwardBytes(plan, valueBytes)
                                  : BackwardBytes(plan, valueBytes);
}

// Samples of one fetch: as many rows as the aim allows, at least one block of weights.
inline uint32_t FetchSamples(uint32_t samplePitch, uint32_t depthPitch) {
    const uint32_t sampleBytes = kCornersPerSample * depthPitch * sizeof(float);
    const uint32_t wanted = kFetchBytes / sampleBytes / kBlockFloats * kBlockFloats;
    const uint32_t most = std::min(samplePitch, kMostRepeats);
    return std::max(std::min(wanted, most), kBlockFloats);
}

inline void SetTileItems(MsdaPlan& plan, uint32_t tileItems) {
    plan.tileItems = tileItems;
    plan.tileSamples = AlignUp(tileItems * plan.samplePitch, kVectorFloats);
}

inline bool InLimits(const MsdaShape& shape) {
    const uint64_t samples = shape.levels * shape.points;
    const uint64_t items = shape.batch * shape.queries * shape.heads;
    return shape.depth > 0 && shape.depth <= kVectorFloats * 8 && samples > 0 && shape.heads > 0 &&
           samples <= kMostTileSamples && shape.tokens < kMostTokens && items < kMostItems;
}

// Fills `plan`; false if the shape is beyond the limits or one item does not fit the buffer.
inline bool MakePlan(const MsdaShape& shape, Pass pass, uint32_t cores, uint64_t bufferBytes,
                     MsdaPlan& plan) {
    if (!InLimits(shape) || cores == 0) return false;
    plan.batch = static_cast<uint32_t>(shape.batch);
    plan.tokens = static_cast<uint32_t>(shape.tokens);
    plan.heads = static_cast<uint32_t>(shape.heads);
    plan.depth = static_cast<uint32_t>(shape.depth);
    plan.queries = static_cast<uint32_t>(shape.queries);
    plan.levels = static_cast<uint32_t>(shape.levels);
    plan.points = static_cast<uint32_t>(shape.points);
    plan.samples = plan.levels * plan.points;
    plan.samplePitch = AlignUp(plan.samples, kBlockFloats);
    plan.depthPitch = AlignUp(plan.depth, kBlockBytes / shape.valueBytes);
    plan.fetchSamples = FetchSamples(plan.samplePitch, plan.depthPitch);
    plan.items = plan.batch * plan.queries * plan.heads;
    // Shares first, tiles second: with few queries every core gets a small tile.
    plan.itemsPerCore = std::max(CeilDivide(plan.items, cores), 1u);
    // Backward also clears the value's gradient, and every core has a part in that.
    plan.cores = pass == Pass::kBackward
                     ? cores
                     : std::max(CeilDivide(plan.items, plan.itemsPerCore), 1u);
    const uint32_t most = std::min(kMostTileItems, kMostTileSamples / plan.samplePitch);
    for (uint32_t items = std::min(plan.itemsPerCore, most); items > 0; --items) {
        SetTileItems(plan, items);
        if (BufferBytes(plan, shape.valueBytes, pass) + kReservedBytes <= bufferBytes) return true;
    }
    return false;
}

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_PLAN_H
