/* SPDX-License-Identifier: MIT
 *
 * Arithmetic on constants at import time: what shape-computing sub-graphs need. Results are new constants.
 */
#ifndef BITFADER_MODEL_FOLD_H
#define BITFADER_MODEL_FOLD_H

#include "model/build.h"

/* The shape that a and b broadcast to (NumPy's rules), or -1. */
int fold_broadcast_shape(const struct shape *a, const struct shape *b, struct shape *out);
/* stride[i] of each axis of a row-major tensor of this shape. */
void fold_strides(const struct shape *s, int64_t stride[SHAPE_MAX]);

/* Binds output 0 to: element [i0][i1].. of shape is x's element offset + i0*stride[0] + i1*stride[1] + .. */
int fold_strided(struct build *b, const struct source *s, int x, const struct shape *shape, int64_t offset,
                 const int64_t *stride);
/* Binds output 0 to a op c, element by element with broadcasting; op is one of + - * /. */
int fold_binary(struct build *b, const struct source *s, char op, int a, int c);
/* A new float constant of x's shape: x times factor, or 1/x when invert. */
int fold_scaled(struct build *b, const struct source *s, int x, float factor, bool invert, int *out);
/* A new float scalar. */
int fold_scalar(struct build *b, const struct source *s, float value, const char *suffix, int *out);

#endif
