/* SPDX-License-Identifier: MIT */
#include "quant/calibration.h"

#include "base/mem.h"

void calibration_free(struct calibration *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_tensors; i++)
        mem_free(c->tensors[i]);
    mem_free(c->tensors);
    mem_free(c);
}
