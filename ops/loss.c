/* SPDX-License-Identifier: MIT
 *
 * Losses of classifiers: scores or log-probabilities [n][classes][..] against labels [n][..].
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

static int infer_loss(struct op_call *c, struct err *e)
{
    const struct shape *x = &c->in[0].shape, *t = &c->in[1].shape;
    const char *reduction = op_attr_string(c, "reduction", "mean");
    bool each = !strcmp(reduction, "none"), known = each || !strcmp(reduction, "mean") || !strcmp(reduction, "sum");
    struct shape scalar = {0};
    enum dtype labels = c->in[1].type;
    if (op_check_float(c, 0, e) || op_check_same(c, 0, 2, e))
        return -1;
    bool fits =
        x->n >= 2 && t->n == x->n - 1 && x->d[0] == t->d[0] && (labels == DTYPE_I32 || labels == DTYPE_I64) && known;
    for (int i = 1; fits && i < t->n; i++)
        fits = x->d[i + 1] == t->d[i];
    if (!fits || (op_has(c, 2) && shape_count(&c->in[2].shape) != x->d[1]))
        return err_set(e, "scores, labels and weights do not fit");
    if (op_output(c, 1, c->in[0].type, x, e))
        return -1;
    return op_output(c, 0, c->in[0].type, each ? t : &scalar, e);
}

/* Scores are log-probabilities, or become them (softmax). Labels that are ignored count for nothing. */
static const char *run_loss(const struct op_call *c, bool softmax)
{
    const struct shape *x = &c->in[0].shape;
    const struct attr *ignore = op_attr(c, "ignore_index", ATTR_INT);
    const char *reduction = op_attr_string(c, "reduction", "mean");
    int64_t classes = x->d[1], area = 1, n = shape_count(&c->in[1].shape);
    for (int i = 2; i < x->n; i++)
        area *= x->d[i];
    bool each = !strcmp(reduction, "none");
    double sum = 0, weights = 0;
    ARRAY_FLOATS(c->in[0].type, return "not a float", {
        const T *all = c->in[0].data;
        for (int64_t i = 0; i < n; i++) {
            const T *row = all + i / area * classes * area + i % area;
            double peak = -INFINITY, total = 0, shift = 0;
            for (int64_t k = 0; softmax && k < classes; k++)
                peak = fmax(peak, (double)row[k * area]);
            for (int64_t k = 0; softmax && k < classes; k++)
                total += exp((double)row[k * area] - peak);
            shift = softmax ? peak + log(total) : 0;
            if (c->n_out > 1)
                for (int64_t k = 0; k < classes; k++)
                    ((T *)c->out[1].data)[row - all + k * area] = (T)((double)row[k * area] - shift);
            int64_t label = array_int(&c->in[1], i);
            bool skipped = ignore && label == ignore->i;
            if (!skipped && (label < 0 || label >= classes))
                return "a label is out of range";
            double w = skipped ? 0 : op_has(c, 2) ? array_double(&c->in[2], label) : 1;
            double loss = skipped ? 0 : -((double)row[label * area] - shift) * w;
            sum += loss;
            weights += w;
            if (each)
                ((T *)c->out[0].data)[i] = (T)loss;
        }
        if (!each)
            *(T *)c->out[0].data = (T)(strcmp(reduction, "sum") ? sum / weights : sum);
    })
    return NULL;
}

static const char *run_NegativeLogLikelihoodLoss(const struct op_call *c)
{
    return run_loss(c, false);
}

static const char *run_SoftmaxCrossEntropyLoss(const struct op_call *c)
{
    return run_loss(c, true);
}

const struct op_row ops_loss[] = {
    {"NegativeLogLikelihoodLoss", "", 2, 3, 1, 0, infer_loss, run_NegativeLogLikelihoodLoss},
    {"SoftmaxCrossEntropyLoss", "", 2, 3, 2, 0, infer_loss, run_SoftmaxCrossEntropyLoss},
    {.name = NULL},
};
