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
        .in = value_at(r, s->in[0]),
        .packed = s->conv.packed,
        .prepared = s->conv.prepared,
        .scratch = r->scratch,
        .pad_code = (uint8_t)s->pad_code,
        .scale = s->scale,
        .bias = s->bias,
    };
    if (out->codes) {
        call.out_u8 = value_at(r, s->out);
        call.rq = &s->rq;
        call.residual = s->in[1] >= 0 ? value_at(r, s->in[1]) : NULL;
        s->conv.kernel->run(&s->conv.geom, s->conv.a_bits, &call);
        return;
    }
    call.out_f32 = value_at(r, s->out);
    s->conv.kernel->run(&s->conv.geom, s->conv.a_bits, &call);
    if (s->lo == -INFINITY && s->hi == INFINITY)
        return;
    for (int64_t i = 0; i < out->count; i++) {
        float v = call.out_f32[i];
        call.out_f32[i] = v < s->lo ? s->lo : v > s->hi ? s->hi : v;
    }
}

void step_quantize(const struct step *s, const struct run_state *r)
{
    const struct value *out = &r->plan->values[s->out];
    r->vec->quantize_f32((size_t)out->count, value_at(r, s->in[0]), 1 / out->q.scale, out->q.zero, 0,
                         act_quant_top(&out->q), value_at(r, s->out));
}

void step_dequantize(const struct step *s, const struct run_state *r)
{
    const struct value *in = &r->plan->values[s->in[0]];
    r->vec->dequantize_u8((size_t)in->count, value_at(r, s->in[0]), in->q.scale, in->q.zero, value_at(r, s->out));
}

void step_lut_u8(const struct step *s, const struct run_state *r)
{
    r->vec->lut_u8((size_t)r->plan->values[s->out].count, value_at(r, s->in[0]), s->table, value_at(r, s->out));
}

void step_add_u8(const struct step *s, const struct run_state *r)
{
    r->vec->add_u8((size_t)r->plan->values[s->out].count, value_at(r, s->in[0]), value_at(r, s->in[1]), s->ma, s->mb,
                   s->mc, s->shift, s->qlo, s->qhi, value_at(r, s->out));
}

void step_maxpool_u8(const struct step *s, const struct run_state *r)
{
    r->vec->maxpool_u8(&s->geom, value_at(r, s->in[0]), value_at(r, s->out));
}

void step_avgpool_u8(const struct step *s, const struct run_state *r)
{
    r->vec->avgpool_u8(&s->geom, value_at(r, s->in[0]), s->pool_m, s->pool_b, s->shift, s->qlo, s->qhi,
                       value_at(r, s->out));
}
