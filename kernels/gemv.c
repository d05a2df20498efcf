/* SPDX-License-Identifier: MIT */
#include "kernels/gemv.h"

#include <string.h>

#include "base/num.h"
#include "kernels/panel.h"

enum { LINE = 64 };

bool gemv_shape(const struct conv_geom *g)
{
    if (g->groups != 1 || g->pad_top != 0 || g->pad_left != 0 || (int64_t)g->cin * g->kh * g->kw > GEMV_K_MAX)
        return false;
    bool whole = g->oh == 1 && g->ow == 1 && g->kh == g->h && g->kw == g->w;
    bool each = g->kh == 1 && g->kw == 1 && g->oh == g->h && g->ow == g->w && g->oh * g->ow <= GEMV_PIXELS;
    return (whole && g->dilation_h == 1 && g->dilation_w == 1) || (each && g->stride_h == 1 && g->stride_w == 1);
}

void gemv_plan_init(struct gemv_plan *p, const struct conv_geom *g, int block, int bits, bool trits)
{
    memset(p, 0, sizeof *p);
    p->k = g->cin * g->kh * g->kw;
    p->cout = g->cout;
    p->pixels = g->oh * g->ow;
    p->block = block && block < p->k ? block : p->k;
    p->blocks = (p->k + p->block - 1) / p->block;
    p->vectors = trits ? 24 : 8;
    p->step_bytes = LINE * (size_t)(trits ? 5 : bits);
    p->block_stride = round_up((size_t)p->block, 4 * (size_t)p->vectors);
    p->pixel_stride = round_up((size_t)p->blocks * p->block_stride, LINE);
    p->sums_at = (size_t)p->pixels * p->pixel_stride;
    p->scratch_bytes = p->sums_at + (size_t)(p->pixels * p->blocks) * sizeof(struct gemv_sums);
}

/* --- levels ---------------------------------------------------------------------------------------------------------
 */

/* The different levels of 2-bit codes, upwards; how many. */
static int distinct(const struct conv_weights *w, int level[4])
{
    int n = 0;
    for (int v = -127; v <= 127; v++)
        for (int c = 0; c < 1 << w->bits; c++)
            if (w->levels[c] == v) {
                level[n++] = v;
                break;
            }
    return n;
}

bool gemv_is_ternary(const struct conv_weights *w)
{
    int level[4];
    return w->bits == 2 && distinct(w, level) == 3 && level[2] - level[1] == level[1] - level[0];
}

static bool is_affine(const struct conv_weights *w)
{
    for (int c = 2; c < 1 << w->bits && w->bits <= 4; c++)
        if (w->levels[c] - w->levels[c - 1] != w->levels[1] - w->levels[0])
            return false;
    return true;
}

/* Codes as they are packed: those of ternary weights are 0, 1, 2 from the lowest level on. */
static void packed_codes(const struct conv_weights *w, uint8_t code_of[256])
{
    int level[4];
    bool ternary = gemv_is_ternary(w);
    if (ternary)
        distinct(w, level);
    for (int c = 0; c < 1 << w->bits; c++)
        code_of[c] = (uint8_t)(ternary ? (w->levels[c] - level[0]) / (level[1] - level[0]) : c);
}

static void header_init(struct gemv_header *h, const struct conv_weights *w, bool trits)
{
    memset(h, 0, sizeof *h);
    h->bits = w->bits;
    h->trits = trits;
    h->block = w->block;
    h->step = 1;
    for (int i = 0; i < 64; i++)
        h->trits_of[i] = (int8_t)(i % 32 % 3 | i % 32 / 3 % 3 << 2 | i % 32 / 9 % 3 << 4);
    for (int i = 0; i < 16 && w->bits <= 4; i++)
        h->levels[i] = w->levels[i % (1 << w->bits)];
    if (gemv_is_ternary(w)) {
        int level[4];
        distinct(w, level);
        h->first = level[0];
        h->step = level[1] - level[0];
    } else if (w->bits < 8 && is_affine(w)) {
        h->first = w->levels[0];
        h->step = w->levels[1] - w->levels[0];
    } else {
        h->table = w->bits < 8;
    }
}

/* --- packing --------------------------------------------------------------------------------------------------------
 */

/* Where one step of a panel lies: channels from co on, values from k to the end of a block. */
struct place {
    const struct gemv_plan *p;
    const struct conv_weights *w;
    const uint8_t *code_of;
    int co, width, k, end;
};

/* Vector j of a step: codes, or with 8 bits integers. */
static void gather(const struct place *at, int j, uint8_t out[LINE])
{
    for (int i = 0; i < LINE; i++) {
        int co = at->co + j % at->width * GEMV_LANES + i / 4, k = at->k + j / at->width * 4 + i % 4;
        bool inside = co < at->p->cout && k < at->end;
        int code = inside ? at->w->codes[(size_t)co * (size_t)at->p->k + (size_t)k] : 0;
        out[i] = at->w->bits < 8 ? at->code_of[code] : (uint8_t)(inside ? at->w->levels[code] : 0);
    }
}

static void put_step(const uint8_t codes[8][LINE], int plane, int low, uint8_t *out)
{
    memset(out, plane < 8 ? 0x80 : 0, (size_t)plane * LINE);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < LINE; i++) {
            int c = codes[j][i] >> low & ((1 << plane) - 1);
            if (plane == 3 && j >= 6) {
                out[(j - 6) * LINE + i] ^= (uint8_t)((c & 3) << 6);
                out[2 * LINE + i] ^= (uint8_t)((c >> 2) << j);
            } else {
                int fields = plane == 3 ? 2 : 8 / plane;
                out[j / fields * LINE + i] ^= (uint8_t)(c << j % fields * plane);
            }
        }
}

static uint8_t *put_planes(struct place *at, int steps, uint8_t *out)
{
    int bits = at->w->bits, first = at->k;
    for (int i = 0, low = 0; i < 2 && gemv_plane(bits, i); low += gemv_plane(bits, i++))
        for (int s = 0; s < steps; s++, out += gemv_plane(bits, i) * LINE) {
            uint8_t codes[8][LINE];
            at->k = first + s * 32 / at->width;
            for (int j = 0; j < 8; j++)
                gather(at, j, codes[j]);
            put_step(codes, gemv_plane(bits, i), low, out);
        }
    return out;
}

static uint8_t *put_trits(struct place *at, int steps, uint8_t *out)
{
    int first = at->k;
    for (int s = 0; s < steps; s++, out += 5 * LINE) {
        at->k = first + s * 96 / at->width;
        for (int i = 0; i < 8; i++) {
            uint8_t trit[3][LINE];
            for (int f = 0; f < 3; f++)
                gather(at, (i / at->width * 3 + f) * at->width + i % at->width, trit[f]);
            for (int b = 0; b < LINE; b++) {
                int code = trit[0][b] + 3 * trit[1][b] + 9 * trit[2][b];
                out[i / 2 * LINE + b] |= (uint8_t)((code & 15) << i % 2 * 4);
                out[4 * LINE + b] |= (uint8_t)(code >> 4 << i);
            }
        }
    }
    return out;
}

static uint8_t *put_scales(const struct place *at, int block, uint8_t *out)
{
    for (int i = 0; i < at->width * GEMV_LANES; i++, out += sizeof(float))
        if (at->co + i < at->p->cout)
            memcpy(out, at->w->block_scales + (size_t)(at->co + i) * (size_t)at->p->blocks + block, sizeof(float));
    return out;
}

size_t gemv_packed_size(const struct conv_geom *g, const struct conv_weights *w, bool trits)
{
    struct gemv_plan p;
    gemv_plan_init(&p, g, w->block, w->bits, trits);
    size_t size = sizeof(struct gemv_header);
    for (int co = 0, width; co < p.cout; co += width * GEMV_LANES) {
        width = gemv_width(p.cout - co);
        size += gemv_panel_bytes(&p, width, w->block);
    }
    return size;
}

void gemv_pack(const struct conv_geom *g, const struct conv_weights *w, bool trits, void *packed)
{
    struct gemv_plan p;
    gemv_plan_init(&p, g, w->block, w->bits, trits);
    memset(packed, 0, gemv_packed_size(g, w, trits));
    header_init(packed, w, trits);
    uint8_t *out = (uint8_t *)packed + sizeof(struct gemv_header);
    uint8_t code_of[256];
    packed_codes(w, code_of);
    struct place at = {.p = &p, .w = w, .code_of = code_of};
    for (; at.co < p.cout; at.co += at.width * GEMV_LANES) {
        at.width = gemv_width(p.cout - at.co);
        for (int b = 0; b < p.blocks; b++) {
            int n = gemv_block_values(&p, b), steps = gemv_steps(&p, at.width, n);
            at.k = b * p.block;
            at.end = at.k + n;
            if (w->block)
                out = put_scales(&at, b, out);
            out = trits ? put_trits(&at, steps, out) : put_planes(&at, steps, out);
        }
    }
}

/* --- prepared -------------------------------------------------------------------------------------------------------
 */

size_t gemv_prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return (size_t)((g->cout + PANEL - 1) / PANEL) * sizeof(struct requant_lanes);
}

void gemv_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared)
{
    (void)a_bits, (void)packed;
    struct requant_lanes *r = prepared;
    for (int co = 0; requant_in_lanes(rq) && co < g->cout; co += PANEL)
        requant_lanes_init(r++, g, rq, co, g->cout - co < PANEL ? g->cout - co : PANEL);
}

size_t gemv_scratch_size(const struct conv_geom *g, const struct conv_weights *w, bool trits)
{
    struct gemv_plan p;
    gemv_plan_init(&p, g, w->block, w->bits, trits);
    return p.scratch_bytes;
}
