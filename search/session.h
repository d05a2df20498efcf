/* SPDX-License-Identifier: MIT
 *
 * A session: one model opened, with its dataset, its calibration, its tables and its measured profiles. What the desk
 * and every subcommand work on; both call the same functions. Slow functions take a progress, can be stopped, and keep
 * what they have in the cache ($XDG_CACHE_HOME/bitfader, by model fingerprint, dataset and settings).
 *
 * Threads: one slow function at a time; the snapshot functions may be called from another thread meanwhile.
 */
#ifndef BITFADER_SEARCH_SESSION_H
#define BITFADER_SEARCH_SESSION_H

#include "base/err.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "engine/compare.h"
#include "engine/kernel_times.h"
#include "model/graph_load.h"
#include "profiles/profile.h"
#include "search/estimate.h"
#include "search/search_options.h"
#include "search/tables.h"

struct session;

struct session_options {
    const char *dataset;        /* name or path of a dataset description; NULL: none */
    const char *config_path;    /* where bare dataset names are looked up, colon-separated */
    int calibration_images;     /* default 512 */
    bool cache;                 /* read and write the cache; default true */
    int sensitivity;            /* row of sensitivity_table (search/sensitivity.h); default KL */
    uint64_t seed;              /* default 1 */
    struct graph_options graph; /* shapes that the file leaves open; used by session_open alone */
};
struct session_options session_defaults(void);

/* Opens the model, and the dataset when one is named. Fast: no calibration. NULL and a message on failure; *status is
 * the exit status that the failure deserves (3 model, 4 dataset or its description). */
struct session *session_open(const char *model, const struct session_options *o, int *status, struct err *e);
void session_free(struct session *s);

const struct graph *session_graph(const struct session *s);
const struct dataset *session_dataset(const struct session *s); /* NULL: none */
const struct profile_model *session_model(const struct session *s);

/* Tables. The snapshot is the caller's to free; version grows with every change. */
struct tables *session_tables(struct session *s);
unsigned session_tables_version(const struct session *s);

/* Whether measurements could not be kept in the cache, so that the next session has to make them again, and why (the
 * first failure). May be called from another thread. */
bool session_unkept(struct session *s, struct err *e);

enum analyze_part {
    ANALYZE_STATIC = 1, /* bytes and weight SQNR: from the weights alone, no dataset */
    ANALYZE_COST = 2,   /* latency table of this host */
    ANALYZE_LOSS = 4,   /* sensitivity by KL divergence on calibration images, and the loss-to-accuracy fit */
    ANALYZE_FP32 = 8,   /* fp32 accuracy on the evaluation part */
    ANALYZE_ALL = 15
};
/* Fills the parts that are not known yet (from the cache where it has them). 0 done, 1 stopped by progress (what was
 * found is kept and cached), -1 failed. Parts that need a dataset are skipped without one. */
int session_analyze(struct session *s, unsigned parts, const struct progress *p, struct err *e);

/* A measurement: the plan of a profile that ran. */
struct run_layer {
    struct precision requested, applied;
    const char *kernel; /* what ran: "conv_madd8_avx2", "conv_f32_fma"; lives as long as the program */
    char note[64];      /* why applied differs from requested or runs as something else ("emulated: ..."), or "" */
    double latency_ns;
    int64_t bytes;
    struct contender *contest; /* [n_contest] the kernels that were measured for it, fastest first */
    int n_contest;
};
struct run_step { /* of the plan, in its order */
    char *name;   /* of the node, or of the tensor that is converted; owned */
    const char *kernel;
    int layer; /* or -1 */
    double latency_ns;
};
struct run_result {
    double accuracy;      /* percent of `images`; NAN without an evaluation part */
    double fp32_accuracy; /* of the same images; NAN when not known */
    double agreement;     /* percent of images whose top-1 equals fp32's; NAN when not known */
    int images, right;
    double latency_ns; /* one image, one thread, whole network: as evaluate_latency (engine/evaluate.h) */
    double latency_p95_ns;
    int team_threads;       /* threads that one image had together, or 0: there is only one */
    double team_latency_ns; /* as latency_ns, with them; NAN without */
    double fp32_latency_ns; /* of the fp32 plan beside it, where options compare; NAN: not timed */
    int latency_runs;
    double other_ns; /* time outside of layers */
    int64_t bytes;   /* exact */
    struct run_layer *layers;
    int n_layers;
    struct run_step *steps; /* of the time that counts; none without latency */
    int n_steps;
    struct comparison comparison; /* with run_options.compare; else without outputs */
    bool partial;                 /* stopped before all images were seen */
};
struct run_result run_result_none(void); /* nothing ran: partial, numbers NAN, no layers */
void run_result_done(struct run_result *r);

struct run_options {
    int images;    /* of the evaluation part; 0: all */
    bool accuracy; /* default true */
    bool latency;  /* default true */
    bool team;     /* latency of one image on all threads together too. Default false */
    bool compare;  /* with fp32, side by side: more scores, and every output. Default false */
    bool strict;   /* fail when a layer cannot run as requested */
};
struct run_options run_defaults(void);

/* Runs the profile for real, on the session as it is: what is measured does not depend on what ran before. 0 done, 1
 * stopped (r->partial), -1 failed. */
int session_run(struct session *s, const struct profile *p, const struct run_options *o, const struct progress *pr,
                struct run_result *r, struct err *e);

/* The measured point of a run corrects the estimator, for all later estimates. */
void session_learn(struct session *s, const struct profile *p, const struct run_result *r);

struct search_result {
    struct profile *profile; /* best found; NULL when nothing is feasible */
    struct estimate estimate;
    struct run_result run; /* when verified */
    bool verified;         /* it was run */
    bool feasible;         /* every budget is met: by measurement where verified, by estimate otherwise */
    int rounds;
    bool proven;     /* the solver proved the last solution optimal for its tables and bounds */
    double solve_ns; /* time of the last solve */
    char why[256];   /* when not feasible: which budget, what is the closest, which locks stand in the way */
};
void search_result_done(struct search_result *r);

/* Finds the best profile under the budgets. `start` gives locks, granularity and range methods, and what locked layers
 * keep. Exact for the tables. 0 done (feasible or not), 1 stopped (best so far kept), -1 failed. */
int session_search(struct session *s, const struct profile *start, const struct search_options *o,
                   const struct progress *pr, struct search_result *r, struct err *e);

#endif
