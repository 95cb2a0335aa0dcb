// Rows of the value (one token of one head, D numbers) on their way into the unified buffer.
//
// A fetch brings the four corner rows of some samples of one item, corner by corner:
// [4, fetchSamples, depthPitch]. Two fetches are in flight or in use at a time. Corners off the
// map are not fetched: their rows are zero, because every half is cleared after use.
#ifndef FOCUS_DETR_MSDA_ROWS_H
#define FOCUS_DETR_MSDA_ROWS_H

#include "focus_detr_msda_samples.h"

namespace focus_detr {

// One fetch: part of the samples of one item.
struct Fetch {
    uint32_t item;      // of the tile
    uint32_t sample;    // first one, in the tile's arrays
    uint32_t real;      // samples to read
    uint32_t padded;    // the same in whole blocks of weights
    bool first;         // of its item
    uint64_t element;   // where token 0 of the item's image and head starts in the value
};

// Counts the fetches of a tile.
class FetchList {
public:
    __aicore__ inline void Init(const Plan& plan) {
        plan_ = &plan;
        perItem_ = (plan.samples + plan.fetchSamples - 1) / plan.fetchSamples;
    }
    __aicore__ inline uint32_t Count(uint32_t items) const { return items * perItem_; }

    // `firstItem` is the tile's first item among all.
    __aicore__ inline Fetch At(uint32_t firstItem, uint32_t index) const {
        const uint32_t item = index / perItem_;
        const uint32_t begin = (index - item * perItem_) * plan_->fetchSamples;
        const uint32_t head = (firstItem + item) % plan_->heads;
        const uint64_t image = (firstItem + item) / plan_->heads / plan_->queries;
        return {item,
                item * plan_->samplePitch + begin,
                Smaller(plan_->fetchSamples, plan_->samples - begin),
                Smaller(plan_->fetchSamples, plan_->samplePitch - begin),
                begin == 0,
                (image * plan_->tokens * plan_->heads + head) * plan_->depth};
    }

private:
    const Plan* plan_ = nullptr;
    uint32_t perItem_ = 0;
};

// Calls `mover.Move(row, element, columns)` for each row of the map that a sample touches: `row`
// counts rows of a fetch buffer, `element` is where the left token starts in the value, and
// `columns` neighbouring tokens move.
template <typename Mover>
__aicore__ inline void MoveRows(const Plan& plan, const Samples& samples, const Fetch& fetch,
                                Mover& mover) {
    const uint64_t tokenPitch = static_cast<uint64_t>(plan.heads) * plan.depth;
    for (uint32_t i = 0; i < fetch.real; ++i) {
        const uint32_t sample = fetch.sample + i;
        if (samples.Outside(sample)) continue;
        const Corners corners = samples.At(sample);
        uint64_t element = fetch.element + static_cast<uint64_t>(corners.token) * tokenPitch;
        for (uint32_t row = 0; row < corners.rows; ++row) {
            const uint32_t corner = 2 * (corners.firstRow + row) + corners.firstColumn;
            mover.Move(corner * plan.fetchSamples + i, element, corners.columns);
            element += samples.RowTokens(sample) * tokenPitch;
        }
    }
}

// Copies rows of the value into a fetch buffer.
template <typename T>
class RowsIn {
public:
    __aicore__ inline RowsIn(const Plan& plan, const AscendC::GlobalTensor<T>& value,
                             const AscendC::LocalTensor<T>& rows)
        : value_(value), rows_(rows), pitch_(plan.depthPitch) {
        copy_.blockLen = plan.depth * sizeof(T);
        copy_.srcStride = (plan.heads - 1) * plan.depth * sizeof(T);
        // the right neighbour belongs to the next corner
        copy_.dstStride = (plan.fetchSamples - 1) * plan.depthPitch * sizeof(T) / kBytesPerBlock;
    }
    __aicore__ inline void Move(uint32_t row, uint64_t element, uint32_t columns) {
        copy_.blockCount = static_cast<uint16_t>(columns);
        AscendC::DataCopyPad(rows_[row * pitch_], value_[element], copy_, noPadding_);
    }

private:
    AscendC::GlobalTensor<T> value_;
    AscendC::LocalTensor<T> rows_;
    uint32_t pitch_;
    AscendC::DataCopyExtParams copy_;
    AscendC::DataCopyPadExtParams<T> noPadding_;
};

template <typename T>
class RowFetcher {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan,
                                GM_ADDR value) {
        plan_ = &plan;
        half_ = kCorners * plan.fetchSamples * plan.depthPitch;
        const uint64_t elements =
            static_cast<uint64_t>(plan.batch) * plan.tokens * plan.heads * plan.depth;
        value_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(value), elements);
        pipe->InitBuffer(raw_, kHalves * half_ * sizeof(T));
        if constexpr (sizeof(T) != sizeof(float)) pipe->InitBuffer(wide_, half_ * sizeof(float));
        arrived_.Init(pipe);
        cleared_.Init(pipe);
        for (uint32_t half = 0; half < kHalves; ++half) Release(half);
    }

    __aicore__ inline void Start(const Samples& samples, const Fetch& fetch, uint32_t half) {
        cleared_.Wait(half);
        RowsIn<T> mover(*plan_, value_, raw_.template Get<T>()[half * half_]);
        MoveRows(*plan_, samples, fetch, mover);
        arrived_.Set(half);
    }

    // float32 rows of a fetch once they are there: [4, fetchSamples, depthPitch].
    __aicore__ inline FloatTensor Receive(uint32_t half) {
        arrived_.Wait(half);
        const AscendC::LocalTensor<T> rows = raw_.template Get<T>()[half * half_];
        if constexpr (sizeof(T) == sizeof(float)) {
            return rows;
        } else {
            const FloatTensor wide = wide_.template Get<float>();
            Widen(wide, rows, half_);
            VectorBarrier();
            return wide;
        }
    }

    // Clears the half for the next fetch.
    __aicore__ inline void Release(uint32_t half) {
        const uint32_t floats = half_ * sizeof(T) / sizeof(float);
        AscendC::Duplicate(raw_.template Get<float>()[half * floats], 0.0f, floats);
        VectorBarrier();
        cleared_.Set(half);
    }

    __aicore__ inline void Finish() {
        for (uint32_t half = 0; half < kHalves; ++half) cleared_.Wait(half);
        arrived_.Release();
        cleared_.Release();
    }

private:
    const Plan* plan_ = nullptr;
    uint32_t half_ = 0;  // numbers of a half
    AscendC::GlobalTensor<T> value_;
    LocalBuffer raw_, wide_;
    HalfEvents<AscendC::HardEvent::MTE2_V> arrived_;
    HalfEvents<AscendC::HardEvent::V_MTE2> cleared_;
};

// Corner weights of a fetch, each spread over one block, so that a vector instruction can multiply
// whole rows by them: [4, fetchSamples, 8].
class SpreadWeights {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan) {
        corner_ = plan.fetchSamples * kFloatsPerBlock;
        pipe->InitBuffer(buffer_, kCorners * corner_ * sizeof(float));
    }
    __aicore__ inline void Spread(const Samples& samples, const Fetch& fetch) {
        const uint8_t repeats = static_cast<uint8_t>(fetch.padded / kFloatsPerBlock);
        for (uint32_t corner = 0; corner < kCorners; ++corner) {
            const FloatTensor weights = samples.Weights(corner)[fetch.sample];
            AscendC::Brcb(Of(corner), weights, repeats, {1, 8});
        }
        VectorBarrier();
    }
    __aicore__ inline FloatTensor Of(uint32_t corner) {
        return buffer_.Get<float>()[corner * corner_];
    }

private:
    uint32_t corner_ = 0;
    LocalBuffer buffer_;
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_ROWS_H
