/* SPDX-License-Identifier: MIT
 *
 * Convolutions as a network runs them, codes in and codes out: the 3x3 ones of ResNet-18 at 4 bits against 8, and the
 * depthwise ones of MobileNetV2 against oneDNN.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/layer.h"
#include "bench/peer.h"
#include "bench/report.h"
#include "bench/turns.h"

enum { ROUNDS = 15 };
static const int64_t budget_ns = 3 * 1000 * 1000;

static double gops(const struct bench_layer *l, const struct turn *t)
{
    return layer_operations(&l->spec.g) / t->ns;
}

static void describe(char *out, size_t size, const struct bench_layer *l, const struct turn *t)
{
    snprintf(out, size, "%7.1f GOPS %s", gops(l, t), l->kernel->name);
}

static void row_narrow(const char *work, int channels, int size)
{
    struct layer_spec wide = {.w_bits = 8, .a_bits = 8}, narrow = {.w_bits = 4, .a_bits = 4};
    struct bench_layer own = {0}, ours = {0};
    struct err e = {""};
    wide.g = narrow.g = layer_geom(channels, size, channels, 3, 1, 1);
    if (layer_init(&own, &wide, &e) || layer_init(&ours, &narrow, &e)) {
        report_error(work, e.text);
    } else {
        struct turn t[] = {{.run = layer_run, .state = &ours}, {.run = layer_run, .state = &own}};
        turns_take(t, 2, ROUNDS, budget_ns);
        struct report_row row = {.work = work, .ratio = t[1].ns / t[0].ns, .target = 1.6};
        describe(row.ours, sizeof row.ours, &ours, &t[0]);
        describe(row.peer, sizeof row.peer, &own, &t[1]);
        report_print(&row);
    }
    layer_done(&own);
    layer_done(&ours);
}

/* Ours and a peer by turns; a peer without a target informs. */
static void row_peer(const char *work, const struct peer *peer, struct bench_layer *l, double target)
{
    struct err e = {""};
    const struct peer_layer p = {.g = &l->spec.g, .in = l->in, .weights = l->weights, .scale = (float)l->scale};
    struct turn t[2] = {{.run = layer_run, .state = l}};
    struct report_row row = {.work = work, .ratio = NAN, .target = target};
    void *state = peer ? peer->open(&p, &e) : NULL;
    bool wrong = false;
    if (state) {
        t[1] = (struct turn){.run = peer->run, .state = state};
        peer->run(state);
        wrong = peer->top == 255 && layer_compare(l, peer->output(state), peer->top, peer->name, &e);
    }
    if (wrong) {
        report_error(work, e.text);
    } else {
        turns_take(t, 2, ROUNDS, budget_ns);
        describe(row.ours, sizeof row.ours, l, &t[0]);
        snprintf(row.peer, sizeof row.peer, "%s", peer ? e.text : "not built with oneDNN (libdnnl-dev)");
        if (state) {
            row.ratio = t[1].ns / t[0].ns;
            snprintf(row.peer, sizeof row.peer, "%7.1f GOPS %s %s", gops(l, &t[1]), peer->name, peer->detail(state));
        }
        report_print(&row);
    }
    if (state)
        peer->close(state);
}

static void row_depthwise(const char *work, int channels, int size, int stride)
{
    struct layer_spec s = {.w_bits = 8, .a_bits = 8};
    struct bench_layer l;
    struct err e = {""};
    s.g = layer_geom(channels, size, channels, 3, stride, channels);
    if (layer_init(&l, &s, &e)) {
        report_error(work, e.text);
    } else {
        row_peer(work, peer_onednn(), &l, 3);
        if (peer_xnnpack())
            row_peer("", peer_xnnpack(), &l, 0);
    }
    layer_done(&l);
}

void targets_conv(void)
{
    report_line("3x3 stride-1 convolutions of ResNet-18, W4A4 against own W8A8");
    row_narrow("64@56", 64, 56);
    row_narrow("128@28", 128, 28);
    row_narrow("256@14", 256, 14);
    row_narrow("512@7", 512, 7);
}

void targets_depthwise(void)
{
    report_line("depthwise 3x3, 8 bits, against oneDNN");
    row_depthwise("32@112", 32, 112, 1);
    row_depthwise("96@112 stride 2", 96, 112, 2);
    row_depthwise("144@56", 144, 56, 1);
    row_depthwise("384@14", 384, 14, 1);
    row_depthwise("960@7", 960, 7, 1);
}
