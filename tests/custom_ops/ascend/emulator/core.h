// The emulated vector core: pipes, events, ordering, the unified buffer.
//
// Instructions run at once and in program order, but the core keeps account of what would order
// them on a device. Each pipe (scalar, vector, copies in, copies out) numbers its instructions, and
// events and barriers carry knowledge of these numbers from pipe to pipe (vector clocks). An access
// to a block of the unified buffer that is not ordered after the block's earlier accesses is an
// error, and so are an event set twice, waited for unset or left set, and a buffer overrun.
#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

enum pipe_t { PIPE_S, PIPE_V, PIPE_MTE2, PIPE_MTE3, PIPE_ALL };

namespace emulator {

constexpr size_t kPipes = 4;
constexpr size_t kBlock = 32;
constexpr size_t kUnifiedBuffer = 192 * 1024;
constexpr size_t kUsable = kUnifiedBuffer - 8 * 1024;  // Select overwrites the rest
constexpr int kEventIds = 8;

inline void Check(bool good, const std::string& complaint) {
    if (!good) throw std::runtime_error(complaint);
}

using Clock = std::array<uint64_t, kPipes>;

// Who touched a block last.
struct BlockHistory {
    size_t writer = 0;
    uint64_t written = 0;
    Clock read = {};
};

// What all cores share: the barrier, the lock of atomic additions, the first failure.
struct Device {
    std::mutex lock;
    std::condition_variable arrived;
    int cores = 1, waiting = 0, round = 0;
    std::string failure;

    void Fail(const std::string& complaint) {
        const std::lock_guard<std::mutex> guard(lock);
        if (failure.empty()) failure = complaint;
        arrived.notify_all();
    }

    void SyncAll() {
        std::unique_lock<std::mutex> guard(lock);
        const int mine = round;
        if (++waiting == cores) {
            waiting = 0;
            ++round;
            arrived.notify_all();
        }
        arrived.wait(guard, [&] { return round != mine || !failure.empty(); });
        Check(round != mine, "another core failed");
    }
};

class Core {
public:
    Core(Device& device, int index) : device(device), index(index), bytes_(kUnifiedBuffer, 0xff) {}

    Device& device;
    const int index;
    bool atomicAdd = false;

    uint8_t* At(size_t offset) { return bytes_.data() + offset; }
    size_t Used() const { return used_; }

    size_t Allocate(size_t bytes) {
        const size_t offset = used_;
        used_ += (bytes + kBlock - 1) / kBlock * kBlock;
        Check(used_ <= kUsable, "unified buffer overflow: " + std::to_string(used_));
        return offset;
    }

    void Begin(pipe_t pipe) { ++time_[pipe]; }

    void Read(pipe_t pipe, size_t offset, size_t bytes) {
        for (size_t i = offset / kBlock; i * kBlock < offset + bytes; ++i) {
            BlockHistory& block = blocks_.at(i);
            CheckOrdered(pipe, block.writer, block.written, i, "reads what");
            block.read[pipe] = time_[pipe];
        }
    }

    void Write(pipe_t pipe, size_t offset, size_t bytes) {
        for (size_t i = offset / kBlock; i * kBlock < offset + bytes; ++i) {
            BlockHistory& block = blocks_.at(i);
            CheckOrdered(pipe, block.writer, block.written, i, "overwrites what");
            for (size_t reader = 0; reader < kPipes; ++reader) {
                CheckOrdered(pipe, reader, block.read[reader], i, "overwrites what is read by");
            }
            block = {static_cast<size_t>(pipe), time_[pipe], block.read};
        }
    }

    void Barrier(pipe_t pipe) {
        if (pipe != PIPE_ALL) {
            known_[pipe][pipe] = time_[pipe];
            return;
        }
        for (Clock& known : known_) known = time_;
    }

    int AllocateEvent(int kind) {
        auto& ids = allocated_[kind];
        for (int id = 0; id < kEventIds; ++id) {
            if (!ids[id]) {
                ids[id] = true;
                return id;
            }
        }
        throw std::runtime_error("more than 8 event ids of one kind");
    }

    void ReleaseEvent(int kind, int id) {
        Check(allocated_[kind][id], "event id released twice");
        allocated_[kind][id] = false;
    }

    void SetEvent(int kind, int id, pipe_t from) {
        Check(allocated_[kind][id], "event id not allocated");
        Check(pending_.count({kind, id}) == 0, "event set twice");
        Clock knowledge = known_[from];
        knowledge[from] = time_[from];
        pending_[{kind, id}] = knowledge;
    }

    void WaitEvent(int kind, int id, pipe_t to) {
        const auto event = pending_.find({kind, id});
        Check(event != pending_.end(), "wait for an event that is not set: the device would hang");
        for (size_t pipe = 0; pipe < kPipes; ++pipe) {
            known_[to][pipe] = std::max(known_[to][pipe], event->second[pipe]);
        }
        pending_.erase(event);
    }

    void Finish() const { Check(pending_.empty(), "an event is still set at the kernel's end"); }

private:
    void CheckOrdered(pipe_t pipe, size_t other, uint64_t when, size_t block, const char* what) {
        if (pipe == PIPE_S && other == PIPE_S) return;  // scalar code runs in order
        if (when == time_[pipe] && other == static_cast<size_t>(pipe)) return;  // one instruction
        static const char* const names[] = {"S", "V", "MTE2", "MTE3"};
        Check(when <= known_[pipe][other], std::string("race: pipe ") + names[pipe] + " " + what +
                                               " pipe " + names[other] + " in block " +
                                               std::to_string(block));
    }

    std::vector<uint8_t> bytes_;  // starts as NaN in every float type
    size_t used_ = 0;
    Clock time_ = {};
    std::array<Clock, kPipes> known_ = {};
    std::vector<BlockHistory> blocks_ = std::vector<BlockHistory>(kUnifiedBuffer / kBlock);
    std::map<int, std::array<bool, kEventIds>> allocated_;
    std::map<std::pair<int, int>, Clock> pending_;
};

inline thread_local Core* core = nullptr;

// Runs `kernel` once per core, each in a thread; returns the bytes of unified buffer that each
// uses. Throws what the first core that failed complained about.
template <typename Kernel>
size_t Launch(int cores, Kernel kernel) {
    Device device;
    device.cores = cores;
    std::vector<size_t> used(cores, 0);
    std::vector<std::thread> threads;
    for (int index = 0; index < cores; ++index) {
        threads.emplace_back([&, index] {
            Core own(device, index);
            core = &own;
            try {
                kernel();
                own.Finish();
            } catch (const std::exception& error) {
                device.Fail("core " + std::to_string(index) + ": " + error.what());
            }
            used[index] = own.Used();
        });
    }
    for (std::thread& thread : threads) thread.join();
    Check(device.failure.empty(), device.failure);
    return *std::max_element(used.begin(), used.end());
}

}  // namespace emulator
