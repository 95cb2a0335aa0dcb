// Small helpers around what orders the pipes of a vector core.
#ifndef FOCUS_DETR_MSDA_SYNC_H
#define FOCUS_DETR_MSDA_SYNC_H

#include "kernel_operator.h"
#include "kernel_tiling/kernel_tiling.h"

namespace focus_detr {

using FloatTensor = AscendC::LocalTensor<float>;
using IntTensor = AscendC::LocalTensor<int32_t>;
using Plan = FocusDetrMsdaTilingData;  // op_host/focus_detr_msda_plan.h says what is in it
using LocalBuffer = AscendC::TBuf<AscendC::TPosition::VECCALC>;

constexpr uint32_t kHalves = 2;         // of every double buffer
constexpr uint32_t kCorners = 4;        // top left, top right, bottom left, bottom right
constexpr uint32_t kLanes = 64;         // float32 lanes of a vector instruction
constexpr uint32_t kFloatsPerBlock = 8;
constexpr uint32_t kBytesPerBlock = 32;

// A vector instruction may start before the one ahead of it has written.
__aicore__ inline void VectorBarrier() { AscendC::PipeBarrier<PIPE_V>(); }

__aicore__ inline uint32_t Smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

// One pipe waits here for all that another one was given before.
template <AscendC::HardEvent event>
__aicore__ inline void Join(AscendC::TPipe* pipe) {
    const auto id = pipe->AllocEventID<event>();
    AscendC::SetFlag<event>(id);
    AscendC::WaitFlag<event>(id);
    pipe->ReleaseEventID<event>(id);
}

// A pair of events, one for each half of a double buffer.
template <AscendC::HardEvent event>
class HalfEvents {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe) {
        pipe_ = pipe;
        for (uint32_t half = 0; half < kHalves; ++half) ids_[half] = pipe->AllocEventID<event>();
    }
    __aicore__ inline void Set(uint32_t half) { AscendC::SetFlag<event>(ids_[half]); }
    __aicore__ inline void Wait(uint32_t half) { AscendC::WaitFlag<event>(ids_[half]); }
    __aicore__ inline void Release() {
        for (uint32_t half = 0; half < kHalves; ++half) pipe_->ReleaseEventID<event>(ids_[half]);
    }

private:
    AscendC::TPipe* pipe_ = nullptr;
    AscendC::TEventID ids_[kHalves];
};

// float32 copy of `count` numbers of any value type.
template <typename T>
__aicore__ inline void Widen(const FloatTensor& to, const AscendC::LocalTensor<T>& from,
                             uint32_t count) {
    if constexpr (sizeof(T) == sizeof(float)) {
        AscendC::Adds(to, from, 0.0f, count);
    } else {
        AscendC::Cast(to, from, AscendC::RoundMode::CAST_NONE, count);
    }
}

template <typename T>
__aicore__ inline void Narrow(const AscendC::LocalTensor<T>& to, const FloatTensor& from,
                              uint32_t count) {
    if constexpr (sizeof(T) == sizeof(float)) {
        AscendC::Adds(to, from, 0.0f, count);
    } else {
        AscendC::Cast(to, from, AscendC::RoundMode::CAST_RINT, count);
    }
}

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_SYNC_H
