/* SPDX-License-Identifier: MIT */
#include "model/transpose.h"

#include <string.h>

#include "base/mem.h"

enum { PARTS = 8, TILE = 32 };

/* to [columns][rows] from the first `columns` columns of from [rows][stride]. */
static void transpose_part(float *to, const float *from, int64_t rows, int64_t columns, int64_t stride)
{
    for (int64_t r = 0; r < rows; r += TILE)
        for (int64_t c = 0; c < columns; c += TILE)
            for (int64_t i = c; i < columns && i < c + TILE; i++)
                for (int64_t j = r; j < rows && j < r + TILE; j++)
                    to[i * rows + j] = from[j * stride + i];
}

/* Of each row's `width` columns, `kept` from the given one on. */
static void compact(float *x, int64_t rows, int64_t width, int64_t first, int64_t kept)
{
    for (int64_t r = 0; r < rows; r++)
        memmove(x + r * kept, x + r * width + first, (size_t)kept * sizeof *x);
}

/* The columns are taken in parts. The first is put aside and the rest moves together, which leaves room at the end:
 * just where the last part belongs as rows. And so on from the back. */
void transpose_in_place(float *x, int64_t rows, int64_t columns)
{
    if (rows <= 1 || columns <= 1) /* the same numbers in the same order */
        return;
    int64_t part = (columns + PARTS - 1) / PARTS, width = columns - part, end = columns;
    float *aside = mem_new_unset((size_t)(rows * part), sizeof *aside);
    transpose_part(aside, x, rows, part, columns);
    compact(x, rows, columns, part, width);
    while (width) { /* x is [rows][width], then room for `part` columns, then columns from `end` on as rows */
        int64_t last = width < part ? width : part;
        transpose_part(x + (end - last) * rows, x + width - last, rows, last, width);
        compact(x, rows, width, 0, width - last);
        width -= last;
        end -= last;
    }
    memcpy(x, aside, (size_t)(rows * part) * sizeof *x);
    mem_free(aside);
}
