/* SPDX-License-Identifier: MIT
 *
 * The estimator: tables summed over a profile, with an error and a verdict for each budget. Cheap enough for every key
 * press: O(layers), no allocation.
 */
#ifndef BITFADER_SEARCH_ESTIMATE_H
#define BITFADER_SEARCH_ESTIMATE_H

#include "profiles/profile.h"
#include "search/tables.h"

enum verdict {
    VERDICT_NONE,    /* no limit is set */
    VERDICT_UNKNOWN, /* the value is not known yet */
    VERDICT_OK,      /* the whole interval is inside the limit: "+ok" */
    VERDICT_NEAR,    /* the interval straddles it: "=near" */
    VERDICT_OVER     /* "!OVER" */
};
const char *verdict_word(enum verdict v); /* "", "?", "ok", "near", "OVER" */
const char *verdict_sign(enum verdict v); /* "", "?", "+", "=", "!" */

struct meter {
    double value, error; /* NAN when unknown; error is the half width of the 90 % interval, 0 exact */
    double fp32;
    double limit; /* NAN: none. accuracy: at least; others: at most */
    enum verdict verdict;
};

struct estimate {
    struct meter accuracy; /* percent */
    struct meter latency;  /* nanoseconds, one image, one thread */
    struct meter size;     /* bytes, exact */
    struct meter energy;   /* microjoules, modelled (Horowitz 2014, 45 nm): see tables.c */
    double loss;           /* nats */
    double drop;           /* percentage points below fp32 */
    double bops, fp32_bops;
    bool all_measured; /* every sensitivity that counted was measured, none guessed */
    int emulated;      /* layers whose setting no integer kernel runs (one side fp32) */
};

/* One layer's part of it. Unknown values are NAN. */
struct layer_estimate {
    double drop;       /* share of the estimated accuracy drop, points (>= 0) */
    double sqnr;       /* of the weights, dB; INFINITY for fp32 */
    double latency_ns; /* and its share of the whole, 0..1 */
    double latency_share;
    int64_t bytes;
    double size_share;
    double loss;
    bool measured, emulated;
    const char *kernel; /* that the latency table was measured with; NULL: not known */
    double slower;      /* times its latency at w8a8 where that is plainly less, else 0: fewer bits cost time there */
};

/* b may be NULL: p->budgets are used. */
void estimate_profile(const struct tables *t, const struct profile *p, const struct budgets *b, struct estimate *out);
void estimate_layer(const struct tables *t, const struct profile *p, int layer, struct layer_estimate *out);

/* Loss, bytes, latency and energy of one layer at one precision: what solvers add up, and meters too. */
double estimate_loss(const struct layer_table *l, const struct precision *p);
int64_t estimate_bytes(const struct layer_table *l, const struct precision *p);
double estimate_latency_ns(const struct layer_cost *c, const struct precision *p);
double estimate_energy_uj(const struct energy_model *m, const struct layer_table *l, const struct precision *p);

/* Times the layer's latency at w8a8, where it is more by more than its runs vary; else 0. */
double estimate_slower(const struct layer_cost *c, const struct precision *p);
/* "slower than w8a8 here (1.40x)", or "". */
char *estimate_slower_text(double slower, char out[48]);

/* Loss of layer alone with weights at b bits, converted to accuracy points: the "sens2-8" strip. NAN unknown. */
double estimate_solo_drop(const struct tables *t, int layer, int w_bits);

/* Loss to accuracy drop in points, and back. */
double loss_fit_drop(const struct loss_fit *f, double loss);
double loss_fit_loss(const struct loss_fit *f, double drop);

#endif
