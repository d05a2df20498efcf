/* SPDX-License-Identifier: MIT
 *
 * What most subcommands begin and end with: a session on the model, the profile they were given with its overrides, the
 * progress, and an exit status.
 */
#ifndef BITFADER_CLI_WORK_H
#define BITFADER_CLI_WORK_H

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "profiles/profile.h"
#include "search/session.h"

struct work {
    const struct options *options;
    struct session *session;
    const struct profile_model *model;
    struct profile *profile;  /* NULL until work_profile */
    const char *profile_name; /* as messages and JSON call it */
    struct cli_progress progress;
    int signal; /* that stopped slow work, 0 none */
};

/* Applies --isa and --threads and opens the model (the first argument after the command). Returns an exit status; the
 * message is printed. work_done in either case. need_data: fail with the option to use when no dataset is named. */
int work_open(struct work *w, const struct options *o, const char *model, bool need_data);
/* Loads -p (when not given: own for a model that is quantized already, else w8a8), applies --set, then --lock; --budget
 * goes before the profile's own budgets. */
int work_profile(struct work *w);
void work_done(struct work *w);

/* What most commands are: a check of -o, work_open, then work_profile and work_analyze as asked, then run; all closed
 * and freed whatever happens. Returns an exit status. */
enum work_need { WORK_DATA = 1 /* a dataset */, WORK_PROFILE = 2 };
int work_do(const struct options *o, const char *model, unsigned needs, unsigned analyze_parts,
            int (*run)(struct work *w));

/* session_analyze under progress. 0, also when it was stopped (w->signal); or an exit status. */
int work_analyze(struct work *w, unsigned parts);

/* --check: 0 when no budget is missed, or the option was not given; else one line, and status 5. run may be NULL. */
int work_check_budgets(const struct work *w, const struct estimate *est, const struct run_result *run);

/* For any other slow function: between these, &w->progress.progress. The end remembers a signal. */
void work_begin(struct work *w);
void work_end(struct work *w);

/* Exit status when everything else went well: 128+n when a signal stopped it. */
int work_status(const struct work *w);

/* A report with the members that all have: model, profile, target, partial. */
void work_report(const struct work *w, const char *name, struct report *r);

#endif
