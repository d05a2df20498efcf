/* SPDX-License-Identifier: MIT
 *
 * Tables: what each layer costs and how much it hurts at each width. A key press adds them up; nothing is recomputed.
 * Plain data, filled by slow work (search/sensitivity.c, search/cost.c) and copied as a snapshot to whoever reads.
 *
 * Index 0 of a width is fp32. NAN is "not known yet", never zero.
 */
#ifndef BITFADER_SEARCH_TABLES_H
#define BITFADER_SEARCH_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "quant/precision.h"

enum { WIDTHS = BITS_MAX + 1 };

struct layer_table {
    /* Expected increase of the network's loss (KL divergence of its output from fp32's, nats) when this layer alone has
     * weights / input activations of b bits (uniform per channel or binary; MSE ranges). */
    double loss_w[WIDTHS], loss_a[WIDTHS];
    bool measured; /* false: loss_* are a data-free guess from the weights' SQNR */
    /* Weights' signal to quantization noise ratio in dB, by granularity and bits. */
    double sqnr[GRANULARITY_COUNT][WIDTHS];
    /* Exact bytes of codes, scales and biases, by granularity and weight bits; [0] is fp32. */
    int64_t bytes[GRANULARITY_COUNT][WIDTHS];
    double macs;
    double weights; /* number of weights */
};

/* How a loss becomes an accuracy: drop = ceiling * (1 - exp(-scale * loss^power / ceiling)), in percentage points, with
 * an error that was fitted on measured profiles. Small losses follow the power law; large ones end at chance. */
struct loss_fit {
    double scale, power;
    double ceiling;   /* fp32 accuracy less what guessing gives, points */
    double error_rel; /* 90 % interval half width, relative to the drop */
    double error_abs; /* and the part that does not shrink with it, points */
    int points;       /* measured profiles behind it; 0: prior */
};

/* How the latency table came to be. */
struct latency_report {
    double seconds;
    int plans, pairs; /* that were timed, and the pairs of widths (fp32 too) that they stand for; pairs 0: no table */
    int passes, runs; /* that ended; runs of all plans that count */
    int core;         /* that the thread was kept on, or -1 */
    int disturbed;    /* runs during which something else had the core */
    int counted;      /* of those, and of unsteady turns: runs that count nevertheless, for want of others */
    int repeated;     /* turns done again since clock or pace changed in them */
    int unsteady;     /* turns whose last try was no better */
    double clock_low_ghz, clock_high_ghz; /* the slowest and the fastest clock that was seen */
};
/* One line for people: "12 of 65 ... in 3.1 s on core 1 ...". Returns out. */
char *latency_report_text(const struct latency_report *r, char out[256]);

/* What a layer takes on a target. */
struct layer_cost {
    /* Of one image on one thread, nanoseconds, [w][a]; on the host the median in a running plan. Only [0][0] and both
     * above 0 run on kernels of their own; [w][0] and [0][a] run as fp32 (emulated). */
    double latency_ns[WIDTHS][WIDTHS];
    double spread_ns[WIDTHS][WIDTHS];   /* median absolute deviation of single runs from that */
    const char *kernel[WIDTHS][WIDTHS]; /* what ran there; NULL: not known. Lives as long as the program */
};

/* Picojoules of an operation. */
struct energy_model {
    double fp32_mac, int8_mul, int32_add, weight_byte;
};

/* What a network takes on a target. */
struct cost_table {
    const char *target; /* "host" */
    struct layer_cost *layers;
    double fp32_latency_ns; /* whole network */
    double other_ns;        /* everything that is not a layer, in an integer plan */
    double other_fp32_ns;   /* the same in the fp32 plan */
    double error_rel;       /* of latency, 90 % half width, from measured plans; a prior before any */
    struct energy_model energy;
    bool known;   /* latency */
    bool partial; /* stopped early: from fewer passes, and not kept in the cache */
    struct latency_report report;
    char note[160]; /* why a table that was kept is not used, or "" */
};

struct tables {
    int n_layers;
    struct layer_table *layers;
    int layers_measured; /* sensitivity known */
    double base_loss;    /* of every layer at w8a8, nats */
    struct loss_fit fit;
    double fp32_accuracy; /* percent on the evaluation part, NAN unknown */
    struct cost_table cost;
    int calibration_images;
    bool unlabelled; /* nothing tells what a loss costs in points of accuracy */
};

struct tables *tables_new(int n_layers); /* everything unknown */
struct tables *tables_copy(const struct tables *t);
/* Contents, of as many layers. */
void tables_assign(struct tables *to, const struct tables *from);
void tables_free(struct tables *t);

#endif
