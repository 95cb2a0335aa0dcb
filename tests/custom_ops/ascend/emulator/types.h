// Number types and keywords of the device language.
#pragma once

#include <cmath>
#include <limits>

#include "core.h"

#define __aicore__
#define __global__
#define __gm__
#define GM_ADDR uint8_t*
#define KERNEL_TASK_TYPE_DEFAULT(type)

using half = _Float16;

// float32 without its lower 16 bits, rounded to nearest even.
struct bfloat16_t {
    uint16_t bits = 0;

    bfloat16_t() = default;
    explicit bfloat16_t(float number) {
        uint32_t wide;
        std::memcpy(&wide, &number, sizeof(wide));
        const uint32_t rounded = wide + 0x7fff + ((wide >> 16) & 1);
        bits = static_cast<uint16_t>((std::isnan(number) ? wide | 0x400000 : rounded) >> 16);
    }
    explicit operator float() const {
        const uint32_t wide = static_cast<uint32_t>(bits) << 16;
        float number;
        std::memcpy(&number, &wide, sizeof(number));
        return number;
    }
};
