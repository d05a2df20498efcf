/* SPDX-License-Identifier: MIT
 *
 * A dataset: labelled images with the normalisation that a model was trained with. Described by a YAML file
 * (configs/datasets/NAME.yaml); the files themselves stay where they are.
 *
 * Two parts: "calibrate" (for ranges and sensitivity) and "evaluate" (for accuracy). They never share an image.
 */
#ifndef BITFADER_MODEL_DATASET_H
#define BITFADER_MODEL_DATASET_H

#include <stdint.h>

#include "base/err.h"
#include "model/graph.h"

struct dataset_part {
    int n;                 /* images */
    const uint8_t *pixels; /* [n][h][w][c] bytes */
    const uint8_t *labels; /* [n], or NULL when the part has none */
};

struct dataset {
    struct arena arena;
    const char *name;
    int h, w, c;
    float mean[4], std[4]; /* per channel: x = (byte / 255 - mean) / std */
    int n_classes;
    const char **class_names; /* [n_classes], or NULL */
    struct dataset_part calibrate, evaluate;
};

/* Loads the dataset that a YAML description names. `spec` is a path of a YAML file, or a bare name that is looked up as
 * configs/datasets/NAME.yaml in the directories of config_path (colon-separated). A missing image file says which, and,
 * where the description has a `hint`, how to get it. */
struct dataset *dataset_load(const char *spec, const char *config_path, struct err *e);
void dataset_free(struct dataset *d);

/* Fails with a message when the model's input is not [1][c][h][w] (or [1][h][w][c], or [1][c*h*w]) of this dataset. */
int dataset_check(const struct dataset *d, const struct graph *g, struct err *e);

/* Image i of a part as the model's input, NCHW float. out holds c*h*w values. */
void dataset_image(const struct dataset *d, const struct dataset_part *p, int i, float *out);

#endif
