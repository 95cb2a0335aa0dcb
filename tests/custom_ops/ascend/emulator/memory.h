// Tensors, buffers, queues and copies.
#pragma once

#include "types.h"

namespace AscendC {

using TEventID = int;
enum class TPosition { GM, VECIN, VECOUT, VECCALC };
enum class HardEvent { V_MTE2, MTE2_V, V_MTE3, MTE3_V, V_S, S_V };

constexpr pipe_t Source(HardEvent event) {
    switch (event) {
        case HardEvent::MTE2_V: return PIPE_MTE2;
        case HardEvent::MTE3_V: return PIPE_MTE3;
        case HardEvent::S_V: return PIPE_S;
        default: return PIPE_V;
    }
}

constexpr pipe_t Target(HardEvent event) {
    switch (event) {
        case HardEvent::V_MTE2: return PIPE_MTE2;
        case HardEvent::V_MTE3: return PIPE_MTE3;
        case HardEvent::V_S: return PIPE_S;
        default: return PIPE_V;
    }
}

template <HardEvent event>
void SetFlag(TEventID id) {
    emulator::core->SetEvent(static_cast<int>(event), id, Source(event));
}

template <HardEvent event>
void WaitFlag(TEventID id) {
    emulator::core->WaitEvent(static_cast<int>(event), id, Target(event));
}

template <pipe_t pipe>
void PipeBarrier() {
    emulator::core->Barrier(pipe);
}

inline int64_t GetBlockIdx() { return emulator::core->index; }
inline int64_t GetBlockNum() { return emulator::core->device.cores; }
inline void SyncAll() { emulator::core->device.SyncAll(); }
inline void SetAtomicNone() { emulator::core->atomicAdd = false; }

template <typename T>
void SetAtomicAdd() {
    static_assert(sizeof(T) == sizeof(float), "only float32 is emulated");
    emulator::core->atomicAdd = true;
}

template <typename T>
class GlobalTensor {
public:
    void SetGlobalBuffer(T* data, uint64_t count) {
        data_ = data;
        count_ = count;
    }
    GlobalTensor operator[](uint64_t offset) const {
        emulator::Check(offset <= count_, "global tensor: offset beyond the end");
        GlobalTensor part;
        part.SetGlobalBuffer(data_ + offset, count_ - offset);
        return part;
    }
    T GetValue(uint64_t index) const { return *At(index, 1); }
    T* At(uint64_t index, uint64_t count) const {
        emulator::Check(index + count <= count_, "global tensor: access beyond the end");
        return data_ + index;
    }

private:
    T* data_ = nullptr;
    uint64_t count_ = 0;
};

// A piece of the unified buffer. It never reaches beyond the buffer that it was taken from.
template <typename T>
class LocalTensor {
public:
    LocalTensor() = default;
    LocalTensor(size_t offset, size_t end) : offset_(offset), end_(end) {}

    LocalTensor operator[](uint32_t index) const {
        emulator::Check(offset_ + index * sizeof(T) <= end_, "local tensor: offset beyond the end");
        return {offset_ + index * sizeof(T), end_};
    }
    template <typename U>
    LocalTensor<U> ReinterpretCast() const {
        return {offset_, end_};
    }
    T GetValue(uint32_t index) const {
        emulator::core->Begin(PIPE_S);
        T* const number = At(index, 1);
        emulator::core->Read(PIPE_S, Offset(index), sizeof(T));
        return *number;
    }
    void SetValue(uint32_t index, T value) const {
        emulator::core->Begin(PIPE_S);
        T* const number = At(index, 1);
        emulator::core->Write(PIPE_S, Offset(index), sizeof(T));
        *number = value;
    }

    size_t Offset(size_t index) const { return offset_ + index * sizeof(T); }
    T* At(size_t index, size_t count) const {
        emulator::Check(Offset(index + count) <= end_, "local tensor: access beyond the end");
        return reinterpret_cast<T*>(emulator::core->At(Offset(index)));
    }
    void CheckAligned() const {
        emulator::Check(offset_ % emulator::kBlock == 0, "local tensor: not 32-byte aligned");
    }

private:
    size_t offset_ = 0, end_ = 0;
};

template <TPosition position>
class TBuf {
public:
    void Place(size_t offset, size_t bytes) {
        offset_ = offset;
        bytes_ = bytes;
    }
    template <typename T>
    LocalTensor<T> Get() const {
        return {offset_, offset_ + bytes_};
    }

private:
    size_t offset_ = 0, bytes_ = 0;
};

// Buffers that pass from a copy to the vector unit (VECIN) or back (VECOUT). Each buffer must go
// free -> allocated -> enqueued -> dequeued -> free; events order its two users.
template <TPosition position, int depth>
class TQue {
    static constexpr HardEvent kFull =
        position == TPosition::VECIN ? HardEvent::MTE2_V : HardEvent::V_MTE3;
    static constexpr HardEvent kEmpty =
        position == TPosition::VECIN ? HardEvent::V_MTE2 : HardEvent::MTE3_V;
    enum class State { kFree, kAllocated, kEnqueued, kDequeued };
    struct Buffer {
        size_t offset;
        State state = State::kFree;
        int full = -1, empty = -1;  // event ids while set
    };

public:
    ~TQue() {
        for (const Buffer& buffer : buffers_) {
            if (buffer.empty >= 0) Leave<kEmpty>(buffer.empty);
        }
    }

    void Place(int count, size_t bytes) {
        bytes_ = bytes;
        for (int i = 0; i < count; ++i) buffers_.push_back({emulator::core->Allocate(bytes)});
    }

    template <typename T>
    LocalTensor<T> AllocTensor() {
        Buffer& buffer = Find(State::kFree, "queue: no free buffer, the device would hang");
        if (buffer.empty >= 0) Leave<kEmpty>(std::exchange(buffer.empty, -1));
        buffer.state = State::kAllocated;
        return {buffer.offset, buffer.offset + bytes_};
    }

    template <typename T>
    void EnQue(const LocalTensor<T>& tensor) {
        Buffer& buffer = Of(tensor, State::kAllocated);
        buffer.state = State::kEnqueued;
        buffer.full = Enter<kFull>();
        order_.push_back(&buffer);
        emulator::Check(order_.size() <= depth, "queue: more tensors than its depth");
    }

    template <typename T>
    LocalTensor<T> DeQue() {
        emulator::Check(!order_.empty(), "queue: nothing to take, the device would hang");
        Buffer& buffer = *order_.front();
        order_.erase(order_.begin());
        Leave<kFull>(std::exchange(buffer.full, -1));
        buffer.state = State::kDequeued;
        return {buffer.offset, buffer.offset + bytes_};
    }

    template <typename T>
    void FreeTensor(LocalTensor<T>& tensor) {
        Buffer& buffer = Of(tensor, State::kDequeued);
        buffer.state = State::kFree;
        buffer.empty = Enter<kEmpty>();
    }

private:
    template <HardEvent event>
    static int Enter() {
        const int id = emulator::core->AllocateEvent(static_cast<int>(event));
        SetFlag<event>(id);
        return id;
    }
    template <HardEvent event>
    static void Leave(int id) {
        WaitFlag<event>(id);
        emulator::core->ReleaseEvent(static_cast<int>(event), id);
    }
    Buffer& Find(State state, const char* complaint) {
        for (Buffer& buffer : buffers_) {
            if (buffer.state == state) return buffer;
        }
        throw std::runtime_error(complaint);
    }
    template <typename T>
    Buffer& Of(const LocalTensor<T>& tensor, State expected) {
        for (Buffer& buffer : buffers_) {
            if (buffer.offset == tensor.Offset(0) && buffer.state == expected) return buffer;
        }
        throw std::runtime_error("queue: a tensor that is not at this stage of the queue");
    }

    size_t bytes_ = 0;
    std::vector<Buffer> buffers_;
    std::vector<Buffer*> order_;
};

class TPipe {
public:
    template <TPosition position>
    void InitBuffer(TBuf<position>& buffer, uint32_t bytes) {
        buffer.Place(emulator::core->Allocate(bytes), bytes);
    }
    template <TPosition position, int depth>
    void InitBuffer(TQue<position, depth>& queue, uint32_t count, uint32_t bytes) {
        queue.Place(count, bytes);
    }
    template <HardEvent event>
    TEventID AllocEventID() {
        return emulator::core->AllocateEvent(static_cast<int>(event));
    }
    template <HardEvent event>
    void ReleaseEventID(TEventID id) {
        emulator::core->ReleaseEvent(static_cast<int>(event), id);
    }
};

struct DataCopyExtParams {
    uint16_t blockCount = 0;
    uint32_t blockLen = 0, srcStride = 0, dstStride = 0, rsv = 0;
};

template <typename T>
struct DataCopyPadExtParams {
    bool isPad = false;
    uint8_t leftPadding = 0, rightPadding = 0;
    T paddingValue = {};
};

template <typename T>
void CheckCopy(const LocalTensor<T>& local, const DataCopyExtParams& copy) {
    local.CheckAligned();
    emulator::Check(copy.blockCount >= 1 && copy.blockCount <= 4095, "copy: 1 to 4095 blocks");
    emulator::Check(copy.blockLen >= 1 && copy.blockLen < (1u << 21), "copy: block length");
    emulator::Check(copy.blockLen % sizeof(T) == 0, "copy: not whole numbers");
}

// In: gaps in bytes outside and in 32-byte blocks inside; the rest of a last block is undefined.
template <typename T>
void DataCopyPad(const LocalTensor<T>& to, const GlobalTensor<T>& from,
                 const DataCopyExtParams& copy, const DataCopyPadExtParams<T>& padding) {
    CheckCopy(to, copy);
    emulator::Check(!padding.isPad, "padding values are not emulated");
    emulator::Check(copy.srcStride % sizeof(T) == 0, "copy: stride is not whole numbers");
    emulator::core->Begin(PIPE_MTE2);
    const size_t count = copy.blockLen / sizeof(T);
    const size_t used = (copy.blockLen + emulator::kBlock - 1) / emulator::kBlock *
                        emulator::kBlock;
    for (size_t block = 0; block < copy.blockCount; ++block) {
        const size_t index = block * (used + copy.dstStride * emulator::kBlock) / sizeof(T);
        const size_t source = block * (count + copy.srcStride / sizeof(T));
        T* const target = to.At(index, used / sizeof(T));
        emulator::core->Write(PIPE_MTE2, to.Offset(index), used);
        std::memset(static_cast<void*>(target), 0xff, used);
        std::memcpy(target, from.At(source, count), copy.blockLen);
    }
}

inline void Store(float* to, const float* from, size_t count) {
    const std::lock_guard<std::mutex> guard(emulator::core->device.lock);
    const bool add = emulator::core->atomicAdd;
    for (size_t i = 0; i < count; ++i) to[i] = add ? to[i] + from[i] : from[i];
}

template <typename T>
void Store(T* to, const T* from, size_t count) {
    emulator::Check(!emulator::core->atomicAdd, "atomic addition is only emulated for float32");
    std::memcpy(to, from, count * sizeof(T));
}

// Out: gaps in 32-byte blocks inside and in bytes outside.
template <typename T>
void DataCopyPad(const GlobalTensor<T>& to, const LocalTensor<T>& from,
                 const DataCopyExtParams& copy) {
    CheckCopy(from, copy);
    emulator::Check(copy.dstStride % sizeof(T) == 0, "copy: stride is not whole numbers");
    emulator::core->Begin(PIPE_MTE3);
    const size_t count = copy.blockLen / sizeof(T);
    const size_t used = (copy.blockLen + emulator::kBlock - 1) / emulator::kBlock *
                        emulator::kBlock;
    for (size_t block = 0; block < copy.blockCount; ++block) {
        const size_t index = block * (used + copy.srcStride * emulator::kBlock) / sizeof(T);
        const T* const source = from.At(index, count);
        emulator::core->Read(PIPE_MTE3, from.Offset(index), copy.blockLen);
        Store(to.At(block * (count + copy.dstStride / sizeof(T)), count), source, count);
    }
}

}  // namespace AscendC
