// Gradients of a tile's locations and attention weights.
#ifndef FOCUS_DETR_MSDA_SAMPLE_GRADIENTS_H
#define FOCUS_DETR_MSDA_SAMPLE_GRADIENTS_H

#include "focus_detr_msda_input.h"
#include "focus_detr_msda_samples.h"

namespace focus_detr {

// The output's gradient enters only as its dot
// products with the four corner rows of each sample.
class SampleGradients {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan, GM_ADDR locations,
                                GM_ADDR weights) {
        plan_ = &plan;
        count_ = plan.tileSamples;
        const uint64_t samples = static_cast<uint64_t>(plan.items) * plan.samples;
        locations_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(locations), 2 * samples);
        weights_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(weights), samples);
        pipe->InitBuffer(dots_, kCorners * count_ * sizeof(float));
        pipe->InitBuffer(axes_, 2 * count_ * sizeof(float));
        pipe->InitBuffer(order_, 2 * count_ * sizeof(uint32_t));
        pipe->InitBuffer(queue_, 1, 3 * count_ * sizeof(float));
        WriteOrder();
        Join<AscendC::HardEvent::S_V>(pipe);
    }

    // Where the dot products with the rows of a corner belong.
    __aicore__ inline FloatTensor Dots(uint32_t corner) {
        return dots_.Get<float>()[corner * count_];
    }

    __aicore__ inline void Write(const Samples& samples, const Tile& tile) {
        FloatTensor outgoing = queue_.AllocTensor<float>();
        Differentiate(samples, outgoing[2 * count_]);
        AscendC::Gather(outgoing, axes_.Get<float>(), order_.Get<uint32_t>(), 0, 2 * count_);
        VectorBarrier();
        queue_.EnQue(outgoing);
        outgoing = queue_.DeQue<float>();
        const uint64_t sample = static_cast<uint64_t>(tile.firstItem) * plan_->samples;
        auto pieces = Pieces<float>(tile.items, plan_->samples);
        AscendC::DataCopyPad(weights_[sample], outgoing[2 * count_], pieces);
        pieces = Pieces<float>(tile.items, 2 * plan_->samples);
        pieces.srcStride = LocationGap(*plan_);
        AscendC::DataCopyPad(locations_[2 * sample], outgoing, pieces);
        queue_.FreeTensor(outgoing);
    }

private:
    // Bytes from which x and y gradients, one array behind the other, are picked in turn.
    __aicore__ inline void WriteOrder() {
        AscendC::LocalTensor<uint32_t> order = order_.Get<uint32_t>();
        for (uint32_t sample = 0; sample < count_; ++sample) {
            order.SetValue(2 * sample, sample * sizeof(float));
            order.SetValue(2 * sample + 1, (count_ + sample) * sizeof(float));
        }
    }

    // With t the dot products, (x, y) the fractions and a the attention weight:
    //   top = t0 + x (t1 - t0), bottom = t2 + x (t3 - t2), d a = top + y (bottom - top),
    //   d x = a width ((t1 - t0) + y ((t3 - t2) - (t1 - t0))), d y = a height (bottom - top).
    __aicore__ inline void Differentiate(const Samples& samples, const FloatTensor& weight) {
        const FloatTensor top = Dots(0), topSlope = Dots(1);
        const FloatTensor bottom = Dots(2), bottomSlope = Dots(3);
        const FloatTensor x = axes_.Get<float>(), y = x[count_];
        AscendC::Sub(topSlope, topSlope, top, count_);
        AscendC::Sub(bottomSlope, bottomSlope, bottom, count_);
        VectorBarrier();
        AscendC::MulAddDst(top, topSlope, samples.FractionX(), count_);
        AscendC::MulAddDst(bottom, bottomSlope, samples.FractionX(), count_);
        AscendC::Sub(x, bottomSlope, topSlope, count_);
        VectorBarrier();
        AscendC::Sub(y, bottom, top, count_);
        AscendC::Mul(x, x, samples.FractionY(), count_);
        VectorBarrier();
        AscendC::Mul(weight, y, samples.FractionY(), count_);
        AscendC::Add(x, x, topSlope, count_);
        VectorBarrier();
        AscendC::Add(weight, weight, top, count_);
        AscendC::Mul(x, x, samples.Width(), count_);
        AscendC::Mul(y, y, samples.Height(), count_);
        VectorBarrier();
        AscendC::Mul(x, x, samples.Attention(), count_);
        AscendC::Mul(y, y, samples.Attention(), count_);
        VectorBarrier();
    }

    const Plan* plan_ = nullptr;
    uint32_t count_ = 0;
    AscendC::GlobalTensor<float> locations_, weights_;
    LocalBuffer dots_, axes_, order_;
    AscendC::TQue<AscendC::TPosition::VECOUT, 1> queue_;
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_SAMPLE_GRADIENTS_H
