/* SPDX-License-Identifier: MIT
 *
 * The desk as a document: a profile under edit with its history, what is marked, muted and soloed, the cursor, the
 * filter, the prompt, the message line, and the latest snapshots of tables and jobs. Plain data, no curses, no session:
 * ui.c feeds it, actions change it, drawing reads it. What needs the world outside (running, saving, quitting) is left
 * as a request for ui.c.
 *
 * Invariants: profile->n_layers == model->n == tables->n_layers; order holds the visible rows as layer indices, cursor
 * is an index into order (0 when it is empty); est and effective belong to the profile, mutes and tables of this
 * moment.
 */
#ifndef BITFADER_UI_DESK_STATE_H
#define BITFADER_UI_DESK_STATE_H

#include "profiles/profile.h"
#include "search/estimate.h"
#include "search/search_options.h"
#include "search/tables.h"
#include "ui/filter.h"
#include "ui/history.h"
#include "ui/job_kind.h"
#include "ui/screen.h"
#include "ui/theme.h"

struct desk_layer {
    const char *name, *kind;    /* live as long as the graph */
    const char *const *aliases; /* likewise; NULL: none */
    char shape[24];             /* of the weights: "16x8x3x3" */
    int64_t params, macs;
    int group; /* layers of a group agree on activation bits; -1: none */
};

struct desk_model {
    const char *file;
    int n;
    struct desk_layer *layers;
    int64_t params, macs;
};

struct desk_mark { /* per layer; never saved, never in the history */
    bool marked, muted;
};

enum desk_side { SIDE_W, SIDE_A, SIDE_BOTH }; /* what a digit sets */

enum desk_sort { SORT_NUMBER, SORT_DROP, SORT_LATENCY, SORT_SIZE, SORT_W, SORT_A, SORT_NAME, SORT_COUNT };

/* Who has the keys: the screen, or what lies over it until MODE_SCREEN is back. */
enum desk_mode { MODE_SCREEN, MODE_PROMPT, MODE_QUIT, MODE_HELP };

enum desk_request {
    REQUEST_NONE,
    REQUEST_JOB, /* of desk.asked */
    REQUEST_STOP,
    REQUEST_SAVE, /* to target */
    REQUEST_SAVE_QUIT,
    REQUEST_QUIT,
    REQUEST_REDRAW,
    REQUEST_SUSPEND
};

struct desk_job {                /* what runs in the background, as of the last news */
    const struct job_kind *kind; /* NULL: nothing */
    bool stopping;
    char what[48];
    int64_t done, total; /* total 0: not known */
    int eta_s;           /* -1: not known */
};

struct desk_asked {
    const struct job_kind *kind; /* NULL: none */
    void *work;                  /* owned */
};

struct desk_measured { /* the last run */
    bool known, partial;
    bool loaded;                /* it came with the profile's file, and stands there */
    double accuracy, agreement; /* percent, NAN unknown */
    double latency_ns;
    int64_t bytes;
    int images;
    uint64_t revision;    /* of the profile that ran */
    char listening[96];   /* with what mute and solo: as desk_listening; such a run is never saved */
    const char **kernels; /* [n] owned array of names that live as long as the program; NULL: not known */
};

struct desk_prompt {
    char sign; /* ':' or '/' */
    char text[256];
    int n, at;        /* bytes, cursor */
    char before[256]; /* the filter to go back to on Esc */
    char note[160];   /* what it would do, or what is wrong */
    bool wrong;
};

struct desk_help {
    char text[64]; /* typed filter */
    int selected, page;
};

struct desk {
    const struct desk_model *model;
    struct profile *profile; /* owned */
    char *path;              /* owned; NULL: no file yet */
    char *suggested;         /* owned; name to offer for the first save; NULL: none */
    char *target;            /* owned; where a save was asked to go, until it is done */
    struct tables *tables;   /* owned */
    struct desk_mark *marks; /* [n] */
    int solo;                /* layer, or -1 */
    int *order, n_order;
    int cursor, top;
    int width, height, rows; /* of the terminal, and of the screen's body */
    enum desk_side side;
    enum desk_sort sort;
    bool reverse;
    struct filter *filter; /* NULL: none */
    char filter_text[256];
    struct history history;
    uint64_t saved, found;      /* revisions: as saved; as search gave it (or as loaded, when it came with a method) */
    char *method, *sensitivity; /* owned: of the found revision */
    uint64_t seed;              /* likewise */
    struct profile_layer *effective; /* [n] the profile with mute and solo applied; names are the profile's */
    struct search_options search;    /* how a search works; its budgets are the profile's */
    struct estimate est;             /* of the effective profile */
    struct desk_job job;
    struct desk_asked asked; /* until ui.c takes it over */
    struct desk_measured measured;
    struct profile *offer; /* owned: what a search found while the profile was edited; ":take" takes it */
    const struct screen *screen;
    enum desk_mode mode;
    struct desk_prompt prompt;
    struct desk_help help;
    char pending[16]; /* first key of a sequence, "" when none */
    char message[256];
    enum role message_role;
    enum desk_request request;
};

/* Takes the profile and the tables over. path may be NULL. */
struct desk *desk_new(const struct desk_model *m, struct profile *p, const char *path, struct tables *t);
void desk_free(struct desk *d);

void desk_resize(struct desk *d, int w, int h);
void desk_show(struct desk *d, const struct screen *s); /* another screen, at the same size */
/* Where everything stands at that size, on the screen that is shown. */
struct layout desk_layout(const struct desk *d, int w, int h);
void desk_set_tables(struct desk *d, struct tables *t); /* takes over */
/* After any change of profile, mutes or tables: the effective profile and its estimate. O(layers). */
void desk_refresh(struct desk *d);
/* The effective profile as a value that borrows everything, to estimate with: valid until the next change, and never to
 * be copied or freed. */
struct profile desk_effective(const struct desk *d);
/* "[mute 2][solo conv1]": how the effective profile differs from the one that is saved; "" where it does not. */
void desk_listening(const struct desk *d, char out[96]);

/* sign: ':' or '/'. */
void desk_open_prompt(struct desk *d, char sign, const char *text);
void desk_prompt_wrong(struct desk *d, const struct err *e);

int desk_layer(const struct desk *d);               /* under the cursor; -1 when no row is visible */
void desk_move(struct desk *d, int to);             /* cursor to a row, clamped; keeps it in sight */
void desk_sort_rows(struct desk *d);                /* order from filter and sort, cursor stays on its layer */
int desk_marked(const struct desk *d, int *hidden); /* marked rows, and how many of them the filter hides */
void desk_filter_row(const struct desk *d, int layer, const struct filter *f, struct filter_row *out);
const char *desk_sort_name(enum desk_sort s);

/* An expression as filter, or an error in e and the old filter stays. */
int desk_set_filter(struct desk *d, const char *expression, struct err *e);

/* A job as a request for ui.c. Takes the work over. */
void desk_ask_job(struct desk *d, const struct job_kind *kind, void *work);

bool desk_unsaved(const struct desk *d);
/* The save that was asked for has been done: target is path now. */
void desk_saved(struct desk *d);
void desk_say(struct desk *d, enum role role, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
