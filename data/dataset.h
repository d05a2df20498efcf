/* SPDX-License-Identifier: MIT
 *
 * A dataset: samples to feed a model with, images with the normalisation that it was trained with or arrays as they
 * are, and their labels where there are any. Described by a YAML file (configs/datasets/NAME.yaml); the files
 * themselves stay where they are. Formats are rows in dataset.c.
 *
 * Two parts: "calibrate" (for ranges and sensitivity) and "evaluate" (for accuracy). They never share a sample.
 */
#ifndef BITFADER_DATA_DATASET_H
#define BITFADER_DATA_DATASET_H

#include <stdint.h>

#include "base/err.h"
#include "model/graph.h"

enum { DATASET_CHANNELS = 4 }; /* an image has at most so many */

/* Samples of one input of the model, fed as they are. */
struct dataset_input {
    const char *name;
    enum dtype type;
    struct shape shape; /* of one sample */
    const void *data;   /* [n][shape] */
};

struct dataset_part {
    int n;                 /* samples */
    const uint8_t *pixels; /* images of bytes: [n][h][w][c] ([n][c][h][w] with channels_first) ... */
    const float *values;   /* ... or of numbers; both NULL when there are inputs */
    const int32_t *labels; /* [n]: index of the right score, class_offset included; NULL when the part has none */
    struct dataset_input *inputs; /* [n_inputs], in the order of the description */
    int n_inputs;
};

enum dataset_layout { LAYOUT_AUTO, LAYOUT_NCHW, LAYOUT_NHWC };

struct dataset {
    struct arena arena;
    const char *name;
    int h, w, c; /* of an image; arrays that are none have height and channels 1 */
    struct shape
        stored; /* of one image that is an array of unknown order, which is fed in its own; n is 0 for others */
    bool channels_first;                                 /* the file has images so */
    float mean[DATASET_CHANNELS], std[DATASET_CHANNELS]; /* per channel of the model: x = (value / unit - mean) / std */
    float unit;                                          /* 1 / scale: 255 for bytes, 1 for numbers, unless given */
    bool bgr;                                            /* the model gets blue first; files have red first */
    enum dataset_layout layout;                          /* that the model gets: as described, then as dataset_bind
                                                            found it */
    int n_classes;                                       /* 0: not known, then there are no labels */
    int class_offset;
    const char **class_names; /* [n_classes], or NULL */
    struct dataset_part calibrate, evaluate;
    int *feeds; /* [inputs of the bound graph] index of the part's input; NULL when it is one image */
};

/* Loads the dataset that a YAML description names. `spec` is a path of a YAML file, or a bare name that is looked up as
 * configs/datasets/NAME.yaml in the directories of config_path (colon-separated). A missing image file says which, and,
 * where the description has a `hint`, how to get it. */
struct dataset *dataset_load(const char *spec, const char *config_path, struct err *e);
void dataset_free(struct dataset *d);

/* Binds samples to the inputs of a model: fixes the layout of images, finds each input by its name. Fails with a
 * message when they do not fit, or when a label cannot be an index of the scores (graph_scores). */
int dataset_bind(struct dataset *d, const struct graph *g, struct err *e);

/* Sample i of a part as the inputs of the bound model: row-major, in the graph's order and of their types. */
void dataset_sample(const struct dataset *d, const struct dataset_part *p, int i, void *const *in);

/* Image i of a part as the model's input, in d->layout (NCHW unless that is NHWC). out holds c*h*w values. */
void dataset_image(const struct dataset *d, const struct dataset_part *p, int i, float *out);

/* Of what samples 0..n-1 of a part feed and of their labels, chained through seed. */
uint64_t dataset_hash(const struct dataset *d, const struct dataset_part *p, int n, uint64_t seed);

#endif
