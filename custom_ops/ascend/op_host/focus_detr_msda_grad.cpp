// Operator FocusDetrMsdaGrad: definition, inference of shape and type, tiling.
#include "focus_detr_msda_definition.h"
#include "focus_detr_msda_tiling.h"

namespace optiling {

REGISTER_TILING_DATA_CLASS(FocusDetrMsdaGrad, FocusDetrMsdaTilingData)

static ge::graphStatus TileBackward(gert::TilingContext* context) {
    return Tile(context, focus_detr::Pass::kBackward);
}

}  // namespace optiling

namespace ge {

constexpr size_t kGradients = 3;
// the input that each gradient belongs to: value, locations, attention weights
constexpr size_t kDifferentiated[kGradients] = {optiling::kValueInput, optiling::kLocationsInput,
                                                optiling::kLocationsInput + 1};

static graphStatus InferBackwardShape(gert::InferShapeContext* context) {
    for (size_t i = 0; i < kGradients; ++i) {
        *context->GetOutputShape(i) = *context->GetInputShape(kDifferentiated[i]);
    }
    return GRAPH_SUCCESS;
}

static graphStatus InferBackwardType(gert::InferDataTypeContext* context) {
    for (size_t i = 0; i < kGradients; ++i) context->SetOutputDataType(i, DT_FLOAT);
    return GRAPH_SUCCESS;
}

}  // namespace ge

namespace ops {

class FocusDetrMsdaGrad : public MsdaDefinition {
public:
    explicit FocusDetrMsdaGrad(const char* name) : MsdaDefinition(name) {
        Describe(Input("grad_output"), ValueTypes());
        Describe(Output("grad_value"), Types(3, ge::DT_FLOAT));
        Describe(Output("grad_locations"), Types(3, ge::DT_FLOAT));
        Describe(Output("grad_weights"), Types(3, ge::DT_FLOAT));
        SetInferShape(ge::InferBackwardShape).SetInferDataType(ge::InferBackwardType);
        RunOnVectorCores(optiling::TileBackward);
    }
};

OP_ADD(FocusDetrMsdaGrad);

}  // namespace ops
