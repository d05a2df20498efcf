/* SPDX-License-Identifier: MIT
 *
 * A screen: what stands between the meters and the message line. One row a screen, in the file that draws it; here and
 * in screen.c they are only listed. Title, meters, message line and key bar are everybody's; the prompt, the help and
 * the quit question lie over a screen and leave it as it was.
 */
#ifndef BITFADER_UI_SCREEN_H
#define BITFADER_UI_SCREEN_H

#include "ui/grid.h"
#include "ui/layout.h"

struct desk;

/* A bit for each screen, so that rows of other tables can say where they count. */
enum { ON_DESK = 1 << 0, ON_ALL = 0x7fffffff };

struct screen {
    const char *name; /* of ":view NAME" */
    const char *help;
    unsigned bit; /* ON_ */
    /* As layout_desk. Parts of the frame that it leaves out (h == 0) are not drawn. */
    struct layout (*layout)(int w, int h, int number_width);
    /* Pane, heads and body. The pane's title tells of a background job (desk_job_text); without a pane the message line
     * does. */
    void (*draw)(struct grid *g, const struct layout *l, const struct desk *d);
    bool (*key)(struct desk *d, const char *key); /* before the actions; false: it is none of its own. NULL: none is */
};

extern const struct screen screen_desk;

extern const struct screen *const screens[];        /* ends with NULL; the first is where Esc leads back to */
const struct screen *screen_find(const char *name); /* NULL: none */

#endif
