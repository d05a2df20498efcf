/* SPDX-License-Identifier: MIT
 *
 * A matrix transposed where it stands: one that is most of a model must not be there twice.
 */
#ifndef BITFADER_MODEL_TRANSPOSE_H
#define BITFADER_MODEL_TRANSPOSE_H

#include <stdint.h>

/* x [rows][columns] becomes [columns][rows]. Takes memory for an eighth of it on the way. */
void transpose_in_place(float *x, int64_t rows, int64_t columns);

#endif
