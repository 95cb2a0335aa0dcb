// What the definitions of both operators share.
#ifndef FOCUS_DETR_MSDA_DEFINITION_H
#define FOCUS_DETR_MSDA_DEFINITION_H

#include <vector>

#include "register/op_def_registry.h"

namespace ops {

// Three combinations of types: the value's changes, all others stay.
class MsdaDefinition : public OpDef {
public:
    using Types = std::vector<ge::DataType>;

    explicit MsdaDefinition(const char* name) : OpDef(name) {
        Describe(Input("value"), ValueTypes());
        Describe(Input("spatial_shapes"), Types(3, ge::DT_INT32));
        Describe(Input("level_start_index"), Types(3, ge::DT_INT32));
        Describe(Input("sampling_locations"), Types(3, ge::DT_FLOAT));
        Describe(Input("attention_weights"), Types(3, ge::DT_FLOAT));
    }

protected:
    static Types ValueTypes() { return {ge::DT_FLOAT, ge::DT_FLOAT16, ge::DT_BF16}; }

    void Describe(OpParamDef& tensor, const Types& types) {
        const std::vector<ge::Format> formats(types.size(), ge::FORMAT_ND);
        tensor.ParamType(REQUIRED).DataType(types).Format(formats).UnknownShapeFormat(formats);
    }

    template <typename TilingFunction>
    void RunOnVectorCores(TilingFunction tiling) {
        AICore().SetTiling(tiling);
        AICore().AddConfig("ascend910b");
        AICore().AddConfig("ascend910_93");
    }
};

}  // namespace ops

#endif  // FOCUS_DETR_MSDA_DEFINITION_H
