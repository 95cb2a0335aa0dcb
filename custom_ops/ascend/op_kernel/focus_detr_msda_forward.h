// Forward pass: out[q] = sum over levels and points of weight * bilinear(value, location).
//
//   value               [B, N, M, D]        float32, float16 or bfloat16
//   spatial_shapes      [L, 2]              int32, (rows, columns)
//   level_start_index   [L]                 int32
//   sampling_locations  [B, Q, M, L, P, 2]  float32, (x, y) in 0..1 of the level's map
//   attention_weights   [B, Q, M, L, P]     float32
//   output              [B, Q, M*D]         the value's type
#ifndef FOCUS_DETR_MSDA_FORWARD_H
#define FOCUS_DETR_MSDA_FORWARD_H

#include "focus_detr_msda_input.h"
#include "focus_detr_msda_rows.h"

namespace focus_detr {

template <typename T>
class MsdaForward {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan,
                                GM_ADDR value, GM_ADDR shapes, GM_ADDR starts, GM_ADDR locations,
                                GM_ADDR attention, GM_ADDR output) {
        plan_ = &plan;
        input_.Init(pipe, plan, locations, attention, nullptr);
        samples_.Init(pipe, plan, shapes, starts);
        fetches_.Init(plan);
        rows_.Init(pipe, plan, value);
        weights_.Init(pipe, plan);
        output_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(output),
                                static_cast<uint64_t>(plan.items) * plan.depth);
        pipe->InitBuffer(sums_, plan.fetchSamples * plan.depthPitch * sizeof(float));
        pipe->InitBuffer(results_, plan.tileItems * plan.depthPitch * sizeof(float));
        pipe->InitBuffer(queue_, kHalves, plan.tileItems * plan.depthPitch * sizeof(T));
    }

    __aicore__ inline void Run() {
        RunTiles(*plan_, input_, *this);
        rows_.Finish();
    }

    __aicore__ inline void RunTile(const Tile& tile) {
        FloatTensor input = input_.Receive();
        samples_.Prepare(input_.Locations(input), input_.Attention(input));
        input_.Release(input);
        const uint32_t count = fetches_.Count(tile.items);
        rows_.Start(samples_, fetches_.At(tile.firstItem, 0), 0);
        for (uint32_t i = 0; i < count; ++i) {
            if (i + 1 < count) {
                rows_.Start(samples_, fetches_.At(tile.firstItem, i + 1), (i + 1) % kHalves);
            }
            Accumulate(fetches_.At(tile.firstItem, i), i % kHalves);
        }
        samples_.Finish();
        Write(tile);
    }

private:

    __aicore__ inline void Accumulate(const Fetch& fetch, uint32_t half) {
        weights_.Spread(samples_, fetch);
        const FloatTensor rows = rows_.Receive(half);
        const FloatTensor sums = sums_.Get<float>();
        for (uint32_t corner = 0; corner < kCorners; ++corner) {
            AddCorner(sums, rows[corner * plan_->fetchSamples * plan_->depthPitch], corner, fetch);
        }
        rows_.Release(half);
        AddSamples(sums, fetch.padded);
        const FloatTensor result = results_.Get<float>()[fetch.item * plan_->depthPitch];
        if (fetch.first) {
            AscendC::Adds(result, sums, 0.0f, plan_->depthPitch);
        } else {
            AscendC::Add(result, result, sums, plan_->depthPitch);
        }
        VectorBarrier();
    }

    // sums[sample] (+)= rows[sample] * weight[sample]
    __aicore__ inline void AddCorner(const FloatTensor& sums, const FloatTensor& rows,
                                     uint32_t corner, const Fetch& fetch) {
        const uint8_t pitch = static_cast<uint8_t>(plan_->depthPitch / kFloatsPerBlock);
        const uint8_t repeats = static_cast<uint8_t>(fetch.padded);
        const AscendC::BinaryRepeatParams strides(1, 1, 0, pitch, pitch, 1);
        const FloatTensor weights = weights_.Of(corner);
        for (uint32_t first = 0; first < plan_->depth; first += kLanes) {
            const uint64_t lanes = Smaller(kLanes, plan_->depth - first);
            if (corner == 0) {
                AscendC::Mul(sums[first], rows[first], weights, lanes, repeats, strides);
            } else {
                AscendC::MulAddDst(sums[first], rows[first], weights, lanes, repeats, strides);
            }
        }
        VectorBarrier();
    }

    // Adds the upper half of the rows to the lower one until one is left.
    __aicore__ inline void AddSamples(const FloatTensor& sums, uint32_t count) {
        while (count > 1) {
            const uint32_t kept = (count + 1) / 2;
            AscendC::Add(sums, sums, sums[kept * plan_->depthPitch],
                         (count - kept) * plan_->depthPitch);
            VectorBarrier();
            count = kept;
        }
    }

    __aicore__ inline void Write(const Tile& tile) {
        AscendC::LocalTensor<T> outgoing = queue_.template AllocTensor<T>();
        Narrow(outgoing, results_.Get<float>(), tile.items * plan_->depthPitch);
        VectorBarrier();
        queue_.EnQue(outgoing);
        outgoing = queue_.template DeQue<T>();
        AscendC::DataCopyPad(output_[static_cast<uint64_t>(tile.firstItem) * plan_->depth],
                             outgoing, Pieces<T>(tile.items, plan_->depth));
        queue_.FreeTensor(outgoing);
    }

    const Plan* plan_ = nullptr;
    TileInput<T, false> input_;
    Samples samples_;
    FetchList fetches_;
    RowFetcher<T> rows_;
    SpreadWeights weights_;
    AscendC::GlobalTensor<T> output_;
    LocalBuffer sums_, results_;
    AscendC::TQue<AscendC::TPosition::VECOUT, kHalves> queue_;
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_FORWARD_H
