/* SPDX-License-Identifier: MIT */
#include "cli/operators.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/report.h"
#include "engine/plan.h"
#include "model/control.h"
#include "model/layers.h"
#include "model/lower.h"
#include "ops/op.h"

static const char *domain_name(const struct op_row *r)
{
    return *r->domain ? r->domain : "ai.onnx";
}

static int compare_rows(const void *a, const void *b)
{
    const struct op_row *x = *(const struct op_row *const *)a, *y = *(const struct op_row *const *)b;
    int r = strcmp(x->name, y->name);
    return r ? r : strcmp(domain_name(x), domain_name(y));
}

static const char *way_of(const struct op_row *r)
{
    const struct lower_row *own = lower_find(r->name);
    own = own && (own->any_domain || !*r->domain) ? own : NULL;
    if (layers_are_made_of(own ? own->becomes : OP_CALL, r))
        return "layer";
    if (own && own->becomes != OP_CALL)
        return plan_op_has_codes(own->becomes) ? "codes" : "float";
    if (r->flags & OP_GENTLE)
        return "codes by table";
    if (r->flags & OP_RESHAPES)
        return "reshape";
    return r->min_in == 0 || r->flags & OP_OF_SHAPES ? "import" : "call";
}

static const char head[] =
    "# Operators\n"
    "\n"
    "What `bitfader help operators` prints; a test holds this page against it. ONNX opsets 1 to 21. Every operator is\n"
    "computed while importing where its inputs are known by then. Otherwise it runs as\n"
    "\n"
    "- *layer*: kernels on codes and in float, with constant weights or as a product of two activations; takes a\n"
    "  precision. Other cases of the operator are calls.\n"
    "- *codes*: kernels on codes and in float; no precision of its own. Clamps (Relu, Clip, Min, Max), constant "
    "factors and\n"
    "  addends, BatchNormalization and Pad go into the layers beside them where they can.\n"
    "- *codes by table*: a table of 256 entries on codes, where the other inputs are constant numbers; in float as a "
    "call.\n"
    "- *float*: a float kernel.\n"
    "- *reshape*: no work but where the order in memory changes.\n"
    "- *call*: as `ops/` defines it, in fp32, on row-major arrays. So do the cases of the others that their kernels do "
    "not\n"
    "  take.\n"
    "- *import*: known before anything runs; an If or Loop whose condition or count comes from an input is refused.\n"
    "\n"
    "| operator | domain | inputs | runs as |\n"
    "| --- | --- | --- | --- |\n";

/* The importer's own: there is no row for what holds graphs. */
static void put_control(struct text *t, const char *name)
{
    const struct onnx_node n = {.op_type = name, .domain = ""};
    if (control_is(&n))
        text_printf(t, "| %s | ai.onnx | 0 or more | import |\n", name);
}

int operators_put(void)
{
    enum { MOST = 512, MANY = 100 };
    const struct op_row *rows[MOST];
    struct text t = {0};
    int n = 0;
    while (n < MOST && (rows[n] = op_row(n)))
        n++;
    qsort(rows, (size_t)n, sizeof *rows, compare_rows);
    text_put(&t, head);
    for (int i = 0; i < n; i++) {
        text_printf(&t, "| %s | %s | %d", rows[i]->name, domain_name(rows[i]), rows[i]->min_in);
        if (rows[i]->max_in >= MANY)
            text_put(&t, " or more");
        else if (rows[i]->max_in > rows[i]->min_in)
            text_printf(&t, " to %d", rows[i]->max_in);
        text_printf(&t, " | %s |\n", way_of(rows[i]));
    }
    put_control(&t, "If");
    put_control(&t, "Loop");
    int status = report_put(NULL, t.s, t.n);
    text_done(&t);
    return status;
}
