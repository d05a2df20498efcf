/* SPDX-License-Identifier: MIT
 *
 * What If and Loop share: sub-graphs, and the scopes that their names live in. Private to control*.c.
 */
#ifndef BITFADER_MODEL_CONTROL_SCOPE_H
#define BITFADER_MODEL_CONTROL_SCOPE_H

#include "model/control.h"

/* A sub-graph's own names and what they are called in the graph. */
struct scope {
    struct scope *up;
    struct names index;
    const char **to;
    int n, cap, depth;
    bool repeats;
};

/* A new scope inside of the current one, and out of it again. repeats: what is in it will be imported again. */
void control_enter(struct build *b, struct scope *scope, bool repeats);
void control_leave(struct build *b, struct scope *scope);
/* What a name is called in the graph, seen from here. */
const char *control_resolve(const struct scope *s, const char *name);
/* A name of the sub-graph as it is, or the first of name.1, name.2, ... that the graph does not have. */
int control_define(struct build *b, const struct source *s, struct scope *scope, const char *name);

/* The sub-graph in that attribute, read now. NULL with a message. */
struct onnx_model *control_open(struct build *b, const struct source *s, const char *attr);
/* Its initializers, under names of the scope. */
int control_add_initializers(struct build *b, const struct source *s, struct onnx_model *m, struct scope *scope);
/* Its nodes, whose outputs get names of the scope, as nodes of the graph. prefix: of their own names, "" or "loop.3/".
 */
int control_add_nodes(struct build *b, const struct source *s, const struct onnx_model *m, struct scope *scope,
                      const char *prefix);
/* The tensor of its output k; -1 with a message. */
int control_output(struct build *b, const struct source *s, const struct onnx_model *m, const struct scope *scope,
                   int k);
/* A scalar that is known at import; else the message says what could be given. */
int control_known(struct build *b, const struct source *s, int t, enum dtype type, const char *what, int64_t *out);

/* control_loop.c */
int control_import_loop(struct build *b, struct source *s);

#endif
