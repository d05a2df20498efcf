/* SPDX-License-Identifier: MIT
 *
 * One or more small models for every operator that can be imported, with what PyTorch computes for them.
 */
#ifndef BITFADER_TESTS_IMPORT_CASES_H
#define BITFADER_TESTS_IMPORT_CASES_H

struct import_case {
    const char *op;     /* the operator it is about */
    const char *model;  /* text for onnx_make_model; input x holds onnx_make_value(0), (1), ... */
    const char *shape;  /* of the output, comma-separated */
    const char *values; /* of the output, comma-separated */
};

extern const struct import_case import_cases[];
extern const int import_cases_count;

#endif
