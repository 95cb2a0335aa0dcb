// The samples of a tile: where each one reads, and with which weights.
//
// All arithmetic is done for every sample of the tile at once. An item's samples start at a whole
// block, so there are unused lanes; their width of -1 puts them outside every map.
#ifndef FOCUS_DETR_MSDA_SAMPLES_H
#define FOCUS_DETR_MSDA_SAMPLES_H

#include "focus_detr_msda_sync.h"

namespace focus_detr {

// Which of a sample's four corners lie on the map, packed into its row number by `Samples`.
// The corners on the map are a rectangle of `rows` by `columns` that starts at corner
// (firstRow, firstColumn), and `token` is the one read there.
struct Corners {
    int32_t token;
    uint32_t columns, firstColumn, rows, firstRow;

    static constexpr int32_t kNone = -1;  // packed number of a sample outside the map

    __aicore__ static inline Corners Unpack(int32_t packed) {
        const uint32_t bits = static_cast<uint32_t>(packed);
        return {packed >> 4, 1 + (bits & 1), (bits >> 1) & 1, 1 + ((bits >> 2) & 1),
                (bits >> 3) & 1};
    }
};

class Samples {
public:
    __aicore__ inline void Init(AscendC::TPipe* pipe, const Plan& plan,
                                GM_ADDR spatialShapes, GM_ADDR levelStarts) {
        pipe_ = pipe;
        count_ = plan.tileSamples;
        shapes_.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(spatialShapes), 2 * plan.levels);
        starts_.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(levelStarts), plan.levels);
        Allocate();
        WriteConstants(plan);
        Join<AscendC::HardEvent::S_V>(pipe_);
    }

    // From locations, (x, y) alternating, and attention weights to everything below.
    __aicore__ inline void Prepare(const FloatTensor& locations, const FloatTensor& attention) {
        ToPixels(locations);
        MarkInside();
        DropOutside(attention);
        SplitFractions();
        WeighCorners();
        PackCorners();
        Join<AscendC::HardEvent::V_S>(pipe_);  // the copies read the packed numbers one by one
    }

    // The packed numbers may be overwritten after this.
    __aicore__ inline void Finish() { Join<AscendC::HardEvent::S_V>(pipe_); }

    // Attention weight times bilinear weight of a corner, for each sample.
    __aicore__ inline FloatTensor Weights(uint32_t corner) const { return weight_[corner]; }
    __aicore__ inline Corners At(uint32_t sample) const {
        return Corners::Unpack(packed_.GetValue(sample));
    }
    __aicore__ inline bool Outside(uint32_t sample) const {
        return packed_.GetValue(sample) == Corners::kNone;
    }
    // Tokens from one row of the sample's map to the next.
    __aicore__ inline uint32_t RowTokens(uint32_t sample) const {
        return static_cast<uint32_t>(lastColumn_.GetValue(sample) + 1);
    }
    __aicore__ inline FloatTensor FractionX() const { return x_; }
    __aicore__ inline FloatTensor FractionY() const { return y_; }
    __aicore__ inline FloatTensor Attention() const { return attention_; }  // 0 outside
    __aicore__ inline FloatTensor Width() const { return width_; }
    __aicore__ inline FloatTensor Height() const { return height_; }

private:
    static constexpr uint32_t kArrays = 19;  // 5 constant and 14 working arrays
    static constexpr float kFarOutside = -2.0f;

    __aicore__ inline void Allocate() {
        pipe_->InitBuffer(arrays_, kArrays * count_ * sizeof(float));
        const FloatTensor floats = arrays_.Get<float>();
        FloatTensor* const floatArrays[] = {&width_,     &height_,    &x_,         &y_,
                                            &attention_, &weight_[0], &weight_[1], &weight_[2],
                                            &weight_[3], &wholeX_,    &wholeY_};
        uint32_t next = 0;
        for (FloatTensor* array : floatArrays) *array = floats[count_ * next++];
        const IntTensor ints = arrays_.Get<int32_t>();
        IntTensor* const intArrays[] = {&lastColumn_, &lastRow_, &start_, &packed_,
                                        &cellX_,      &cellY_,   &first_, &other_};
        for (IntTensor* array : intArrays) *array = ints[count_ * next++];
        const uint32_t maskBytes = (count_ / 8 + kBytesPerBlock - 1) / kBytesPerBlock *
                                   kBytesPerBlock;
        pipe_->InitBuffer(masks_, kCorners * maskBytes);
        for (uint32_t i = 0; i < kCorners; ++i) mask_[i] = masks_.Get<uint8_t>()[i * maskBytes];
    }

    __aicore__ inline void WriteConstants(const Plan& plan) {
        const uint32_t used = plan.tileItems * plan.samplePitch;
        for (uint32_t sample = 0; sample < count_; ++sample) {
            const uint32_t lane = sample % plan.samplePitch;
            const bool real = sample < used && lane < plan.samples;
            WriteLevel(sample, real, lane / plan.points);
        }
    }

    __aicore__ inline void WriteLevel(uint32_t sample, bool real, uint32_t level) {
        const int32_t rows = real ? shapes_.GetValue(2 * level) : -1;
        const int32_t columns = real ? shapes_.GetValue(2 * level + 1) : -1;
        width_.SetValue(sample, static_cast<float>(columns));
        height_.SetValue(sample, static_cast<float>(rows));
        lastColumn_.SetValue(sample, columns - 1);
        lastRow_.SetValue(sample, rows - 1);
        start_.SetValue(sample, real ? starts_.GetValue(level) : 0);
    }

    // x = u * width - 0.5: pixel centres lie at whole numbers.
    __aicore__ inline void ToPixels(const FloatTensor& locations) {
        constexpr uint8_t even = 1;
        constexpr uint8_t odd = 2;
        const uint16_t repeats = static_cast<uint16_t>(2 * count_ / kLanes);
        uint64_t kept = 0;
        AscendC::GatherMask(x_, locations, even, false, 0, {1, repeats, 8, 0}, kept);
        AscendC::GatherMask(y_, locations, odd, false, 0, {1, repeats, 8, 0}, kept);
        VectorBarrier();
        AscendC::Mul(x_, x_, width_, count_);
        AscendC::Mul(y_, y_, height_, count_);
        VectorBarrier();
        AscendC::Adds(x_, x_, -0.5f, count_);
        AscendC::Adds(y_, y_, -0.5f, count_);
        VectorBarrier();
    }

    // A sample counts while one of its corners can be on the map. No comparison holds for NaN.
    __aicore__ inline void MarkInside() {
        using AscendC::CMPMODE;
        AscendC::CompareScalar(mask_[0], x_, -1.0f, CMPMODE::GT, count_);
        AscendC::CompareScalar(mask_[1], y_, -1.0f, CMPMODE::GT, count_);
        AscendC::Compare(mask_[2], x_, width_, CMPMODE::LT, count_);
        AscendC::Compare(mask_[3], y_, height_, CMPMODE::LT, count_);
        VectorBarrier();
        AndMask(0, 2);
        AndMask(1, 3);
        VectorBarrier();
        AndMask(0, 1);
        VectorBarrier();
    }

    __aicore__ inline void AndMask(uint32_t to, uint32_t with) {
        const auto target = mask_[to].template ReinterpretCast<uint16_t>();
        AscendC::And(target, target, mask_[with].template ReinterpretCast<uint16_t>(),
                     count_ / 16);
    }

    // Moves the others to one known place outside; their weights become 0.
    __aicore__ inline void DropOutside(const FloatTensor& attention) {
        constexpr auto mode = AscendC::SELMODE::VSEL_TENSOR_SCALAR_MODE;
        AscendC::Select(x_, mask_[0], x_, kFarOutside, mode, count_);
        AscendC::Select(y_, mask_[0], y_, kFarOutside, mode, count_);
        AscendC::Select(attention_, mask_[0], attention, 0.0f, mode, count_);
        VectorBarrier();
    }

    // Whole cells into cellX_ and cellY_; x_ and y_ keep the fractions.
    __aicore__ inline void SplitFractions() {
        AscendC::Cast(cellX_, x_, AscendC::RoundMode::CAST_FLOOR, count_);
        AscendC::Cast(cellY_, y_, AscendC::RoundMode::CAST_FLOOR, count_);
        VectorBarrier();
        AscendC::Cast(wholeX_, cellX_, AscendC::RoundMode::CAST_NONE, count_);
        AscendC::Cast(wholeY_, cellY_, AscendC::RoundMode::CAST_NONE, count_);
        VectorBarrier();
        AscendC::Sub(x_, x_, wholeX_, count_);
        AscendC::Sub(y_, y_, wholeY_, count_);
        VectorBarrier();
    }

    __aicore__ inline void WeighCorners() {
        const FloatTensor& bottom = wholeX_;
        const FloatTensor& top = wholeY_;
        AscendC::Mul(bottom, attention_, y_, count_);
        VectorBarrier();
        AscendC::Sub(top, attention_, bottom, count_);
        AscendC::Mul(weight_[3], bottom, x_, count_);
        VectorBarrier();
        AscendC::Mul(weight_[1], top, x_, count_);
        AscendC::Sub(weight_[2], bottom, weight_[3], count_);
        VectorBarrier();
        AscendC::Sub(weight_[0], top, weight_[1], count_);
        VectorBarrier();
    }

    // packed = token * 16 + (two columns) + 2 * (first column) + 4 * (two rows) + 8 * (first row)
    __aicore__ inline void PackCorners() {
        AscendC::Maxs(first_, cellY_, 0, count_);
        VectorBarrier();
        AscendC::Mul(packed_, first_, lastColumn_, count_);
        VectorBarrier();
        AscendC::Add(packed_, packed_, first_, count_);  // first row times columns of the map
        VectorBarrier();
        AscendC::Maxs(other_, cellX_, 0, count_);
        AscendC::Add(packed_, packed_, start_, count_);
        VectorBarrier();
        AscendC::Add(packed_, packed_, other_, count_);
        VectorBarrier();
        AscendC::Muls(packed_, packed_, 16, count_);
        VectorBarrier();
        AddAxisBits(cellY_, lastRow_, 4);
        AscendC::Maxs(first_, cellX_, 0, count_);
        VectorBarrier();
        AddAxisBits(cellX_, lastColumn_, 1);
        MarkOutside();
    }

    // Adds unit * (last - first) + 2 * unit * (first - cell) for one axis, `first_` being the
    // first cell on the map.
    __aicore__ inline void AddAxisBits(const IntTensor& cell, const IntTensor& limit,
                                       int32_t unit) {
        AscendC::Adds(other_, cell, 1, count_);
        VectorBarrier();
        AscendC::Min(other_, other_, limit, count_);
        VectorBarrier();
        AscendC::Sub(other_, other_, first_, count_);
        VectorBarrier();
        AscendC::Sub(first_, first_, cell, count_);
        AscendC::Muls(other_, other_, unit, count_);
        VectorBarrier();
        AscendC::Muls(first_, first_, 2 * unit, count_);
        AscendC::Add(packed_, packed_, other_, count_);
        VectorBarrier();
        AscendC::Add(packed_, packed_, first_, count_);
        VectorBarrier();
    }

    // Samples outside have cell -2, all others at least -1.
    __aicore__ inline void MarkOutside() {
        AscendC::Adds(other_, cellX_, 2, count_);
        AscendC::Adds(packed_, packed_, 1, count_);
        VectorBarrier();
        AscendC::Mins(other_, other_, 1, count_);
        VectorBarrier();
        AscendC::Mul(packed_, packed_, other_, count_);
        VectorBarrier();
        AscendC::Adds(packed_, packed_, -1, count_);
        VectorBarrier();
    }

    AscendC::TPipe* pipe_ = nullptr;
    uint32_t count_ = 0;
    AscendC::GlobalTensor<int32_t> shapes_, starts_;
    LocalBuffer arrays_, masks_;
    FloatTensor width_, height_, x_, y_, attention_, weight_[kCorners], wholeX_, wholeY_;
    IntTensor lastColumn_, lastRow_, start_, packed_, cellX_, cellY_, first_, other_;
    AscendC::LocalTensor<uint8_t> mask_[kCorners];
};

}  // namespace focus_detr

#endif  // FOCUS_DETR_MSDA_SAMPLES_H
