/* SPDX-License-Identifier: MIT
 *
 * Private to engine/: the steps of a plan in parts, for one image on several threads. A part is a step of the same kind
 * whose share is a band of rows, or a stretch of elements, of the whole step's output; it has the whole step's packed
 * weights and offset tables of its own. Which parts there are follows from the plan and the number of threads alone,
 * and every output element is computed from the same numbers in the same order as in the whole step.
 *
 * Values that are small enough altogether do not share memory: then no thread writes where another still reads, and
 * lines of memory stay with the processor whose band they are in.
 *
 * Steps that are not worth it, or whose kernel refuses such a band, stay whole. Neighbouring whole steps make one
 * phase, since the same thread runs them; else each step is a phase, at whose end threads wait for each other.
 */
#ifndef BITFADER_ENGINE_SPLIT_H
#define BITFADER_ENGINE_SPLIT_H

#include "engine/step.h"

/* The splitters of step_rows. Each makes at most x's threads of parts, which are copies of the step so far, and returns
 * how many there are to be: 1 when it is not worth it, and then nobody looks at what it has made. */
int split_affine(struct splitter *x, const struct step *s, struct step *parts);
int split_binary(struct splitter *x, const struct step *s, struct step *parts);
int split_conv_f32(struct splitter *x, const struct step *s, struct step *parts);
int split_conv_u8(struct splitter *x, const struct step *s, struct step *parts);
int split_copy(struct splitter *x, const struct step *s, struct step *parts);
int split_elements(struct splitter *x, const struct step *s, struct step *parts);
int split_pool(struct splitter *x, const struct step *s, struct step *parts);
int split_product(struct splitter *x, const struct step *s, struct step *parts);
int split_softmax(struct splitter *x, const struct step *s, struct step *parts);

struct split_step {
    int n;                    /* parts */
    const struct step *parts; /* [n] */
};

struct split {
    int threads;
    struct split_step *steps; /* [n_steps of the plan] */
    int *phases, n_phases;    /* [n_phases + 1] first step of each; the number of steps at the end */
    size_t scratch_bytes;     /* that a part needs; whole steps also find theirs here */
    const size_t *places;     /* of run_state; NULL for a plan whose values together are large */
    size_t arena_bytes;
    struct arena arena;
};

/* Multiply-adds of codes that a part should have at least, some 0.6 microseconds: to wait for each other costs threads
 * a third of that. Other work is counted in the same unit. */
enum { SPLIT_WORK = 96 * 1024 };

/* threads: 1 or more. part_work: SPLIT_WORK, or 1 for all the parts that there can be. */
struct split *split_new(const struct plan *p, int threads, int64_t part_work);
void split_free(struct split *s); /* NULL is fine */

#endif
