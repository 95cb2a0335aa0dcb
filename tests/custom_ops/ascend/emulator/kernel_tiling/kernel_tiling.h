// On a device CANN generates this struct from the operator's registration (op_host).
#pragma once

#include "focus_detr_msda_plan.h"

using FocusDetrMsdaTilingData = focus_detr::MsdaPlan;

#define GET_TILING_DATA(name, address)   \
    focus_detr::MsdaPlan name;           \
    std::memcpy(&name, address, sizeof(name))
