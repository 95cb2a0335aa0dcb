#include "onednn.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <string>

#include "products.h"

namespace onednn {

namespace {

constexpr const char *kSoname = "libdnnl.so.3";

std::atomic<const Library *> opened{nullptr};
std::mutex mutex;
Library library;
std::string problem;  // of the last failure

template <typename Function>
bool Find(void *handle, const char *name, Function *function) {
  *function = reinterpret_cast<Function>(dlsym(handle, name));
  if (*function) return true;
  problem = std::string("oneDNN lacks ") + name;
  return false;
}

bool FindAll(void *handle) {
  bool found = Find(handle, "dnnl_version", &library.version);
#define ONEDNN_FIND(name, result, parameters) \
  found = found && Find(handle, "dnnl_" #name, &library.name);
  ONEDNN_FUNCTIONS(ONEDNN_FIND)
#undef ONEDNN_FIND
  return found;
}

bool Fits() {
  const Version *version = library.version();
  if (version->major != kMajor) {
    problem = "oneDNN has version " + std::to_string(version->major) + ", expected " +
              std::to_string(kMajor);
  } else if (version->cpu_runtime != kThreadPool) {
    problem = "oneDNN was built with threads of its own";
  } else if (library.engine_create(&library.engine, kCpu, 0) != kSuccess) {
    problem = "oneDNN has no engine for this processor";
  } else {
    return true;
  }
  return false;
}

}  // namespace

const char *Open(const char *path) {
  std::lock_guard<std::mutex> lock(mutex);
  if (opened) return nullptr;
  // a second copy must not be loaded where MindSpore's is there already
  void *handle = dlopen(kSoname, RTLD_NOW | RTLD_NOLOAD);
  if (!handle && path) handle = dlopen(path, RTLD_NOW);
  if (!handle) {
    const char *reason = path ? dlerror() : nullptr;
    problem = reason ? reason : std::string(kSoname) + " is not loaded";
    return problem.c_str();
  }
  if (!FindAll(handle) || !Fits()) return problem.c_str();
  opened = &library;
  return nullptr;
}

const Library *Opened() {
  if (!opened) Open(nullptr);
  return opened;
}

}  // namespace onednn

const char *products_open(const char *path) { return onednn::Open(path); }
