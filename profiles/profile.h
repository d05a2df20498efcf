/* SPDX-License-Identifier: MIT
 *
 * A profile: a precision for every layer of one model, locks, budgets, and where it came from and what it gave. Read
 * and written as YAML (schema bitfader/profile/1). The in-memory profile is always resolved: one entry for each layer
 * of the model, in model order. Saving over an existing profile keeps its comments, its order and the text of what did
 * not change.
 */
#ifndef BITFADER_PROFILES_PROFILE_H
#define BITFADER_PROFILES_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "quant/precision.h"

struct profile_layer {
    const char *name; /* owned by the profile */
    struct precision precision;
    bool lock; /* search and bulk edits leave it alone */
};

struct budgets {          /* 0 or negative: no such budget */
    int64_t bytes;        /* at most */
    double latency_ns;    /* at most, one image, one thread */
    double accuracy_drop; /* at most, percentage points below fp32; NAN: no budget (0 is a budget) */
    double accuracy_min;  /* at least, percent; NAN: no budget */
};
struct budgets budgets_none(void);
bool budgets_any(const struct budgets *b);

struct profile_result { /* what an estimate or a measurement says; NAN or 0 where unknown */
    bool known;
    double accuracy;       /* percent */
    double accuracy_error; /* estimate only: half width of the 90 % interval, points */
    double fp32_accuracy;
    double latency_us;
    int64_t bytes;
    int images; /* measurement only */
};

struct profile {
    struct profile_layer *layers;
    int n_layers;
    char *model_file; /* may be NULL */
    char model_fingerprint[40];
    char *target; /* "host" */
    struct budgets budgets;
    struct precision defaults;
    char *search, *sensitivity; /* method: how it was found; NULL when by hand */
    uint64_t seed;
    struct profile_result estimate, measurement;
    char **executed; /* [n_layers] kernel that ran at the measurement, entries or the array may be NULL */
    char *source;    /* text of the file it was read from, so that saving can keep comments; NULL when new */
};

/* What a profile must fit: the layers of a model, in order. (profiles/ does not know the graph.) */
struct profile_model {
    const char *file, *fingerprint;
    int n_layers;
    const char *const *names; /* [n_layers] short names */
    const char *const *kinds; /* [n_layers] "Conv", "DWConv", "PWConv", "Gemm": for rules like "op=DWConv" */
    const int *groups;        /* [n_layers] layers of a group agree on activation bits; NULL: no groups */
    /* [n_layers] lists of other names that a layer may be called by, NULL after the last; NULL: none. Others may have
     * the same: then the name alone says nothing. */
    const char *const *const *aliases;
    const struct precision *own; /* [n_layers] that the model brings along; NULL: it is not quantized */
};

/* Every layer at p. Built-in names are made with this: "fp32", "w8a8", "w4a4", "w4a8", ... */
struct profile *profile_new(const struct profile_model *m, const struct precision *p);
struct profile *profile_copy(const struct profile *p);
void profile_free(struct profile *p);

/* Reads and validates: schema, unknown keys, bits out of range, layers and rules that match nothing, another model's
 * fingerprint (unless rebind). Messages are "FILE:LINE:COLUMN: what; what would be right". "w4a8"-like, "fp32" and
 * "own" (of a model that is quantized already) as path give built-in profiles; "-" is standard input. */
struct profile *profile_load(const char *path, const struct profile_model *m, bool rebind, struct err *e);
struct profile *profile_parse(const char *path, const char *text, const struct profile_model *m, bool rebind,
                              struct err *e);

/* The YAML text of the profile, keeping the comments of p->source. The caller frees with mem_free. */
char *profile_text(const struct profile *p);
/* Atomic, keeps the old file as .bak. On success p->source is what was written. "-" is standard output... not here: the
 * caller prints profile_text. */
int profile_save(struct profile *p, const char *path, struct err *e);

/* Applies "EXPR:SETTING" as --set gives it: EXPR is a pattern on names ("layer3.*"), "op=KIND" or "*", SETTING is
 * "w4a8", "w4", "a8", "fp32", "lock", with ",scheme", ",tensor|channel", ",minmax|percentile|mse" after it. Locked
 * layers are changed too: the user said so. Fails when nothing matches. Returns the number of layers changed, or -1. */
int profile_set(struct profile *p, const struct profile_model *m, const char *expression, struct err *e);

/* Group members that disagree on activation bits; fills names of the first two in e and fails. */
int profile_check_groups(const struct profile *p, const struct profile_model *m, struct err *e);

/* "size=120KiB", "lat=3.4ms", "acc-drop=0.5pp", "acc=91.5": one budget into b. The unit must be there. */
int budgets_parse(struct budgets *b, const char *text, struct err *e);

#endif
