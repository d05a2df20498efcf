/* SPDX-License-Identifier: MIT
 *
 * Quantizers as rounding nodes (OP_SNAP): a float goes to the nearest point of a lattice and stays a float. That is
 * what QuantizeLinear and DequantizeLinear of equal parameters say together, QONNX's Quant and BipolarQuant, and the
 * chains of Round, Clip and Where that networks are exported with where the reader knows neither.
 *
 * DequantizeLinear looks back over what only moves codes to where they were made, and the same moves are made again in
 * float behind the rounding. The codes themselves stay for whoever else reads them; build_finish drops them otherwise.
 */
#include <math.h>
#include <string.h>

#include "model/lattice.h"
#include "model/lower.h"

enum { LEVELS_MAX = 256, DEPTH_MAX = 32 };

struct twin { /* tensor `codes` under these parameters is float tensor `floats` */
    int codes, floats;
    float scale;
    int zero;
};

/* A constant number. */
static bool read_number(const struct build *b, int t, double *out)
{
    if (t < 0 || !b->tensors[t].data || shape_count(&b->tensors[t].shape) != 1)
        return false;
    const struct array a = {b->tensors[t].type, b->tensors[t].shape, (void *)b->tensors[t].data};
    *out = array_double(&a, 0);
    return true;
}

/* Far enough from both ends of float that products and quotients of scales stay inside. */
static bool is_scale(double v)
{
    return v > 1e-18 && v < 1e18;
}

static const struct node *producer(const struct build *b, int t)
{
    return t >= 0 && b->tensors[t].producer >= 0 ? &b->nodes[b->tensors[t].producer] : NULL;
}

static bool is_call(const struct node *n, const char *name)
{
    return n && n->op == OP_CALL && !strcmp(n->row->name, name);
}

/* x on a lattice: the node that does so already, or a new one. With suffix NULL it is output 0 of the ONNX node. */
static int snap(struct build *b, const struct source *s, int x, const struct lattice *lattice, const char *suffix,
                int *out)
{
    struct shape shape = b->tensors[x].shape;
    for (int i = b->n_nodes - 1; i > b->tensors[x].producer; i--) {
        const struct node *n = &b->nodes[i];
        if (n->op != OP_SNAP || n->in[0] != x || !lattice_equal(b->tensors[n->out[0]].lattice, lattice))
            continue;
        *out = n->out[0];
        if (!suffix)
            build_bind(b, s, 0, *out);
        return 0;
    }
    if (build_node(b, s, OP_SNAP, 1, &x, &shape, suffix, out))
        return -1;
    b->tensors[*out].lattice = lattice;
    return 0;
}

/* --- QuantizeLinear and DequantizeLinear -------------------------------------------------------------------------- */

struct codes { /* how the codes of a tensor are read */
    float scale;
    int zero;
    enum dtype type;
};

static bool read_codes(const struct build *b, int t, int scale, int zero, struct codes *c)
{
    double k, z = 0;
    if (!read_number(b, scale, &k) || (zero >= 0 && !read_number(b, zero, &z)))
        return false;
    *c = (struct codes){(float)k, (int)z, b->tensors[t].type};
    return is_scale(k) && (c->type == DTYPE_U8 || c->type == DTYPE_I8);
}

static void keep_twin(struct build *b, int codes, int floats, const struct codes *c)
{
    if (b->n_twins == b->cap_twins) {
        int cap = b->cap_twins ? 2 * b->cap_twins : 64;
        b->twins = mem_resize(b->twins, (size_t)b->cap_twins, (size_t)cap, sizeof *b->twins);
        b->cap_twins = cap;
    }
    b->twins[b->n_twins++] = (struct twin){codes, floats, c->scale, c->zero};
}

static int dequantize_constant(struct build *b, const struct source *s, int t, const struct codes *c)
{
    struct shape shape = b->tensors[t].shape;
    const struct array from = {c->type, shape, (void *)b->tensors[t].data};
    void *data;
    int out = build_constant(b, s, build_name(b, s, "constant"), DTYPE_F32, &shape, &data);
    for (int64_t i = 0; out >= 0 && i < shape_count(&shape); i++)
        ((float *)data)[i] = (float)((array_double(&from, i) - c->zero) * c->scale);
    if (out >= 0)
        lattice_put(b, out, 8, false, &c->scale, 1, 0);
    return out;
}

static int floats_of(struct build *b, const struct source *s, int t, const struct codes *c, int depth);

/* The node that moves codes, again on floats. */
static int move_floats(struct build *b, const struct source *s, const struct node *n, const struct codes *c, int depth)
{
    static const char *const movers[] = {"MaxPool", "Transpose", "Concat", "Slice"};
    bool moves = false, concat = !strcmp(n->row->name, "Concat");
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++)
        moves |= !strcmp(n->row->name, movers[i]);
    if (!moves || n->n_out != 1)
        return -1;
    const struct node mover = *n; /* the list of nodes grows */
    int *in = arena_new(&b->arena, (size_t)mover.n_in + 1, sizeof *in);
    for (int k = 0; k < mover.n_in; k++) {
        in[k] = k == 0 || concat ? floats_of(b, s, mover.in[k], c, depth + 1) : mover.in[k];
        if (in[k] < 0 && (k == 0 || concat))
            return -1;
    }
    const char *const out[] = {build_name(b, s, "moved")};
    const struct onnx_node again = {.name = s->name,
                                    .op_type = mover.row->name,
                                    .domain = "",
                                    .out = out, /* n_out 0: bound to no name of the file */
                                    .n_attr = mover.n_attr,
                                    .attr = mover.attr};
    const struct source as = {.node = &again, .name = build_name(b, s, mover.row->name), .in = in, .n_in = mover.n_in};
    int before = b->n_nodes;
    if (lower_find(mover.row->name)->lower(b, &as) || b->failed)
        return -1;
    return b->n_nodes == before ? in[0] : b->nodes[b->n_nodes - 1].out[0];
}

static int make_floats(struct build *b, const struct source *s, int t, const struct codes *c, int depth)
{
    struct codes made;
    int out = -1;
    if (b->tensors[t].data)
        return dequantize_constant(b, s, t, c);
    const struct node *n = producer(b, t);
    if (!n || n->op != OP_CALL || depth > DEPTH_MAX)
        return -1;
    if (is_call(n, "QuantizeLinear")) {
        int zero = n->n_in > 2 ? n->in[2] : -1, base = c->type == DTYPE_I8 ? -128 : 0;
        if (b->tensors[n->in[0]].type != DTYPE_F32 || !read_codes(b, t, n->in[1], zero, &made) ||
            made.scale != c->scale || made.zero != c->zero)
            return -1;
        const struct lattice *g = lattice_new(&b->arena, c->scale, base - c->zero, base + 255 - c->zero, false);
        if (snap(b, s, n->in[0], g, "rounded", &out))
            return -1;
        b->nodes[b->tensors[out].producer].op_type = "QuantizeLinear";
        return out;
    }
    if (!(n->row->flags & OP_RESHAPES))
        return move_floats(b, s, n, c, depth);
    struct shape shape = b->tensors[t].shape;
    const char *type = n->op_type;
    int x = floats_of(b, s, n->in[0], c, depth + 1), before = b->n_nodes;
    if (x < 0 || build_reshape_step(b, s, x, &shape, "moved", &out))
        return -1;
    if (b->n_nodes > before)
        b->nodes[before].op_type = type;
    return out;
}

static int floats_of(struct build *b, const struct source *s, int t, const struct codes *c, int depth)
{
    if (b->tensors[t].type != c->type)
        return -1;
    for (int i = 0; i < b->n_twins; i++)
        if (b->twins[i].codes == t && b->twins[i].scale == c->scale && b->twins[i].zero == c->zero)
            return b->twins[i].floats;
    int out = make_floats(b, s, t, c, depth);
    if (out >= 0)
        keep_twin(b, t, out, c);
    return out;
}

int lower_codes(struct build *b, const struct source *s, int t, int scale, int zero)
{
    struct codes c;
    return read_codes(b, t, scale, zero, &c) ? floats_of(b, s, t, &c, 0) : -1;
}

int lower_dequantize_linear(struct build *b, const struct source *s)
{
    int x = lower_codes(b, s, s->in[0], s->in[1], build_in(s, 2));
    if (x < 0)
        return -1;
    build_bind(b, s, 0, x);
    return 0;
}

/* --- QONNX -------------------------------------------------------------------------------------------------------- */

/* Zero points that move ties to another neighbour (rint(x / scale + zero) with an odd zero) are left to the call. */
int lower_quant(struct build *b, const struct source *s)
{
    double scale, zero, bits;
    int out;
    bool is_signed = build_attr_int(b, s, "signed", 1), narrow = build_attr_int(b, s, "narrow", 0);
    if (strcmp(build_attr_string(b, s, "rounding_mode", "ROUND"), "ROUND") != 0 || b->failed)
        return -1;
    if (!read_number(b, s->in[1], &scale) || !read_number(b, s->in[2], &zero) || !read_number(b, s->in[3], &bits))
        return -1;
    if (!is_scale(scale) || bits != rint(bits) || bits < 2 || bits > 8 || fmod(zero, 2) != 0)
        return -1;
    int levels = 1 << (int)bits, lo = is_signed ? -levels / 2 + narrow : 0;
    int hi = is_signed ? levels / 2 - 1 : levels - 1 - narrow;
    if (zero < lo || zero > hi)
        return -1;
    return snap(b, s, s->in[0], lattice_new(&b->arena, (float)scale, lo - (int)zero, hi - (int)zero, false), NULL,
                &out);
}

int lower_bipolar_quant(struct build *b, const struct source *s)
{
    double scale;
    int out;
    if (!read_number(b, s->in[1], &scale) || !is_scale(scale))
        return -1;
    return snap(b, s, s->in[0], lattice_new(&b->arena, (float)scale, -1, 1, true), NULL, &out);
}

/* --- written out -------------------------------------------------------------------------------------------------- */

/* Where(x >= 0, s, -s) */
int lower_where(struct build *b, const struct source *s)
{
    const struct node *test = producer(b, s->in[0]);
    double zero, yes, no;
    int out;
    if (!is_call(test, "GreaterOrEqual") || !read_number(b, test->in[1], &zero) || zero != 0 ||
        !read_number(b, s->in[1], &yes) || !read_number(b, s->in[2], &no))
        return -1;
    const struct shape *x = &b->tensors[test->in[0]].shape;
    struct shape to = *x;
    for (int k = 1; k < 3; k++)
        if (b->tensors[s->in[k]].type != DTYPE_F32 || b->tensors[s->in[k]].shape.n > x->n)
            return -1;
    if (b->tensors[test->in[0]].type != DTYPE_F32 || b->tensors[test->in[1]].shape.n > x->n || !shape_equal(x, &to) ||
        !is_scale(yes) || no != -yes)
        return -1;
    return snap(b, s, test->in[0], lattice_new(&b->arena, (float)yes, -1, 1, true), NULL, &out);
}

bool lower_rounded_clip(struct build *b, const struct source *s, float lo, float hi)
{
    const struct node *round = producer(b, s->in[0]);
    int out;
    if (!is_call(round, "Round") || !(lo <= 0 && hi >= 0 && hi - lo >= 1 && hi - lo < LEVELS_MAX) || lo != rintf(lo) ||
        hi != rintf(hi))
        return false;
    return snap(b, s, round->in[0], lattice_new(&b->arena, 1, (int)lo, (int)hi, false), NULL, &out) == 0;
}

/* The rounding of x / scale, times scale, is x on that lattice. */
bool lower_scaled_snap(struct build *b, const struct source *s)
{
    double scale, inverse;
    int k = s->n_in == 2 && b->tensors[s->in[0]].data ? 1 : 0, out;
    const struct node *n = producer(b, s->in[k]);
    if (!n || n->op != OP_SNAP || !read_number(b, s->in[1 - k], &scale) || !is_scale(scale) ||
        b->tensors[s->in[1 - k]].type != DTYPE_F32 || b->tensors[s->in[1 - k]].shape.n > b->tensors[s->in[k]].shape.n)
        return false;
    const struct lattice *g = b->tensors[n->out[0]].lattice;
    if (scale == 1) {
        build_bind(b, s, 0, n->out[0]);
        return true;
    }
    const struct node *divided = producer(b, n->in[0]);
    if (g->binary || g->scale[0] != 1 || !divided || divided->op != OP_MUL ||
        !read_number(b, divided->in[1], &inverse) || fabs(inverse * scale - 1) > 1e-6)
        return false;
    return snap(b, s, divided->in[0], lattice_new(&b->arena, (float)scale, g->lo, g->hi, false), NULL, &out) == 0;
}
