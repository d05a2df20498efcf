/* SPDX-License-Identifier: MIT
 *
 * What became of the conformance cases, operator by operator.
 */
#ifndef BITFADER_TESTS_TALLY_H
#define BITFADER_TESTS_TALLY_H

#include <stdio.h>

#include "tests/interpret.h"

enum outcome { CASE_PASSED, CASE_FAILED, CASE_SKIPPED, OUTCOMES };

enum { TALLY_ROWS = 400, TALLY_REASONS = 8 };

struct tally_row {
    char name[64]; /* operator, or "(several)" for models of more than one node */
    int count[OUTCOMES];
    char reasons[TALLY_REASONS][96]; /* of what was skipped or failed, each once */
    int n_reasons;
};

struct tally {
    int count[OUTCOMES], folded;
    struct tally_row rows[TALLY_ROWS];
    int n_rows;
};

/* `why` is the message of a case that did not pass: a file and a node in front of it are left out. */
void tally_add(struct tally *t, const struct onnx_model *m, enum outcome outcome, const char *why);
void tally_print(const struct tally *t, FILE *to);

#endif
