// A CUDA driver whose GPU is this process: for the emulated kernels and the programs around them.
//
// Events say that 1 ms went by. Fills and copies of many megabytes, which only serve measurements,
// are left out.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define DRIVER extern "C" __attribute__((visibility("default"))) int

constexpr size_t kLarge = size_t{1} << 28;

DRIVER cuInit(unsigned) { return 0; }

DRIVER cuDeviceGet(int *device, int) {
  *device = 0;
  return 0;
}

DRIVER cuDevicePrimaryCtxRetain(void **context, int) {
  *context = nullptr;
  return 0;
}

DRIVER cuCtxSetCurrent(void *) { return 0; }

DRIVER cuStreamCreate(void **stream, unsigned) {
  *stream = nullptr;
  return 0;
}

DRIVER cuStreamSynchronize(void *) { return 0; }

DRIVER cuDeviceGetName(char *name, int bytes, int) {
  std::strncpy(name, "emulated", bytes);
  return 0;
}

DRIVER cuDeviceGetAttribute(int *value, int, int) {
  *value = 9;
  return 0;
}

DRIVER cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  *address = reinterpret_cast<uint64_t>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  return *address ? 0 : 2;
}

DRIVER cuMemFree_v2(uint64_t address) {
  std::free(reinterpret_cast<void *>(address));
  return 0;
}

DRIVER cuMemsetD8Async(uint64_t address, unsigned char byte, size_t bytes, void *) {
  if (bytes < kLarge) std::memset(reinterpret_cast<void *>(address), byte, bytes);
  return 0;
}

DRIVER cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}

DRIVER cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return 0;
}

DRIVER cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *) {
  if (bytes >= kLarge) return 0;
  return cuMemcpyHtoD_v2(to, reinterpret_cast<const void *>(from), bytes);
}

DRIVER cuEventCreate(void **event, unsigned) {
  *event = nullptr;
  return 0;
}

DRIVER cuEventRecord(void *, void *) { return 0; }

DRIVER cuEventSynchronize(void *) { return 0; }

DRIVER cuEventElapsedTime(float *milliseconds, void *, void *) {
  *milliseconds = 1.0f;
  return 0;
}
