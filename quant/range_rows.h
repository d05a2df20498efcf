/* SPDX-License-Identifier: MIT
 *
 * The rows of range_table, one a file. Private to quant/.
 */
#ifndef BITFADER_QUANT_RANGE_ROWS_H
#define BITFADER_QUANT_RANGE_ROWS_H

#include "quant/range.h"

extern const struct range_row range_minmax;
extern const struct range_row range_percentile;
extern const struct range_row range_mse_clip;

#endif
