/* SPDX-License-Identifier: MIT */
#include "search/estimate.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *word, *sign;
} verdict_texts[] = {
    [VERDICT_NONE] = {"", ""},      [VERDICT_UNKNOWN] = {"?", "?"}, [VERDICT_OK] = {"ok", "+"},
    [VERDICT_NEAR] = {"near", "="}, [VERDICT_OVER] = {"OVER", "!"},
};

const char *verdict_word(enum verdict v)
{
    return verdict_texts[v].word;
}

const char *verdict_sign(enum verdict v)
{
    return verdict_texts[v].sign;
}

double loss_fit_drop(const struct loss_fit *f, double loss)
{
    if (!(loss > 0))
        return loss; /* 0, or NAN */
    return -f->ceiling * expm1(-f->scale * pow(loss, f->power) / f->ceiling);
}

double loss_fit_loss(const struct loss_fit *f, double drop)
{
    if (!(drop > 0))
        return 0;
    double most = 0.999 * f->ceiling;
    return pow(-f->ceiling * log1p(-fmin(drop, most) / f->ceiling) / f->scale, 1 / f->power);
}

double estimate_loss(const struct layer_table *l, const struct precision *p)
{
    double w = l->loss_w[p->w_bits], a = l->loss_a[p->a_bits];
    if (p->w_bits && p->granularity != GRANULARITY_CHANNEL) {
        /* Tables are measured per channel; the loss follows the noise power of the weights. */
        double worse = l->sqnr[GRANULARITY_CHANNEL][p->w_bits] - l->sqnr[p->granularity][p->w_bits];
        if (worse > 0)
            w *= pow(10, worse / 10);
    }
    return w + a;
}

int64_t estimate_bytes(const struct layer_table *l, const struct precision *p)
{
    return l->bytes[p->granularity][p->w_bits];
}

double estimate_latency_ns(const struct layer_cost *c, const struct precision *p)
{
    return precision_is_integer(p) ? c->latency_ns[p->w_bits][p->a_bits] : c->latency_ns[0][0];
}

/* An integer multiplication is taken to shrink with both widths. */
double estimate_energy_uj(const struct energy_model *m, const struct layer_table *l, const struct precision *p)
{
    double mac = precision_is_integer(p) ? m->int8_mul * p->w_bits * p->a_bits / 64 + m->int32_add : m->fp32_mac;
    return (l->macs * mac + (double)estimate_bytes(l, p) * m->weight_byte) * 1e-6;
}

static double layer_bops(const struct layer_table *l, const struct precision *p)
{
    return l->macs * (p->w_bits ? p->w_bits : 32) * (p->a_bits ? p->a_bits : 32);
}

/* limit: at most, or at least where `floor`. */
static void judge(struct meter *m, double limit, int floor)
{
    m->limit = limit;
    if (isnan(limit)) {
        m->verdict = VERDICT_NONE;
    } else if (isnan(m->value)) {
        m->verdict = VERDICT_UNKNOWN;
    } else {
        double room = floor ? m->value - limit : limit - m->value;
        m->verdict = room >= m->error ? VERDICT_OK : room >= -m->error ? VERDICT_NEAR : VERDICT_OVER;
    }
}

static double accuracy_floor(const struct budgets *b, double fp32)
{
    double by_drop = isnan(b->accuracy_drop) ? NAN : fp32 - b->accuracy_drop;
    return isnan(by_drop) ? b->accuracy_min : isnan(b->accuracy_min) ? by_drop : fmax(by_drop, b->accuracy_min);
}

void estimate_profile(const struct tables *t, const struct profile *p, const struct budgets *b, struct estimate *out)
{
    static const struct precision fp32 = {.granularity = GRANULARITY_CHANNEL};
    double loss = 0, ns = 0, bytes = 0, energy = 0, fp32_bytes = 0, fp32_energy = 0;
    *out = (struct estimate){.all_measured = true};
    bool integer = false;
    for (int l = 0; l < t->n_layers; l++) {
        const struct layer_table *x = &t->layers[l];
        const struct precision *q = &p->layers[l].precision;
        loss += estimate_loss(x, q);
        ns += estimate_latency_ns(&t->cost.layers[l], q);
        bytes += (double)estimate_bytes(x, q);
        energy += estimate_energy_uj(&t->cost.energy, x, q);
        fp32_bytes += (double)estimate_bytes(x, &fp32);
        fp32_energy += estimate_energy_uj(&t->cost.energy, x, &fp32);
        out->bops += layer_bops(x, q);
        out->fp32_bops += layer_bops(x, &fp32);
        integer |= precision_is_integer(q);
        out->emulated += !precision_is_integer(q) && (q->w_bits || q->a_bits);
        out->all_measured &= x->measured || (!q->w_bits && !q->a_bits);
    }
    out->loss = loss;
    out->drop = t->unlabelled ? NAN : loss_fit_drop(&t->fit, loss);
    double error = loss == 0 ? 0 : t->fit.error_abs + t->fit.error_rel * out->drop * (out->all_measured ? 1 : 2);
    error = fmin(error, 50); /* the interval is one of percentages */
    out->accuracy = (struct meter){fmax(0, t->fp32_accuracy - out->drop), error, t->fp32_accuracy, NAN, VERDICT_NONE};
    if (isnan(t->fp32_accuracy) || isnan(out->drop))
        out->accuracy.value = NAN;
    ns += integer ? t->cost.other_ns : t->cost.other_fp32_ns;
    out->latency = (struct meter){ns, ns * t->cost.error_rel, t->cost.fp32_latency_ns, NAN, VERDICT_NONE};
    out->size = (struct meter){bytes, 0, fp32_bytes, NAN, VERDICT_NONE};
    out->energy = (struct meter){energy, 0, fp32_energy, NAN, VERDICT_NONE};
    b = b ? b : &p->budgets;
    judge(&out->accuracy, accuracy_floor(b, t->fp32_accuracy), 1);
    if (isnan(out->accuracy.limit) && !isnan(b->accuracy_drop)) /* a drop from an accuracy that is not known yet */
        out->accuracy.verdict = VERDICT_UNKNOWN;
    judge(&out->latency, b->latency_ns > 0 ? b->latency_ns : NAN, 0);
    judge(&out->size, b->bytes > 0 ? (double)b->bytes : NAN, 0);
}

double estimate_slower(const struct layer_cost *x, const struct precision *q)
{
    static const double NOISE = 0.05;
    if (!precision_is_integer(q))
        return 0;
    double ns = x->latency_ns[q->w_bits][q->a_bits], full = x->latency_ns[BITS_MAX][BITS_MAX];
    double spread = fmax(x->spread_ns[q->w_bits][q->a_bits], 0) + fmax(x->spread_ns[BITS_MAX][BITS_MAX], 0);
    return ns > full * (1 + NOISE) + spread ? ns / full : 0;
}

char *estimate_slower_text(double slower, char out[48])
{
    out[0] = '\0';
    if (slower > 0)
        snprintf(out, 48, "slower than w8a8 here (%.2fx)", slower);
    return out;
}

void estimate_layer(const struct tables *t, const struct profile *p, int layer, struct layer_estimate *out)
{
    const struct layer_table *x = &t->layers[layer];
    const struct layer_cost *cost = &t->cost.layers[layer];
    const struct precision *q = &p->layers[layer].precision;
    double loss = 0, ns = 0, bytes = 0;
    bool integer = false;
    for (int l = 0; l < t->n_layers; l++) {
        loss += estimate_loss(&t->layers[l], &p->layers[l].precision);
        ns += estimate_latency_ns(&t->cost.layers[l], &p->layers[l].precision);
        bytes += (double)estimate_bytes(&t->layers[l], &p->layers[l].precision);
        integer |= precision_is_integer(&p->layers[l].precision);
    }
    double other = integer ? t->cost.other_ns : t->cost.other_fp32_ns;
    *out = (struct layer_estimate){
        .sqnr = x->sqnr[q->granularity][q->w_bits],
        .latency_ns = estimate_latency_ns(cost, q),
        .bytes = estimate_bytes(x, q),
        .loss = estimate_loss(x, q),
        .measured = x->measured,
        .emulated = !precision_is_integer(q) && (q->w_bits || q->a_bits),
    };
    out->kernel = cost->kernel[precision_is_integer(q) ? q->w_bits : 0][precision_is_integer(q) ? q->a_bits : 0];
    out->slower = estimate_slower(cost, q);
    /* Losses add up and then saturate: a layer's part of the drop is its part of the loss. */
    out->drop = t->unlabelled ? NAN : loss > 0 ? loss_fit_drop(&t->fit, loss) * out->loss / loss : loss;
    out->latency_share = out->latency_ns / (ns + (isnan(other) ? 0 : other));
    out->size_share = bytes > 0 ? (double)out->bytes / bytes : 0;
}

double estimate_solo_drop(const struct tables *t, int layer, int w_bits)
{
    return loss_fit_drop(&t->fit, t->layers[layer].loss_w[w_bits]);
}
