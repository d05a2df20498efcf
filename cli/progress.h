/* SPDX-License-Identifier: MIT
 *
 * Progress of slow work on standard error, and the signals that stop it. The first SIGINT, SIGTERM or SIGHUP asks the
 * work to end soon and keep what it has; the second ends the program at once.
 *
 * Handlers stand only between cli_progress_begin and cli_progress_end; elsewhere signals do what they always do.
 */
#ifndef BITFADER_CLI_PROGRESS_H
#define BITFADER_CLI_PROGRESS_H

#include "base/progress.h"
#include "cli/options.h"
#include "ui/glyphs.h"

struct cli_progress {
    struct progress progress; /* what slow functions take */
    enum glyph_level level;
    enum progress_mode mode; /* resolved: bar, lines or none */
    int64_t started, drawn;  /* clock */
    int64_t total;           /* of the phase that lines were printed for */
    int percent;             /* last line's */
    bool visible;            /* a bar stands on the current line */
};

/* Must stay where it is until the end. */
void cli_progress_begin(struct cli_progress *p, const struct options *o);
/* Wipes the bar and takes the handlers away. Returns the signal that asked to stop, or 0. */
int cli_progress_end(struct cli_progress *p);

#endif
