/* SPDX-License-Identifier: MIT
 *
 * Sensitivity methods: how much each layer's width hurts the network. A row a method, each in a file of its own
 * (sensitivity_NAME.c).
 */
#ifndef BITFADER_SEARCH_SENSITIVITY_H
#define BITFADER_SEARCH_SENSITIVITY_H

#include "engine/evaluate.h"
#include "search/analyze.h"

/* What methods start from. */
struct sensitivity_input {
    const struct graph *graph;
    const struct calibration *calibration;
    struct weight_cache *cache;
    const struct image_source *images; /* 0..n-1, of the calibration part */
    int n;
    const float *fp32_scores; /* [n][classes] */
};

enum { SENSITIVITY_KL, SENSITIVITY_COUNT };
struct sensitivity_method {
    const char *name; /* in profiles and in the cache */
    const char *unit; /* of losses */
    const char *help;
    /* loss_w and loss_a of the layers that are not measured yet, which analyze_static has filled before: additive over
     * layers, never less for fewer bits; base_loss, layers_measured, calibration_images. Tells `publish` after each
     * layer, takes a progress step for each, and stops between them. 0, 1 stopped, -1 failed. */
    int (*fill)(const struct sensitivity_input *in, struct tables *t, const struct publish *publish,
                const struct progress *p, struct err *e);
};
extern const struct sensitivity_method *const sensitivity_table[SENSITIVITY_COUNT];
extern const struct sensitivity_method sensitivity_kl;

#endif
