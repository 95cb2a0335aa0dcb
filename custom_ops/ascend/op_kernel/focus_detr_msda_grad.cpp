// Entry of the backward operator FocusDetrMsdaGrad.
#include "focus_detr_msda_backward.h"

extern "C" __global__ __aicore__ void focus_detr_msda_grad(
    GM_ADDR value, GM_ADDR spatial_shapes, GM_ADDR level_start_index, GM_ADDR sampling_locations,
    GM_ADDR attention_weights, GM_ADDR grad_output, GM_ADDR grad_value, GM_ADDR grad_locations,
    GM_ADDR grad_weights, GM_ADDR workspace, GM_ADDR tiling) {
    // `SyncAll` needs this kind of task; only vector cores take part.
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIV_1_0);
    GET_TILING_DATA(plan, tiling);
    AscendC::TPipe pipe;
    focus_detr::MsdaBackward<DTYPE_VALUE> kernel;
    kernel.Init(&pipe, plan, value, spatial_shapes, level_start_index, sampling_locations,
                attention_weights, grad_output, grad_value, grad_locations, grad_weights);
    kernel.Run();
}
