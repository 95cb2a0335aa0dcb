// The part of CANN's host interface for tiling and inference that op_host uses, written from its
// documentation. It says whether op_host does what we mean, not whether it compiles on CANN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ge {
using graphStatus = uint32_t;
constexpr graphStatus GRAPH_SUCCESS = 0;
constexpr graphStatus GRAPH_FAILED = 0xffffffff;
enum DataType { DT_FLOAT = 0, DT_FLOAT16 = 1, DT_INT32 = 3, DT_BF16 = 27 };
enum Format { FORMAT_ND = 2 };
}  // namespace ge

namespace fe {
struct PlatFormInfos {
    uint32_t vectorCores = 48;
    uint64_t bufferBytes = 192 * 1024;
};
}  // namespace fe

namespace gert {

class Shape {
public:
    Shape() = default;
    explicit Shape(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}
    size_t GetDimNum() const { return sizes_.size(); }
    int64_t GetDim(size_t axis) const { return sizes_.at(axis); }
    void SetDimNum(size_t count) { sizes_.resize(count); }
    void SetDim(size_t axis, int64_t size) { sizes_.at(axis) = size; }

private:
    std::vector<int64_t> sizes_;
};

class StorageShape {
public:
    explicit StorageShape(Shape shape) : shape_(std::move(shape)) {}
    const Shape& GetStorageShape() const { return shape_; }

private:
    Shape shape_;
};

class CompileTimeTensorDesc {
public:
    explicit CompileTimeTensorDesc(ge::DataType type) : type_(type) {}
    ge::DataType GetDataType() const { return type_; }

private:
    ge::DataType type_;
};

class TilingData {
public:
    void* GetData() { return bytes_; }
    size_t GetCapacity() const { return sizeof(bytes_); }
    void SetDataSize(size_t size) { size_ = size; }
    size_t GetDataSize() const { return size_; }

private:
    uint8_t bytes_[2048] = {};
    size_t size_ = 0;
};

struct TilingContext {
    std::vector<StorageShape> shapes;
    std::vector<CompileTimeTensorDesc> types;
    fe::PlatFormInfos platform;
    TilingData data;
    uint32_t blocks = 0;
    size_t workspace = 0;

    const StorageShape* GetInputShape(size_t index) const { return &shapes.at(index); }
    const CompileTimeTensorDesc* GetInputDesc(size_t index) const { return &types.at(index); }
    fe::PlatFormInfos* GetPlatformInfo() { return &platform; }
    TilingData* GetRawTilingData() { return &data; }
    size_t* GetWorkspaceSizes(size_t) { return &workspace; }
    ge::graphStatus SetBlockDim(uint32_t count) {
        blocks = count;
        return ge::GRAPH_SUCCESS;
    }
};

struct InferShapeContext {
    std::vector<Shape> inputs, outputs;
    const Shape* GetInputShape(size_t index) const { return &inputs.at(index); }
    Shape* GetOutputShape(size_t index) { return &outputs.at(index); }
};

struct InferDataTypeContext {
    std::vector<ge::DataType> inputs, outputs;
    ge::DataType GetInputDataType(size_t index) const { return inputs.at(index); }
    ge::graphStatus SetOutputDataType(size_t index, ge::DataType type) {
        outputs.at(index) = type;
        return ge::GRAPH_SUCCESS;
    }
};

}  // namespace gert

#define BEGIN_TILING_DATA_DEF(name) \
    class name {                    \
        std::vector<uint32_t*> fields_;

#define TILING_DATA_FIELD_DEF(type, name)                              \
public:                                                                \
    void set_##name(type number) { name##_ = number; }                 \
                                                                       \
private:                                                               \
    type name##_ = 0;                                                  \
    bool name##Added_ = (fields_.push_back(&name##_), true);

#define END_TILING_DATA_DEF                                                      \
public:                                                                          \
    size_t GetDataSize() const { return fields_.size() * sizeof(uint32_t); }     \
    void SaveToBuffer(void* target, size_t) const {                              \
        for (size_t i = 0; i < fields_.size(); ++i) {                            \
            static_cast<uint32_t*>(target)[i] = *fields_[i];                     \
        }                                                                        \
    }                                                                            \
    }

#define REGISTER_TILING_DATA_CLASS(operation, name) \
    static const char* const operation##Tiling = #name;
