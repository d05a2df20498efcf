/* SPDX-License-Identifier: MIT */
#include "search/sensitivity.h"

const struct sensitivity_method *const sensitivity_table[SENSITIVITY_COUNT] = {
    [SENSITIVITY_KL] = &sensitivity_kl,
};
