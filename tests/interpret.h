/* SPDX-License-Identifier: MIT
 *
 * ONNX's own conformance cases (Debian's libonnx-testdata), and an interpreter for them that knows nothing of graphs,
 * plans and kernels: node after node through ops/, every value at hand.
 */
#ifndef BITFADER_TESTS_INTERPRET_H
#define BITFADER_TESTS_INTERPRET_H

#include "model/onnx.h"

#define CONFORMANCE_DATA "/usr/share/libonnx-testdata/data"

struct case_data { /* one model with one set of inputs and outputs */
    char *path;    /* its folder */
    void *bytes;
    size_t size;
    struct onnx_model model;
    struct arena arena;
    struct array *in,
        *out; /* as the model lists them: [model.n_inputs], [model.n_outputs]; DTYPE_NONE where there is no file */
};
/* 0, 1 when the case holds what we do not read (why in e: sequences, strings), -1 when it cannot be read. */
int case_open(struct case_data *c, const char *folder, int set, struct err *e);
void case_close(struct case_data *c);
int case_sets(const char *folder); /* test_data_set_0.. */

/* Runs it: 0, and values for the model's outputs in got; 1 when an operator is not there; -1 when it fails. */
int interpret(const struct case_data *c, struct arena *a, struct array *got, struct err *e);

/* As ONNX's runner compares: type, shape, |got - want| <= 1e-7 + 1e-3 |want|; NAN equals NAN. */
int case_compare(const struct array *got, const struct array *want, struct err *e);

#endif
