// Fibers, meetings, conversions and the device of the emulation.
#include "cuda_runtime.h"

#include <ucontext.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "cuda_bf16.h"
#include "cuda_fp16.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;
alignas(128) int4 msda_shared_memory[emulator::kSharedBytes / sizeof(int4)];

namespace emulator {
namespace {

constexpr size_t kStackBytes = 128 * 1024;
constexpr unsigned kMostThreads = 1024;

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  Meeting waits_for = Meeting::kNone;
  bool ended = false;
  bool vote = true;
  int exchanges = 0;
  float given[2];  // in turn, so that a fast lane does not overwrite what a slow one still reads
};

ucontext_t scheduler;
std::vector<Fiber> fibers;
size_t running;
bool agreed;
const std::function<void()> *thread_body;
std::mt19937 random_order(1);

void RunFiber() {
  (*thread_body)();
  fibers[running].ended = true;
  swapcontext(&fibers[running].context, &scheduler);
}

void PrepareFiber(Fiber &fiber) {
  fiber.waits_for = Meeting::kNone;
  fiber.ended = false;
  fiber.exchanges = 0;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, RunFiber, 0);
}

void Resume(size_t index) {
  running = index;
  threadIdx = dim3(static_cast<unsigned>(index));
  fibers[index].waits_for = Meeting::kNone;
  swapcontext(&scheduler, &fibers[index].context);
}

// Runs fibers [first, last) that do not wait, in any order.
void RunUntilAllWait(size_t first, size_t last) {
  std::vector<size_t> order;
  for (size_t i = first; i < last; ++i) {
    if (!fibers[i].ended && fibers[i].waits_for == Meeting::kNone) order.push_back(i);
  }
  std::shuffle(order.begin(), order.end(), random_order);
  for (const size_t index : order) Resume(index);
}

enum class State { kEnded, kWaits, kGoesOn, kBroken };

// Lets a warp go on if all its threads have met; a thread that has ended does not come any more.
State Settle(size_t first, size_t last) {
  const Meeting meeting = fibers[first].waits_for;
  for (size_t i = first; i < last; ++i) {
    if (fibers[i].waits_for != meeting || fibers[i].ended != fibers[first].ended) {
      return State::kBroken;
    }
  }
  if (fibers[first].ended) return State::kEnded;
  if (meeting == Meeting::kBlock) return State::kWaits;
  for (size_t i = first; i < last; ++i) fibers[i].waits_for = Meeting::kNone;
  return State::kGoesOn;
}

State RunWarp(size_t first, size_t last) {
  State state = State::kGoesOn;
  while (state == State::kGoesOn) {
    RunUntilAllWait(first, last);
    state = Settle(first, last);
  }
  return state;
}

bool RunBlock(size_t threads) {
  std::memset(msda_shared_memory, 0xff, sizeof(msda_shared_memory));
  for (Fiber &fiber : fibers) PrepareFiber(fiber);
  for (bool all_ended = false; !all_ended;) {
    size_t ended = 0, warps = 0;
    for (size_t first = 0; first < threads; first += kWarpLanes, ++warps) {
      const State state = RunWarp(first, std::min(first + kWarpLanes, threads));
      if (state == State::kBroken) return false;
      ended += state == State::kEnded;
    }
    all_ended = ended == warps;
    if (!all_ended && ended > 0) return false;
    agreed = std::all_of(fibers.begin(), fibers.end(), [](const Fiber &f) { return f.vote; });
    for (Fiber &fiber : fibers) fiber.waits_for = Meeting::kNone;
  }
  return true;
}

}  // namespace

void Meet(Meeting meeting) {
  Fiber &fiber = fibers[running];
  fiber.waits_for = meeting;
  swapcontext(&fiber.context, &scheduler);
}

bool &Vote() { return fibers[running].vote; }

bool Agreed() { return agreed; }

float Exchange(float number, int other_lane_bits) {
  const size_t self = running;
  const int turn = fibers[self].exchanges++ % 2;
  fibers[self].given[turn] = number;
  Meet(Meeting::kShuffle);
  return fibers[self ^ static_cast<size_t>(other_lane_bits)].given[turn];
}

bool RunGrid(const std::function<void()> &thread, dim3 grid, dim3 block, size_t shared) {
  if (grid.x == 0 || block.x == 0 || block.x > kMostThreads || shared > kSharedBytes) return false;
  if (fibers.size() != block.x) fibers = std::vector<Fiber>(block.x);
  thread_body = &thread;
  gridDim = grid;
  blockDim = block;
  for (unsigned i = 0; i < grid.x; ++i) {
    blockIdx = dim3(i);
    if (!RunBlock(block.x)) return false;
  }
  return true;
}

}  // namespace emulator

namespace {

int capability_major = 9;

float FloatOfBits(uint32_t bits) {
  float number;
  std::memcpy(&number, &bits, sizeof(number));
  return number;
}

uint32_t BitsOfFloat(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof(bits));
  return bits;
}

}  // namespace

float __half2float(__half number) {
  const float sign = number.bits & 0x8000 ? -1.0f : 1.0f;
  const int exponent = number.bits >> 10 & 31, fraction = number.bits & 1023;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  const int whole = exponent ? 1024 + fraction : fraction;
  return sign * std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - 25);
}

__half __float2half_rn(float number) {
  const auto sign = static_cast<uint16_t>(std::signbit(number) ? 0x8000 : 0);
  if (std::isnan(number)) return {static_cast<uint16_t>(sign | 0x7e00)};
  const double size = std::fabs(number);
  if (size >= 65520.0) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (size == 0.0) return {sign};
  int exponent = 0;
  std::frexp(size, &exponent);
  exponent = std::max(exponent + 14, 1);  // as stored; 1 for subnormal numbers too
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(size, 25 - exponent)));
  return {static_cast<uint16_t>(sign | ((exponent - 1) * 1024 + units))};
}

float __bfloat162float(__nv_bfloat16 number) {
  return FloatOfBits(static_cast<uint32_t>(number.bits) << 16);
}

__nv_bfloat16 __float2bfloat16_rn(float number) {
  if (std::isnan(number)) return {0x7fff};
  const uint32_t bits = BitsOfFloat(number);
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

cudaError_t cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr, int) {
  *value = capability_major;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t) {
  std::memset(to, byte, bytes);
  return cudaSuccess;
}

extern "C" __attribute__((visibility("default"))) void set_capability_major(int major) {
  capability_major = major;
}
