/* SPDX-License-Identifier: MIT
 *
 * Private to the dataset files: what a description being loaded is, and the row that a format of files has. A new
 * format is one file with its row, and the row's name in dataset.c.
 */
#ifndef BITFADER_DATA_DATASET_PRIVATE_H
#define BITFADER_DATA_DATASET_PRIVATE_H

#include "base/yaml_doc.h"
#include "data/dataset.h"

enum {
    DATASET_SIDE_MAX = 4096,
    DATASET_SAMPLES_MAX = 100 * 1000 * 1000,
    DATASET_CLASSES_MAX = 50 * 1000,
    DATASET_LABEL_MAX = 1000 * 1000
};
#define DATASET_PART_BYTES_MAX ((int64_t)4 << 30)

struct loader {
    struct dataset *d;
    const struct yaml_doc *doc;
    const struct dataset_format *format;
    const char *folder; /* of the description, with its slash, or "" */
    const char **roots; /* directories to look in */
    int n_roots;
    const char *hint;
    struct err *e;
};

/* Where samples come from, to see that no sample is in both parts. */
struct origin {
    uint64_t device, inode; /* of the file */
    const char *array;      /* in the file, "" when it is all of it */
    int64_t first, count;
    int part;
};

struct part { /* one of the two, as described */
    const char *what;
    int index; /* 0 calibrate, 1 evaluate */
    const struct yaml_node *node, *images;
    int64_t first, count, total; /* count -1: to the end */
    struct origin *origins;      /* [n_origins], of the arena */
    int n_origins;
};

struct dataset_format {
    const char *name;
    const char *part_form;        /* "{images: FILE, labels: FILE}", for messages */
    const char *const *keys;      /* of the description beside the common ones, NULL after the last */
    const char *const *part_keys; /* of a part beside first and count, likewise */
    bool normalised;              /* mean and std must be there */
    /* Fills the dataset's sides (dataset_sides) and the part: n, pixels or values or inputs, labels without offset. */
    int (*load)(struct loader *l, struct part *p, struct dataset_part *out);
};
extern const struct dataset_format dataset_idx, dataset_npy, dataset_images;

/* The path of a file or folder that node n names (name: n's text, or a part of it), or NULL with a message. */
const char *dataset_locate(struct loader *l, const struct yaml_node *n, const char *name);
/* Fixes the range of the part, now that it is known that `of` has so many samples, each of so many bytes in memory. */
int dataset_range(struct loader *l, struct part *p, const char *of, int64_t total, int64_t bytes);
/* Sets the sides of images, or compares them with those of the part before. */
int dataset_sides(struct loader *l, const char *path, int64_t h, int64_t w, int64_t c);
/* mean and std, once the images have their channels; of calibrate, before its images are read. */
int dataset_normalisation(struct loader *l);
/* Checks labels 0..count-1 of the part against the classes, and takes them. label(labels, i): the i-th. */
int dataset_labels(struct loader *l, const struct part *p, const char *path, const void *labels,
                   int64_t (*label)(const void *labels, int64_t i), struct dataset_part *out);
/* Notes that the part's samples are first..first+count-1 of this file (or of an array in it). */
int dataset_origin(struct loader *l, struct part *p, const char *path, const char *array, int64_t first, int64_t count);

/* No sample may calibrate and be counted: one file can serve both only in ranges that do not meet. */
int dataset_check_disjoint(struct loader *l, const struct part *a, const struct part *b);

#endif
