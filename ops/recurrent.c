/* SPDX-License-Identifier: MIT
 *
 * LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al. 2014) and plain recurrent layers, as ONNX defines them. Gates
 * of a step are one row: [gates * hidden].
 */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "ops/recurrent.h"

enum kind { RNN, GRU, LSTM };
enum { INPUT_X, INPUT_W, INPUT_R, INPUT_B, INPUT_LENGTHS, INPUT_H, INPUT_C, INPUT_P };

struct layer {
    enum kind kind;
    int64_t steps, batch, input, hidden, gates, directions;
    bool first_reversed, batch_first;
    float clip;
};

enum shape_of {
    SIGMOID,
    TANH,
    RELU,
    LEAKY_RELU,
    THRESHOLDED_RELU,
    HARD_SIGMOID,
    SCALED_TANH,
    AFFINE,
    ELU,
    SOFTSIGN,
    SOFTPLUS,
    FUNCTIONS
};

struct function {
    const char *name;
    float alpha, beta; /* where the node gives none */
    enum shape_of shape;
};
static const struct function functions[FUNCTIONS] = {
    {"Sigmoid", 0, 0, SIGMOID},
    {"Tanh", 0, 0, TANH},
    {"Relu", 0, 0, RELU},
    {"LeakyRelu", 0.01f, 0, LEAKY_RELU},
    {"ThresholdedRelu", 1, 0, THRESHOLDED_RELU},
    {"HardSigmoid", 0.2f, 0.5f, HARD_SIGMOID},
    {"ScaledTanh", 1, 1, SCALED_TANH},
    {"Affine", 1, 0, AFFINE},
    {"Elu", 1, 0, ELU},
    {"Softsign", 0, 0, SOFTSIGN},
    {"Softplus", 0, 0, SOFTPLUS},
};

static float apply(const struct function *f, float x)
{
    switch (f->shape) {
    case SIGMOID:
        return 1 / (1 + expf(-x));
    case TANH:
        return tanhf(x);
    case RELU:
        return x > 0 ? x : 0;
    case LEAKY_RELU:
        return x < 0 ? f->alpha * x : x;
    case THRESHOLDED_RELU:
        return x > f->alpha ? x : 0;
    case HARD_SIGMOID:
        return fmaxf(0, fminf(1, f->alpha * x + f->beta));
    case SCALED_TANH:
        return f->alpha * tanhf(f->beta * x);
    case AFFINE:
        return f->alpha * x + f->beta;
    case ELU:
        return x < 0 ? f->alpha * expm1f(x) : x;
    case SOFTSIGN:
        return x / (1 + fabsf(x));
    default:
        return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
    }
}

/* Function k of a direction: by the lists, else the operator's own. */
static int find_function(const struct op_call *c, const struct layer *l, int64_t direction, int k, struct function *out,
                         struct err *e)
{
    static const char *const usual[3][3] = {{"Tanh"}, {"Sigmoid", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}};
    static const int counts[3] = {1, 2, 3};
    const struct attr *names = op_attr(c, "activations", ATTR_STRINGS),
                      *a = op_attr(c, "activation_alpha", ATTR_FLOATS), *b = op_attr(c, "activation_beta", ATTR_FLOATS);
    size_t at = (size_t)(direction * counts[l->kind] + k);
    const char *name = names && at < names->n ? names->strings[at] : usual[l->kind][k];
    for (int i = 0; i < FUNCTIONS; i++)
        if (!strcmp(functions[i].name, name)) {
            *out = functions[i];
            if (a && at < a->n)
                out->alpha = a->floats[at];
            if (b && at < b->n)
                out->beta = b->floats[at];
            return 0;
        }
    return err_set(e, "activation %.30s is not supported", name);
}

static int read_layer(const struct op_call *c, struct layer *l, struct err *e)
{
    static const int64_t gates[3] = {1, 3, 4};
    const struct shape *x = &c->in[INPUT_X].shape, *w = &c->in[INPUT_W].shape, *r = &c->in[INPUT_R].shape;
    const char *direction = op_attr_string(c, "direction", "forward");
    *l = (struct layer){.kind = !strcmp(c->row->name, "LSTM") ? LSTM : !strcmp(c->row->name, "GRU") ? GRU : RNN};
    l->batch_first = op_attr_int(c, "layout", 0);
    l->clip = op_attr_float(c, "clip", 0);
    l->gates = gates[l->kind];
    l->directions = strcmp(direction, "bidirectional") ? 1 : 2;
    l->first_reversed = !strcmp(direction, "reverse");
    for (int k = 0; k < c->n_in; k++)
        if (k != INPUT_LENGTHS && op_check_type(c, k, DTYPE_F32, e))
            return -1;
    if (x->n != 3 || w->n != 3 || r->n != 3)
        return err_set(e, "its inputs have not three dimensions");
    l->steps = x->d[l->batch_first];
    l->batch = x->d[!l->batch_first];
    l->input = x->d[2];
    l->hidden = r->d[2];
    struct shape state = {
        3, {l->batch_first ? l->batch : l->directions, l->batch_first ? l->directions : l->batch, l->hidden}};
    bool fits = w->d[0] == l->directions && r->d[0] == l->directions && w->d[1] == l->gates * l->hidden &&
                w->d[2] == l->input && r->d[1] == l->gates * l->hidden && l->hidden > 0;
    fits &= !op_has(c, INPUT_B) || shape_count(&c->in[INPUT_B].shape) == l->directions * 2 * l->gates * l->hidden;
    fits &= !op_has(c, INPUT_LENGTHS) ||
            (c->in[INPUT_LENGTHS].type == DTYPE_I32 && shape_count(&c->in[INPUT_LENGTHS].shape) == l->batch);
    fits &= !op_has(c, INPUT_H) || shape_equal(&c->in[INPUT_H].shape, &state);
    fits &= !op_has(c, INPUT_C) || shape_equal(&c->in[INPUT_C].shape, &state);
    fits &= !op_has(c, INPUT_P) || shape_count(&c->in[INPUT_P].shape) == l->directions * 3 * l->hidden;
    return fits ? 0 : err_set(e, "its weights and states do not fit");
}

static int infer_recurrent(struct op_call *c, struct err *e)
{
    struct layer l;
    struct function f;
    if (read_layer(c, &l, e))
        return -1;
    for (int64_t d = 0; d < l.directions; d++)
        for (int k = 0; k <= (int)l.kind; k++)
            if (find_function(c, &l, d, k, &f, e))
                return -1;
    struct shape y = {4, {l.steps, l.directions, l.batch, l.hidden}}, last = {3, {l.directions, l.batch, l.hidden}};
    if (l.batch_first) {
        y = (struct shape){4, {l.batch, l.steps, l.directions, l.hidden}};
        last = (struct shape){3, {l.batch, l.directions, l.hidden}};
    }
    if (op_output(c, 2, DTYPE_F32, &last, e) || op_output(c, 1, DTYPE_F32, &last, e) ||
        op_output(c, 0, DTYPE_F32, &y, e))
        return -1;
    if (c->n_out > 2 && l.kind != LSTM)
        return err_set(e, "only an LSTM has a cell");
    /* gates and candidate of one step, state and cell */
    c->work_bytes = (size_t)(2 * l.gates * l.hidden + 4 * l.hidden) * sizeof(float);
    return 0;
}

static float limit(const struct layer *l, float x)
{
    return l->clip > 0 ? fmaxf(-l->clip, fminf(l->clip, x)) : x;
}

/* z[n] = bias + m[n][k] v */
void recurrent_affine(const float *m, const float *v, const float *bias, int64_t n, int64_t k, float *z)
{
    for (int64_t i = 0; i < n; i++)
        z[i] = bias ? bias[i] : 0;
    if (k)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)k, 1, m, (int)k, v, 1, 1, z, 1);
}

struct cell { /* one direction, one row of the batch */
    const struct layer *l;
    const struct recurrent_products *products;
    int64_t direction;
    const float *peep; /* may be NULL */
    struct function f[3];
    float *h, *c, *zw, *zr, *spare;
    bool linear_before_reset, input_forget;
};

static void step_rnn(const struct cell *s)
{
    for (int64_t i = 0; i < s->l->hidden; i++)
        s->h[i] = apply(&s->f[0], limit(s->l, s->zw[i] + s->zr[i]));
}

/* Gates: update z, reset r, candidate h. */
static void step_gru(const struct cell *s)
{
    int64_t n = s->l->hidden;
    for (int64_t i = 0; i < 2 * n; i++)
        s->zw[i] = apply(&s->f[0], limit(s->l, s->zw[i] + s->zr[i]));
    const float *reset = s->zw + n;
    float *from_state = s->zr + 2 * n;
    if (!s->linear_before_reset) {
        for (int64_t i = 0; i < n; i++)
            s->spare[i] = reset[i] * s->h[i];
        s->products->state(s->products->ctx, s->direction, s->spare, 2 * n, n, from_state);
    } else {
        for (int64_t i = 0; i < n; i++)
            from_state[i] *= reset[i];
    }
    for (int64_t i = 0; i < n; i++) {
        float h = apply(&s->f[1], limit(s->l, s->zw[2 * n + i] + from_state[i]));
        s->h[i] = (1 - s->zw[i]) * h + s->zw[i] * s->h[i];
    }
}

/* Gates: input i, output o, forget f, cell c; peepholes i, o, f. */
static void step_lstm(const struct cell *s)
{
    int64_t n = s->l->hidden;
    for (int64_t i = 0; i < n; i++) {
        const float *p = s->peep;
        float in = s->zw[i] + s->zr[i] + (p ? p[i] * s->c[i] : 0);
        float forget = s->zw[2 * n + i] + s->zr[2 * n + i] + (p ? p[2 * n + i] * s->c[i] : 0);
        in = apply(&s->f[0], limit(s->l, in));
        forget = s->input_forget ? 1 - in : apply(&s->f[0], limit(s->l, forget));
        float c = forget * s->c[i] + in * apply(&s->f[1], limit(s->l, s->zw[3 * n + i] + s->zr[3 * n + i]));
        float out = apply(&s->f[0], limit(s->l, s->zw[n + i] + s->zr[n + i] + (p ? p[n + i] * c : 0)));
        s->c[i] = c;
        s->h[i] = out * apply(&s->f[2], c);
    }
}

static int64_t state_at(const struct layer *l, int64_t d, int64_t b)
{
    return (l->batch_first ? b * l->directions + d : d * l->batch + b) * l->hidden;
}

/* One row of the batch in one direction, through its steps. */
static void run_row(const struct op_call *c, const struct layer *l, struct cell *s, int64_t d, int64_t b)
{
    bool reversed = d == 1 || l->first_reversed;
    int64_t n = l->hidden, given = op_has(c, INPUT_LENGTHS) ? array_int(&c->in[INPUT_LENGTHS], b) : l->steps;
    int64_t length = given < 0 ? 0 : given > l->steps ? l->steps : given;
    for (int64_t i = 0; i < n; i++) {
        s->h[i] = op_has(c, INPUT_H) ? ((const float *)c->in[INPUT_H].data)[state_at(l, d, b) + i] : 0;
        s->c[i] = op_has(c, INPUT_C) ? ((const float *)c->in[INPUT_C].data)[state_at(l, d, b) + i] : 0;
    }
    for (int64_t k = 0; k < l->steps; k++) {
        int64_t t = k >= length ? k : reversed ? length - 1 - k : k;
        int64_t x = l->batch_first ? b * l->steps + t : t * l->batch + b;
        float *y =
            (float *)c->out[0].data +
            (l->batch_first ? (b * l->steps + t) * l->directions + d : (t * l->directions + d) * l->batch + b) * n;
        if (k >= length) {
            memset(y, 0, (size_t)n * sizeof *y);
            continue;
        }
        const struct recurrent_products *p = s->products;
        bool later = l->kind == GRU && !s->linear_before_reset; /* the candidate's, of the state that was reset */
        p->input(p->ctx, d, x, s->zw);
        p->state(p->ctx, d, s->h, 0, (later ? 2 : l->gates) * n, s->zr);
        if (l->kind == LSTM)
            step_lstm(s);
        else if (l->kind == GRU)
            step_gru(s);
        else
            step_rnn(s);
        memcpy(y, s->h, (size_t)n * sizeof *y);
    }
    for (int k = 1; k < c->n_out; k++)
        memcpy((float *)c->out[k].data + state_at(l, d, b), k == 1 ? s->h : s->c, (size_t)n * sizeof(float));
}

const char *recurrent_run(const struct op_call *c, const struct recurrent_products *p)
{
    struct layer l;
    struct err unused;
    if (read_layer(c, &l, &unused))
        return "its inputs do not fit";
    int64_t n = l.hidden, rows = l.gates * n;
    float *work = c->work;
    for (int64_t d = 0; d < l.directions; d++) {
        struct cell s = {.l = &l,
                         .products = p,
                         .direction = d,
                         .peep = op_has(c, INPUT_P) ? (const float *)c->in[INPUT_P].data + d * 3 * n : NULL,
                         .zw = work,
                         .zr = work + rows,
                         .h = work + 2 * rows,
                         .c = work + 2 * rows + n,
                         .spare = work + 2 * rows + 2 * n,
                         .linear_before_reset = op_attr_int(c, "linear_before_reset", 0),
                         .input_forget = op_attr_int(c, "input_forget", 0)};
        for (int k = 0; k <= (int)l.kind; k++)
            if (find_function(c, &l, d, k, &s.f[k], &unused))
                return "its activation is not known";
        for (int64_t b = 0; b < l.batch; b++)
            run_row(c, &l, &s, d, b);
    }
    return NULL;
}

/* --- as the operator has it -----------------------------------------------------------------------------------------
 */

struct float_products {
    const float *x, *w, *r, *b; /* b: [directions][2][rows], or NULL */
    int64_t input, hidden, rows;
};

static void float_input(void *ctx, int64_t d, int64_t x, float *z)
{
    const struct float_products *p = ctx;
    recurrent_affine(p->w + d * p->rows * p->input, p->x + x * p->input, p->b ? p->b + 2 * d * p->rows : NULL, p->rows,
                     p->input, z);
}

static void float_state(void *ctx, int64_t d, const float *h, int64_t first, int64_t n, float *z)
{
    const struct float_products *p = ctx;
    recurrent_affine(p->r + (d * p->rows + first) * p->hidden, h, p->b ? p->b + (2 * d + 1) * p->rows + first : NULL, n,
                     p->hidden, z);
}

static const char *run_recurrent(const struct op_call *c)
{
    const struct shape *r = &c->in[INPUT_R].shape;
    struct float_products own = {.x = c->in[INPUT_X].data,
                                 .w = c->in[INPUT_W].data,
                                 .r = c->in[INPUT_R].data,
                                 .b = op_has(c, INPUT_B) ? c->in[INPUT_B].data : NULL,
                                 .input = c->in[INPUT_X].shape.d[2],
                                 .hidden = r->d[2],
                                 .rows = r->d[1]};
    const struct recurrent_products p = {&own, float_input, float_state};
    return recurrent_run(c, &p);
}

const struct op_row ops_recurrent[] = {
    {"LSTM", "", 3, 8, 3, 0, infer_recurrent, run_recurrent},
    {"GRU", "", 3, 6, 2, 0, infer_recurrent, run_recurrent},
    {"RNN", "", 3, 6, 2, 0, infer_recurrent, run_recurrent},
    {.name = NULL},
};
