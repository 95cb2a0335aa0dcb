// The plan of focus_detr_msda_plan.h as CANN's tiling data, made from a call's shapes.
#ifndef FOCUS_DETR_MSDA_TILING_H
#define FOCUS_DETR_MSDA_TILING_H

#include "focus_detr_msda_plan.h"
#include "register/tilingdata_base.h"
#include "tiling/platform/platform_ascendc.h"

namespace optiling {

#define FOCUS_DETR_MSDA_FIELD(name) TILING_DATA_FIELD_DEF(uint32_t, name);
BEGIN_TILING_DATA_DEF(FocusDetrMsdaTilingData)
FOCUS_DETR_MSDA_PLAN(FOCUS_DETR_MSDA_FIELD)
END_TILING_DATA_DEF;
#undef FOCUS_DETR_MSDA_FIELD

constexpr size_t kValueInput = 0;      // [B, N, M, D]
constexpr size_t kLocationsInput = 3;  // [B, Q, M, L, P, 2]
constexpr size_t kValueRank = 4;
constexpr size_t kLocationsRank = 6;

// False if the inputs have other ranks or disagree.
inline bool ReadShape(gert::TilingContext* context, focus_detr::MsdaShape& shape) {
    const gert::Shape& value = context->GetInputShape(kValueInput)->GetStorageShape();
    const gert::Shape& locations = context->GetInputShape(kLocationsInput)->GetStorageShape();
    if (value.GetDimNum() != kValueRank || locations.GetDimNum() != kLocationsRank) return false;
    const auto valueSize = [&](size_t i) { return static_cast<uint64_t>(value.GetDim(i)); };
    const auto size = [&](size_t i) { return static_cast<uint64_t>(locations.GetDim(i)); };
    shape.batch = valueSize(0);
    shape.tokens = valueSize(1);
    shape.heads = valueSize(2);
    shape.depth = valueSize(3);
    shape.queries = size(1);
    shape.levels = size(3);
    shape.points = size(4);
    const bool wide = context->GetInputDesc(kValueInput)->GetDataType() == ge::DT_FLOAT;
    shape.valueBytes = wide ? sizeof(float) : sizeof(uint16_t);
    return size(0) == shape.batch && size(2) == shape.heads && size(5) == 2;
}

inline void SavePlan(gert::TilingContext* context, const focus_detr::MsdaPlan& plan) {
    FocusDetrMsdaTilingData tiling;
#define FOCUS_DETR_MSDA_SET(name) tiling.set_##name(plan.name);
    FOCUS_DETR_MSDA_PLAN(FOCUS_DETR_MSDA_SET)
#undef FOCUS_DETR_MSDA_SET
    auto* raw = context->GetRawTilingData();
    tiling.SaveToBuffer(raw->GetData(), raw->GetCapacity());
    raw->SetDataSize(tiling.GetDataSize());
}

inline ge::graphStatus Tile(gert::TilingContext* context, focus_detr::Pass pass) {
    const platform_ascendc::PlatformAscendC platform(context->GetPlatformInfo());
    uint64_t bufferBytes = 0;
    platform.GetCoreMemSize(platform_ascendc::CoreMemType::UB, bufferBytes);
    focus_detr::MsdaShape shape;
    focus_detr::MsdaPlan plan;
    if (!ReadShape(context, shape) ||
        !focus_detr::MakePlan(shape, pass, platform.GetCoreNumAiv(), bufferBytes, plan)) {
        return ge::GRAPH_FAILED;
    }
    SavePlan(context, plan);
    context->SetBlockDim(plan.cores);
    context->GetWorkspaceSizes(1)[0] = platform.GetLibApiWorkSpaceSize();  // for SyncAll
    return ge::GRAPH_SUCCESS;
}

}  // namespace optiling

#endif  // FOCUS_DETR_MSDA_TILING_H
