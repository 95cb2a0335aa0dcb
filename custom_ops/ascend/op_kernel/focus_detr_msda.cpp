// Entry of the forward operator FocusDetrMsda.
#include "focus_detr_msda_forward.h"

extern "C" __global__ __aicore__ void focus_detr_msda(
    GM_ADDR value, GM_ADDR spatial_shapes, GM_ADDR level_start_index, GM_ADDR sampling_locations,
    GM_ADDR attention_weights, GM_ADDR output, GM_ADDR workspace, GM_ADDR tiling) {
    GET_TILING_DATA(plan, tiling);
    AscendC::TPipe pipe;
    focus_detr::MsdaForward<DTYPE_VALUE> kernel;
    kernel.Init(&pipe, plan, value, spatial_shapes, level_start_index, sampling_locations,
                attention_weights, output);
    kernel.Run();
}
