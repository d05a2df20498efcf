/* SPDX-License-Identifier: MIT
 *
 * The rows of scheme_table, one a file. Private to quant/.
 */
#ifndef BITFADER_QUANT_SCHEME_ROWS_H
#define BITFADER_QUANT_SCHEME_ROWS_H

#include "quant/scheme.h"

extern const struct scheme_row scheme_uniform;
extern const struct scheme_row scheme_binary;

#endif
