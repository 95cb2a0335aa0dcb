// See register/tilingdata_base.h.
#pragma once

#include <map>
#include <string>

#include "register/tilingdata_base.h"

namespace ops {

enum Option { REQUIRED };

struct OpParamDef {
    std::string name;
    std::vector<ge::DataType> types;
    std::vector<ge::Format> formats, unknownFormats;

    OpParamDef& ParamType(Option) { return *this; }
    OpParamDef& DataType(std::vector<ge::DataType> all) {
        types = std::move(all);
        return *this;
    }
    OpParamDef& Format(std::vector<ge::Format> all) {
        formats = std::move(all);
        return *this;
    }
    OpParamDef& UnknownShapeFormat(std::vector<ge::Format> all) {
        unknownFormats = std::move(all);
        return *this;
    }
};

struct OpAICoreDef {
    ge::graphStatus (*tiling)(gert::TilingContext*) = nullptr;
    std::vector<std::string> devices;

    OpAICoreDef& SetTiling(ge::graphStatus (*function)(gert::TilingContext*)) {
        tiling = function;
        return *this;
    }
    OpAICoreDef& AddConfig(const char* device) {
        devices.push_back(device);
        return *this;
    }
};

class OpDef {
public:
    explicit OpDef(const char* name) : name(name) {
        inputs.reserve(8);
        outputs.reserve(8);
    }
    OpParamDef& Input(const char* tensor) {
        inputs.push_back({tensor, {}, {}, {}});
        return inputs.back();
    }
    OpParamDef& Output(const char* tensor) {
        outputs.push_back({tensor, {}, {}, {}});
        return outputs.back();
    }
    OpDef& SetInferShape(ge::graphStatus (*function)(gert::InferShapeContext*)) {
        inferShape = function;
        return *this;
    }
    OpDef& SetInferDataType(ge::graphStatus (*function)(gert::InferDataTypeContext*)) {
        inferType = function;
        return *this;
    }
    OpAICoreDef& AICore() { return core; }

    std::string name;
    std::vector<OpParamDef> inputs, outputs;
    OpAICoreDef core;
    ge::graphStatus (*inferShape)(gert::InferShapeContext*) = nullptr;
    ge::graphStatus (*inferType)(gert::InferDataTypeContext*) = nullptr;
};

inline std::map<std::string, OpDef>& Registered() {
    static std::map<std::string, OpDef> operators;
    return operators;
}

}  // namespace ops

#define OP_ADD(name) \
    static const bool name##Added = Registered().emplace(#name, name(#name)).second
