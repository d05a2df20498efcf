/* SPDX-License-Identifier: MIT
 *
 * Steps on codes. They only find the memory; the arithmetic is in kernels/.
 */
#include "engine/step.h"

#include <math.h>
#include <string.h>

void step_conv_u8(const struct step *s, const struct run_state *r)
{
    const struct value *out = &r->plan->values[s->out];
    struct conv_call call = {
        .in = step_in(s, r, 0),
        .packed = s->conv.packed,
        .prepared = s->conv.prepared,
        .scratch = r->scratch,
        .pad_code = (uint8_t)s->pad_code,
        .scale = s->scale,
        .bias = s->bias,
        .channels = {s->share.channels[0], s->share.channels[1]},
    };
    if (out->codes) {
        call.out_u8 = step_out(s, r);
        call.rq = &s->rq;
        call.residual = s->in[1] >= 0 ? step_in(s, r, 1) : NULL;
        s->conv.kernel->run(&s->conv.geom, s->conv.a_bits, &call);
        return;
    }
    call.out_f32 = step_out(s, r);
    s->conv.kernel->run(&s->conv.geom, s->conv.a_bits, &call);
    if (s->lo == -INFINITY && s->hi == INFINITY)
        return;
    size_t cout = (size_t)s->conv.geom.cout, first = (size_t)call.channels[0],
           end = call.channels[1] ? (size_t)call.channels[1] : cout;
    for (float *x = call.out_f32, *last = x + step_count(s, r); x < last; x += cout)
        for (size_t c = first; c < end; c++)
            x[c] = x[c] < s->lo ? s->lo : x[c] > s->hi ? s->hi : x[c];
}

void step_quantize(const struct step *s, const struct run_state *r)
{
    const struct value *out = &r->plan->values[s->out];
    r->vec->quantize_f32(step_count(s, r), step_in(s, r, 0), 1 / out->q.scale, out->q.zero, 0, act_quant_top(&out->q),
                         step_out(s, r));
}

void step_dequantize(const struct step *s, const struct run_state *r)
{
    const struct value *in = &r->plan->values[s->in[0]];
    r->vec->dequantize_u8(step_count(s, r), step_in(s, r, 0), in->q.scale, in->q.zero, step_out(s, r));
}

void step_lut_u8(const struct step *s, const struct run_state *r)
{
    r->vec->lut_u8(step_count(s, r), step_in(s, r, 0), s->table, step_out(s, r));
}

void step_add_u8(const struct step *s, const struct run_state *r)
{
    r->vec->add_u8(step_count(s, r), step_in(s, r, 0), step_in(s, r, 1), s->ma, s->mb, s->mc, s->shift, s->qlo, s->qhi,
                   step_out(s, r));
}

void step_maxpool_u8(const struct step *s, const struct run_state *r)
{
    r->vec->maxpool_u8(&s->geom, step_in(s, r, 0), step_out(s, r));
}

void step_avgpool_u8(const struct step *s, const struct run_state *r)
{
    r->vec->avgpool_u8(&s->geom, step_in(s, r, 0), s->pool_m, s->pool_b, s->shift, s->qlo, s->qhi, step_out(s, r));
}
