// The part of AscendC that the kernels use, run on a CPU: same names, same results, and checks of
// what a device would punish with wrong numbers or a hang. Says nothing about speed.
#pragma once

#include "vector.h"
