// The value's gradient: contributions of samples on their way out of the unified buffer.
//
// Many samples read the same token, so the copies add atomically in float32. Two fetches'
// contributions are on their way or being computed at a time.
#ifndef FOCUS_DETR_MSDA_SCATTER_H
#define FOCUS_DETR_MSDA_SCATTER_H

#include "focus_detr_msda_input.h"
#include "focus_detr_msda_rows.h"

namespace focus_detr {

// Copies rows of a fetch buffer to the value's gradient.
class RowsOut {
public:
    __aicore__ inline RowsOut(const Plan& plan, const AscendC::GlobalTensor<float>& gradient,
                              const FloatTensor& rows)
        : gradient_(gradient), rows_(rows), pitch_(plan.depthPitch) {
        copy_.blockLen = plan.depth * sizeof(float);
        copy_.dstStride = (plan.heads - 1) * plan.depth * sizeof(float);
        // a row of a 16-bit value may be one block longer than its float32 numbers
        const uint32_t blocks = (plan.depth + kFloatsPerBlock - 1) / kFloatsPerBlock;
        copy_.srcStride = plan.fetchSamples * pitch_ / kFloatsPerBlock - blocks;
    }
    __aicore__ inline void Move(uint32_t row, uint64_t element, uint32_t columns) {
        copy_.blockCount = static_cast<uint16_t>(columns);
        AscendC::DataCopyPad(gradient_[element], rows_[row * pitch_], copy_);
    }

private:
    AscendC::GlobalTensor<float> gradient_;
    FloatTensor rows_;
    uint32_t pitch_;
    AscendC::DataCopyExtParams copy_;
};

class ValueScatter {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan, GM_ADDR gradient) {
        pipe_ = pipe;
        plan_ = &plan;
        half_ = kCorners * plan.fetchSamples * plan.depthPitch;
        elements_ = static_cast<uint64_t>(plan.batch) * plan.tokens * plan.heads * plan.depth;
        gradient_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(gradient), elements_);
        pipe->InitBuffer(rows_, kHalves * half_ * sizeof(float));
        ready_.Init(pipe);
        sent_.Init(pipe);
        for (uint32_t half = 0; half < kHalves; ++half) sent_.Set(half);
    }

    // Every core clears a part; none may add before all parts are clear.
    __aicore__ inline void ClearGradient() {
        const uint32_t piece = kHalves * half_;
        AscendC::Duplicate(rows_.Get<float>(), 0.0f, piece);
        Join<AscendC::HardEvent::V_MTE3>(pipe_);
        const uint64_t cores = static_cast<uint64_t>(AscendC::GetBlockNum());
        const uint64_t share = (elements_ + cores - 1) / cores;
        const uint64_t first = share * static_cast<uint64_t>(AscendC::GetBlockIdx());
        const uint64_t end = first + share < elements_ ? first + share : elements_;
        for (uint64_t element = first; element < end; element += piece) {
            const uint64_t rest = end - element;
            const uint32_t count = rest < piece ? static_cast<uint32_t>(rest) : piece;
            AscendC::DataCopyPad(gradient_[element], rows_.Get<float>(), Pieces<float>(1, count));
        }
        AscendC::PipeBarrier<PIPE_ALL>();
        AscendC::SyncAll();
    }

    // Adds weight * gradient to the token of each corner.
    __aicore__ inline void Add(const Samples& samples, const Fetch& fetch,
                               const FloatTensor& gradient, SpreadWeights& weights,
                               uint32_t half) {
        const FloatTensor rows = rows_.Get<float>()[half * half_];
        sent_.Wait(half);
        for (uint32_t corner = 0; corner < kCorners; ++corner) {
            Weigh(rows[corner * plan_->fetchSamples * plan_->depthPitch], gradient,
                  weights.Of(corner), fetch.padded);
        }
        VectorBarrier();
        ready_.Set(half);
        ready_.Wait(half);
        AscendC::SetAtomicAdd<float>();
        RowsOut mover(*plan_, gradient_, rows);
        MoveRows(*plan_, samples, fetch, mover);
        AscendC::SetAtomicNone();
        sent_.Set(half);
    }

    __aicore__ inline void Finish() {
        for (uint32_t half = 0; half < kHalves; ++half) sent_.Wait(half);
        ready_.Release();
        sent_.Release();
    }

private:
    // rows[sample] = gradient * weight[sample]
    __aicore__ inline void Weigh(const FloatTensor& rows, const FloatTensor& gradient,
                                 const FloatTensor& weights, uint32_t count) {
        const uint8_t pitch = static_cast<uint8_t>(plan_->depthPitch / kFloatsPerBlock);
        const AscendC::BinaryRepeatParams strides(1, 1, 0, pitch, 0, 1);
        for (uint32_t first = 0; first < plan_->depth; first += kLanes) {
            const uint64_t lanes = Smaller(kLanes, plan_->depth - first);
            AscendC::Mul(rows[first], gradient[first], weights, lanes,
                         static_cast<uint8_t>(count), strides);
        }
    }

    AscendC::TPipe* pipe_ = nullptr;
    const Plan* plan_ = nullptr;
    uint32_t half_ = 0;      // numbers of a half
    uint64_t elements_ = 0;  // numbers of the gradient
    AscendC::GlobalTensor<float> gradient_;
    LocalBuffer rows_;
    HalfEvents<AscendC::HardEvent::V_MTE3> ready_;
    HalfEvents<AscendC::HardEvent::MTE3_V> sent_;
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_SCATTER_H
