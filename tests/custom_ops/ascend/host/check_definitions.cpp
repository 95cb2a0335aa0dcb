// Registers both operators with the stand-in for CANN and prints what it was told, as lines of
// "operator key value ...". Compiled together with op_host.
#include <cstdio>

#include "focus_detr_msda_plan.h"
#include "register/op_def_registry.h"

namespace {

void PrintTensors(const char* name, const char* key, const std::vector<ops::OpParamDef>& tensors) {
    std::printf("%s %s", name, key);
    for (const ops::OpParamDef& tensor : tensors) {
        std::printf(" %s", tensor.name.c_str());
        for (size_t i = 0; i < tensor.types.size(); ++i) {
            std::printf("%c%d", i == 0 ? ':' : ',', static_cast<int>(tensor.types[i]));
        }
    }
    std::printf("\n");
}

void PrintInference(const char* name, const ops::OpDef& operation) {
    gert::InferShapeContext shapes;
    shapes.inputs = {gert::Shape({2, 65, 4, 8}), gert::Shape({4, 2}), gert::Shape({4}),
                     gert::Shape({2, 7, 4, 4, 3, 2}), gert::Shape({2, 7, 4, 4, 3}),
                     gert::Shape({2, 7, 32})};
    shapes.outputs.resize(operation.outputs.size());
    gert::InferDataTypeContext types;
    types.inputs.assign(1, ge::DT_BF16);
    types.outputs.resize(operation.outputs.size());
    if (operation.inferShape(&shapes) || operation.inferType(&types)) std::printf("failed\n");
    for (size_t i = 0; i < operation.outputs.size(); ++i) {
        std::printf("%s shape_type_%zu", name, i);
        for (size_t axis = 0; axis < shapes.outputs[i].GetDimNum(); ++axis) {
            std::printf(" %d", static_cast<int>(shapes.outputs[i].GetDim(axis)));
        }
        std::printf(" %d\n", static_cast<int>(types.outputs[i]));
    }
}

void PrintTiling(const char* name, const ops::OpDef& operation) {
    gert::TilingContext context;
    for (const auto& sizes : std::vector<std::vector<int64_t>>{
             {2, 65, 4, 8}, {4, 2}, {4}, {2, 7, 4, 4, 3, 2}, {2, 7, 4, 4, 3}}) {
        context.shapes.emplace_back(gert::Shape(sizes));
        context.types.emplace_back(ge::DT_BF16);
    }
    const bool done = operation.core.tiling(&context) == ge::GRAPH_SUCCESS;
    std::printf("%s tiling %d %u %zu", name, done, context.blocks, context.workspace);
    const auto* numbers = static_cast<const uint32_t*>(context.data.GetData());
    for (size_t i = 0; i < context.data.GetDataSize() / sizeof(uint32_t); ++i) {
        std::printf(" %u", numbers[i]);
    }
    context.shapes[3] = gert::StorageShape(gert::Shape({2, 7, 5, 4, 3, 2}));
    std::printf("\n%s other_heads %d\n", name,
                operation.core.tiling(&context) == ge::GRAPH_SUCCESS);
}

}  // namespace

int main() {
    for (const auto& [name, operation] : ops::Registered()) {
        PrintTensors(name.c_str(), "inputs", operation.inputs);
        PrintTensors(name.c_str(), "outputs", operation.outputs);
        PrintInference(name.c_str(), operation);
        PrintTiling(name.c_str(), operation);
    }
}
