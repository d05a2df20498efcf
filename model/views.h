/* SPDX-License-Identifier: MIT
 *
 * Transposes and Reshapes that are not done yet. While passes_layout.c walks the nodes, a tensor may be a view: the
 * axes of a base tensor in another order, axes of 1 added or dropped, and all of it reshaped. views_make appends the
 * nodes that a view takes, once for each base, order and shape; a view that came back to its base takes none.
 *
 * Invariants: a base is no view. Axes of base that map does not name have a size of 1, and so have those where map is
 * -1. Only float tensors are views.
 */
#ifndef BITFADER_MODEL_VIEWS_H
#define BITFADER_MODEL_VIEWS_H

#include "model/build.h"

struct view {
    int base;
    struct shape mid;           /* of the axes in their new order; the tensor's own shape has the same elements */
    int map[SHAPE_MAX];         /* axis of mid: which axis of base, -1 for an axis of 1 that base does not have */
    const char *name;           /* of the last node of the file on the way, for the nodes that it takes */
    bool helper;                /* there is none: it is that of a helper */
    const char *type;           /* and its operator, where that reshapes */
    struct passed_name *passed; /* names of all nodes on the way, the last one first */
};

struct views {
    struct build *b;
    struct view *of; /* [cap] by tensor; base is -1 where the tensor is no view */
    int *first;      /* [cap] by base: its first made view in made, -1 when none */
    struct made_view *made;
    int n_made, cap_made, cap;
};

void views_init(struct views *v, struct build *b);
void views_done(struct views *v);

/* The view that a tensor is; a tensor that is none is a view of itself. */
struct view view_of(const struct views *v, int tensor);
struct view view_of_itself(const struct views *v, int tensor);
void view_set(struct views *v, int tensor, const struct view *x);

/* True when the elements of the view stand in the order of its base. */
bool view_in_order(const struct view *x);
/* True when the tensor of that shape takes a reshape after its axes are in order. */
bool view_is_flat(const struct view *x, const struct shape *shape);

/* The tensor of that shape that shows x: the base, one that was made before, or a new one, which is `as` where that is
 * not -1. -1 when b->e is set. */
int views_make(struct views *v, const struct view *x, const struct shape *shape, int as);
/* The same for a tensor that may be a view. */
int views_make_tensor(struct views *v, int tensor);
/* Tensor `made` under the name of `as`, by a node of its own. */
int views_copy(struct views *v, const struct view *x, int made, int as);
/* Whether views_make has to move elements. */
bool views_costs(const struct views *v, const struct view *x, const struct shape *shape);

/* x after a node of the file that reshapes or transposes. */
struct view view_reshaped(const struct views *v, const struct view *x, const struct shape *to);
struct view view_transposed(const struct view *x, int rank, const int *perm);

#endif
