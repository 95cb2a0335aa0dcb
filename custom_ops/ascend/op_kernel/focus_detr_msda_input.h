// The inputs of a tile that lie one after another: locations, attention weights and, in the
// backward pass, the gradient of the output. The next tile's are copied while one is worked on.
#ifndef FOCUS_DETR_MSDA_INPUT_H
#define FOCUS_DETR_MSDA_INPUT_H

#include "focus_detr_msda_sync.h"

namespace focus_detr {

// Some neighbouring items of all.
struct Tile {
    uint32_t firstItem;
    uint32_t items;
};

__aicore__ inline uint32_t FirstItem(const Plan& plan) {
    const uint64_t first = static_cast<uint64_t>(AscendC::GetBlockIdx()) * plan.itemsPerCore;
    return first < plan.items ? static_cast<uint32_t>(first) : plan.items;
}

__aicore__ inline uint32_t LastItem(const Plan& plan) {
    return FirstItem(plan) + Smaller(plan.itemsPerCore, plan.items - FirstItem(plan));
}

// Copy of `items` pieces of `numbers` each; in the unified buffer each piece starts a block.
template <typename T>
__aicore__ inline AscendC::DataCopyExtParams Pieces(uint32_t items, uint32_t numbers) {
    AscendC::DataCopyExtParams pieces;
    pieces.blockCount = static_cast<uint16_t>(items);
    pieces.blockLen = numbers * sizeof(T);
    return pieces;
}

// Blocks between the locations of one item and the next: two arrays of samplePitch need up to one
// block more than twice the samples.
__aicore__ inline uint32_t LocationGap(const Plan& plan) {
    const uint32_t used = (2 * plan.samples + kFloatsPerBlock - 1) / kFloatsPerBlock;
    return 2 * plan.samplePitch / kFloatsPerBlock - used;
}

template <typename T, bool withGradient>
class TileInput {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan,
                                GM_ADDR locations, GM_ADDR attention, GM_ADDR gradient) {
        plan_ = &plan;
        const uint64_t samples = static_cast<uint64_t>(plan.items) * plan.samples;
        locations_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(locations), 2 * samples);
        attention_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(attention), samples);
        uint32_t bytes = 3 * plan.tileSamples * sizeof(float);
        if constexpr (withGradient) {
            gradient_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(gradient),
                                      static_cast<uint64_t>(plan.items) * plan.depth);
            bytes += plan.tileItems * plan.depthPitch * sizeof(T);
        }
        pipe->InitBuffer(queue_, kHalves, bytes);
    }

    __aicore__ inline void Start(const Tile& tile) {
        const FloatTensor target = queue_.template AllocTensor<float>();
        const AscendC::DataCopyPadExtParams<float> noPadding;
        const uint64_t sample = static_cast<uint64_t>(tile.firstItem) * plan_->samples;
        auto pieces = Pieces<float>(tile.items, plan_->samples);
        AscendC::DataCopyPad(Attention(target), attention_[sample], pieces, noPadding);
        pieces = Pieces<float>(tile.items, 2 * plan_->samples);
        pieces.dstStride = LocationGap(*plan_);
        AscendC::DataCopyPad(Locations(target), locations_[2 * sample], pieces, noPadding);
        if constexpr (withGradient) CopyGradient(target, tile);
        queue_.EnQue(target);
    }

    __aicore__ inline FloatTensor Receive() { return queue_.template DeQue<float>(); }
    __aicore__ inline void Release(FloatTensor& input) { queue_.FreeTensor(input); }

    // Parts of a received input.
    __aicore__ inline FloatTensor Locations(const FloatTensor& input) const { return input; }
    __aicore__ inline FloatTensor Attention(const FloatTensor& input) const {
        return input[2 * plan_->tileSamples];
    }
    __aicore__ inline AscendC::LocalTensor<T> Gradient(const FloatTensor& input) const {
        return input[3 * plan_->tileSamples].template ReinterpretCast<T>();
    }

private:
    __aicore__ inline void CopyGradient(const FloatTensor& target, const Tile& tile) {
        const AscendC::DataCopyPadExtParams<T> noPadding;
        const uint64_t element = static_cast<uint64_t>(tile.firstItem) * plan_->depth;
        AscendC::DataCopyPad(Gradient(target), gradient_[element],
                             Pieces<T>(tile.items, plan_->depth), noPadding);
    }

    const Plan* plan_ = nullptr;
    AscendC::GlobalTensor<float> locations_, attention_;
    AscendC::GlobalTensor<T> gradient_;
    AscendC::TQue<AscendC::TPosition::VECIN, kHalves> queue_;
};

// Calls `kernel.RunTile(tile)` for each tile of this core, the next tile's input on its way
// meanwhile.
template <typename Input, typename Kernel>
__aicore__ inline void RunTiles(const Plan& plan, Input& input, Kernel& kernel) {
    const uint32_t last = LastItem(plan);
    Tile tile = {FirstItem(plan), Smaller(plan.tileItems, last - FirstItem(plan))};
    if (tile.items > 0) input.Start(tile);
    while (tile.items > 0) {
        const uint32_t first = tile.firstItem + tile.items;
        const Tile next = {first, Smaller(plan.tileItems, last - first)};
        if (next.items > 0) input.Start(next);
        kernel.RunTile(tile);
        tile = next;
    }
}

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_INPUT_H
