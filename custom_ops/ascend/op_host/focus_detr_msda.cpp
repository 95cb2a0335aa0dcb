// Operator FocusDetrMsda: definition, inference of shape and type, tiling.
#include "focus_detr_msda_definition.h"
#include "focus_detr_msda_tiling.h"

namespace optiling {

REGISTER_TILING_DATA_CLASS(FocusDetrMsda, FocusDetrMsdaTilingData)

static ge::graphStatus TileForward(gert::TilingContext* context) {
    return Tile(context, focus_detr::Pass::kForward);
}

}  // namespace optiling

namespace ge {

// value [B, N, M, D], locations [B, Q, M, L, P, 2] -> output [B, Q, M*D]; -1 is unknown
static graphStatus InferForwardShape(gert::InferShapeContext* context) {
    const gert::Shape* value = context->GetInputShape(optiling::kValueInput);
    const gert::Shape* locations = context->GetInputShape(optiling::kLocationsInput);
    gert::Shape* output = context->GetOutputShape(0);
    if (value->GetDimNum() != optiling::kValueRank ||
        locations->GetDimNum() != optiling::kLocationsRank) {
        return GRAPH_FAILED;
    }
    const int64_t heads = value->GetDim(2);
    const int64_t depth = value->GetDim(3);
    output->SetDimNum(3);
    output->SetDim(0, value->GetDim(0));
    output->SetDim(1, locations->GetDim(1));
    output->SetDim(2, heads < 0 || depth < 0 ? -1 : heads * depth);
    return GRAPH_SUCCESS;
}

static graphStatus InferForwardType(gert::InferDataTypeContext* context) {
    context->SetOutputDataType(0, context->GetInputDataType(optiling::kValueInput));
    return GRAPH_SUCCESS;
}

}  // namespace ge

namespace ops {

class FocusDetrMsda : public MsdaDefinition {
public:
    explicit FocusDetrMsda(const char* name) : MsdaDefinition(name) {
        Describe(Output("output"), ValueTypes());
        SetInferShape(ge::InferForwardShape).SetInferDataType(ge::InferForwardType);
        RunOnVectorCores(optiling::TileForward);
    }
};

OP_ADD(FocusDetrMsda);

}  // namespace ops
