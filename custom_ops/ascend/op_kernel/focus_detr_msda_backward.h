// Backward pass: gradients of the value, the locations and the attention weights.
//
// Inputs as in the forward pass (focus_detr_msda_forward.h) and
//   grad_output     [B, Q, M*D]         the value's type
// Outputs
//   grad_value      [B, N, M, D]        float32, added up atomically
//   grad_locations  [B, Q, M, L, P, 2]  float32
//   grad_weights    [B, Q, M, L, P]     float32
#ifndef FOCUS_DETR_MSDA_BACKWARD_H
#define FOCUS_DETR_MSDA_BACKWARD_H

#include "focus_detr_msda_sample_gradients.h"
#include "focus_detr_msda_scatter.h"

namespace focus_detr {

template <typename T>
class MsdaBackward {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan, GM_ADDR value,
                                GM_ADDR shapes, GM_ADDR starts, GM_ADDR locations,
                                GM_ADDR attention, GM_ADDR gradOutput, GM_ADDR gradValue,
                                GM_ADDR gradLocations, GM_ADDR gradWeights) {
        plan_ = &plan;
        input_.Init(pipe, plan, locations, attention, gradOutput);
        samples_.Init(pipe, plan, shapes, starts);
        fetches_.Init(plan);
        rows_.Init(pipe, plan, value);
        weights_.Init(pipe, plan);
        scatter_.Init(pipe, plan, gradValue);
        gradients_.Init(pipe, plan, gradLocations, gradWeights);
        productPitch_ = Smaller(plan.depthPitch, kLanes);
        pipe->InitBuffer(products_,
                         kCorners * plan.fetchSamples * productPitch_ * sizeof(float));
        pipe->InitBuffer(gradient_, plan.tileItems * plan.depthPitch * sizeof(float));
    }

    __aicore__ inline void Run() {
        scatter_.ClearGradient();
        RunTiles(*plan_, input_, *this);
        rows_.Finish();
        scatter_.Finish();
    }

    __aicore__ inline void RunTile(const Tile& tile) {
        FloatTensor input = input_.Receive();
        samples_.Prepare(input_.Locations(input), input_.Attention(input));
        Widen(gradient_.Get<float>(), input_.Gradient(input), tile.items * plan_->depthPitch);
        VectorBarrier();
        input_.Release(input);
        const uint32_t count = fetches_.Count(tile.items);
        rows_.Start(samples_, fetches_.At(tile.firstItem, 0), 0);
        for (uint32_t i = 0; i < count; ++i) {
            if (i + 1 < count) {
                rows_.Start(samples_, fetches_.At(tile.firstItem, i + 1), (i + 1) % kHalves);
            }
            Differentiate(fetches_.At(tile.firstItem, i), i % kHalves);
        }
        samples_.Finish();
        gradients_.Write(samples_, tile);
    }

private:
    __aicore__ inline void Differentiate(const Fetch& fetch, uint32_t half) {
        const FloatTensor gradient = gradient_.Get<float>()[fetch.item * plan_->depthPitch];
        weights_.Spread(samples_, fetch);
        scatter_.Add(samples_, fetch, gradient, weights_, half);
        const FloatTensor rows = rows_.Receive(half);
        for (uint32_t corner = 0; corner < kCorners; ++corner) {
            const uint32_t row = corner * plan_->fetchSamples;
            Multiply(products_.Get<float>()[row * productPitch_], rows[row * plan_->depthPitch],
                     gradient, fetch.padded);
        }
        rows_.Release(half);
        const uint32_t lanes = Smaller(plan_->depth, kLanes);
        for (uint32_t corner = 0; corner < kCorners; ++corner) {
            const uint32_t row = corner * plan_->fetchSamples;
            AscendC::WholeReduceSum(gradients_.Dots(corner)[fetch.sample],
                                    products_.Get<float>()[row * productPitch_], lanes,
                                    fetch.padded, 1, 1, productPitch_ / kFloatsPerBlock);
        }
        VectorBarrier();
    }

    // products[sample] = rows[sample] * gradient, further channels added to the first 64.
    __aicore__ inline void Multiply(const FloatTensor& products, const FloatTensor& rows,
                                    const FloatTensor& gradient, uint32_t count) {
        const uint8_t repeats = static_cast<uint8_t>(count);
        const AscendC::BinaryRepeatParams strides(1, 1, 1, productPitch_ / kFloatsPerBlock,
                                                  plan_->depthPitch / kFloatsPerBlock, 0);
        for (uint32_t first = 0; first < plan_->depth; first += kLanes) {
            const uint64_t lanes = Smaller(kLanes, plan_->depth - first);
            if (first == 0) {
                AscendC::Mul(products, rows, gradient, lanes, repeats, strides);
            } else {
                AscendC::MulAddDst(products, rows[first], gradient[first], lanes, repeats,
                                   strides);
            }
            VectorBarrier();
        }
    }

    const Plan* plan_ = nullptr;
    uint32_t productPitch_ = 0;
    TileInput<T, true> input_;
    Samples samples_;
    FetchList fetches_;
    RowFetcher<T> rows_;
    SpreadWeights weights_;
    ValueScatter scatter_;
    SampleGradients gradients_;
    LocalBuffer products_, gradient_;
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_BACKWARD_H
