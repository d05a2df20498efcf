/* SPDX-License-Identifier: MIT
 *
 * A plan against the fp32 plan of the same graph, side by side on the same images: scores where there are labels, and
 * for each output how far it is from fp32's. Outputs are not kept: what an image adds is summed up in the order of the
 * images, so that the result does not depend on the number of threads.
 */
#ifndef BITFADER_ENGINE_COMPARE_H
#define BITFADER_ENGINE_COMPARE_H

#include "engine/evaluate.h"

/* Of one output, over all images. Values that are not finite in one of the two are left out, unless they are the same
 * in both: then they are no error. NAN: there is nothing to say it of. */
struct output_error {
    double cosine;      /* similarity of the output as one vector, mean over images; of two zero vectors 1, of one 0;
                         * NAN when it is one value */
    double sqnr_db;     /* 10 log10 (sum of squares of fp32's / of the differences); INFINITY: no difference;
                         * NAN: fp32's is zero throughout */
    double kl;          /* nats, KL(fp32 || plan), mean over rows; NAN when a row is one value or not of floats */
    double max_error;   /* largest difference */
    int64_t not_finite; /* values that were left out */
};

struct score_sums {       /* of labelled images; the scores are the first float output (graph_scores) */
    int right;            /* the label has the largest score */
    int right5;           /* it is one of the five largest; the first of equal scores count as larger */
    double cross_entropy; /* nats, mean; not finite where the scores are not */
};

struct comparison {
    int images; /* less than asked for only when stopped */
    bool labelled;
    int classes; /* scores; 0: the graph has none */
    int agree;   /* images whose largest score is fp32's */
    struct score_sums plan, fp32;
    int n_outputs;
    struct output_error *outputs; /* [n_outputs]; comparison_done frees it */
};
void comparison_done(struct comparison *c);

/* labels may be NULL. A row is the last dimension longer than 1. Rows of scores are logits, and softmax makes
 * probabilities of them, unless a Softmax over the row makes the output (reshaping apart): then they are probabilities,
 * of which those under 1e-12 count as that. 0; 1 stopped; -1 with a message when an operator refused its values. */
int evaluate_compare(const struct plan *plan, const struct plan *fp32, const struct image_source *src,
                     const int32_t *labels, int n, const struct progress *p, struct comparison *out, struct err *e);

#endif
