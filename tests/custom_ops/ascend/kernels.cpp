// Both kernels, emulated, for all value types, behind C functions for ctypes.
#include "kernel_operator.h"

// An entry source has one function, for the type DTYPE_VALUE.
#define DTYPE_VALUE float
#define focus_detr_msda Forward_float32
#define focus_detr_msda_grad Backward_float32
#include "focus_detr_msda.cpp"
#include "focus_detr_msda_grad.cpp"
#undef DTYPE_VALUE
#undef focus_detr_msda
#undef focus_detr_msda_grad

#ifndef ONLY_FLOAT32
#define DTYPE_VALUE half
#define focus_detr_msda Forward_float16
#define focus_detr_msda_grad Backward_float16
#include "focus_detr_msda.cpp"
#include "focus_detr_msda_grad.cpp"
#undef DTYPE_VALUE
#undef focus_detr_msda
#undef focus_detr_msda_grad

#define DTYPE_VALUE bfloat16_t
#define focus_detr_msda Forward_bfloat16
#define focus_detr_msda_grad Backward_bfloat16
#include "focus_detr_msda.cpp"
#include "focus_detr_msda_grad.cpp"
#else  // faster to compile
constexpr auto Forward_float16 = Forward_float32, Forward_bfloat16 = Forward_float32;
constexpr auto Backward_float16 = Backward_float32, Backward_bfloat16 = Backward_float32;
#endif

namespace {

using focus_detr::MsdaPlan;
using focus_detr::MsdaShape;
using focus_detr::Pass;

enum ValueType { kFloat32, kFloat16, kBfloat16 };

// Runs `kernel(plan)` and reports what went wrong, or how much unified buffer a core used.
template <typename Kernel>
int Emulate(const MsdaShape& shape, Pass pass, uint32_t cores, uint64_t bufferBytes,
            char* complaint, size_t complaintBytes, Kernel kernel) {
    MsdaPlan plan;
    std::string failure;
    try {
        emulator::Check(focus_detr::MakePlan(shape, pass, cores, bufferBytes, plan),
                        "no plan for this shape");
        const size_t used = emulator::Launch(plan.cores, [&] { kernel(plan); });
        emulator::Check(used == focus_detr::BufferBytes(plan, shape.valueBytes, pass),
                        "the plan's buffer bytes are not what the kernel allocated");
        return static_cast<int>(used);
    } catch (const std::exception& error) {
        failure = error.what();
    }
    failure = failure.substr(0, complaintBytes - 1);
    std::memcpy(complaint, failure.c_str(), failure.size() + 1);
    return -1;
}

uint8_t* TilingData(MsdaPlan& plan) { return reinterpret_cast<uint8_t*>(&plan); }

}  // namespace

// `arrays` are the operator's inputs and outputs in order; -1 means that `complaint` says why.
extern "C" int emulate_forward(const MsdaShape* shape, int type, uint32_t cores,
                               uint64_t bufferBytes, uint8_t* const* arrays, char* complaint,
                               size_t complaintBytes) {
    const auto entry = type == kFloat32   ? Forward_float32
                       : type == kFloat16 ? Forward_float16
                                          : Forward_bfloat16;
    const auto kernel = [&](MsdaPlan& plan) {
        entry(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], nullptr,
              TilingData(plan));
    };
    return Emulate(*shape, Pass::kForward, cores, bufferBytes, complaint, complaintBytes, kernel);
}

extern "C" int emulate_backward(const MsdaShape* shape, int type, uint32_t cores,
                                uint64_t bufferBytes, uint8_t* const* arrays, char* complaint,
                                size_t complaintBytes) {
    const auto entry = type == kFloat32   ? Backward_float32
                       : type == kFloat16 ? Backward_float16
                                          : Backward_bfloat16;
    const auto kernel = [&](MsdaPlan& plan) {
        entry(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], arrays[6],
              arrays[7], arrays[8], nullptr, TilingData(plan));
    };
    return Emulate(*shape, Pass::kBackward, cores, bufferBytes, complaint, complaintBytes, kernel);
}

// The plan itself: 1 if there is one.
extern "C" int make_plan(const MsdaShape* shape, int backward, uint32_t cores,
                         uint64_t bufferBytes, MsdaPlan* plan) {
    const Pass pass = backward ? Pass::kBackward : Pass::kForward;
    return focus_detr::MakePlan(*shape, pass, cores, bufferBytes, *plan);
}

extern "C" uint64_t buffer_bytes(const MsdaPlan* plan, uint32_t valueBytes, int backward) {
    const Pass pass = backward ? Pass::kBackward : Pass::kForward;
    return focus_detr::BufferBytes(*plan, valueBytes, pass);
}
