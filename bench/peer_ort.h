/* SPDX-License-Identifier: MIT
 *
 * ONNX Runtime through the C library inside of onnxruntime-node, loaded while running: one session, one thread, one
 * float input and one float output. The package brings no C header; the part of the interface that is used is
 * declared in peer_ort.c. Its order is fixed for all versions (ONNX Runtime's own rule, since version 1).
 */
#ifndef BITFADER_BENCH_PEER_ORT_H
#define BITFADER_BENCH_PEER_ORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The library beside the running program, in ort/node_modules, where `make bench` puts it. NULL or its version. */
const char *ort_load(struct err *e);

struct ort_session;
struct ort_value { /* a float array that the session reads or writes in each run */
    const char *name;
    float *data;
    const int64_t *shape;
    size_t n_dims;
};
/* model: an ONNX file's bytes. optimized: NULL, or a file to write the graph to as ONNX Runtime runs it. NULL and a
 * message on failure. The names must outlive the session. */
struct ort_session *ort_open(const void *model, size_t size, const struct ort_value *in, const struct ort_value *out,
                             const char *optimized, struct err *e);
void ort_run(void *session);
void ort_close(struct ort_session *s);

#endif
