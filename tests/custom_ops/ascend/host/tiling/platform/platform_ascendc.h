// See register/tilingdata_base.h.
#pragma once

#include "register/tilingdata_base.h"

namespace platform_ascendc {

enum class CoreMemType { UB };

class PlatformAscendC {
public:
    explicit PlatformAscendC(fe::PlatFormInfos* platform) : platform_(platform) {}
    uint32_t GetCoreNumAiv() const { return platform_->vectorCores; }
    uint32_t GetLibApiWorkSpaceSize() const { return 16 * 1024 * 1024; }
    void GetCoreMemSize(const CoreMemType&, uint64_t& size) const {
        size = platform_->bufferBytes;
    }

private:
    fe::PlatFormInfos* platform_;
};

}  // namespace platform_ascendc
