/* SPDX-License-Identifier: MIT
 *
 * NPY files (NumPy Enhancement Proposal 1, format versions 1 to 3), alone, gzipped, or in an NPZ archive: reading a
 * range of the first axis. Row-major, little-endian, of numbers; what else NumPy can write is refused. Nothing is
 * allocated by what a header says before the file is known to be large enough for it.
 */
#ifndef BITFADER_DATA_NPY_H
#define BITFADER_DATA_NPY_H

#include "base/err.h"
#include "ops/array.h"

struct npy; /* an open array, after its header */

/* array: its name in an archive (without ".npy"), or NULL for the only one there; NULL too for a file that is no
 * archive. NULL with a message that names file and array. */
struct npy *npy_open(const char *path, const char *array, struct err *e);
void npy_close(struct npy *f);

const char *npy_name(const struct npy *f); /* for messages: "x.npz:images" */
enum dtype npy_type(const struct npy *f);
const struct shape *npy_shape(const struct npy *f); /* at least one dimension, none of them 0 */
int64_t npy_item(const struct npy *f);              /* elements of one item of the first axis */

/* Skips what is before item `first`; once, before reading. */
int npy_skip(struct npy *f, int64_t first, struct err *e);
/* The next items as they are in the file. */
int npy_read(struct npy *f, int64_t count, void *out, struct err *e);
/* After the last item: that the file ends there, and its checksum. 0 too when items are left. */
int npy_finish(struct npy *f, struct err *e);

/* A spec of a file, PATH or PATH.npz:ARRAY: the length of its path; *array is what follows the colon, or NULL. */
size_t npy_split(const char *spec, const char **array);

#endif
