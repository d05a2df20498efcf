/* SPDX-License-Identifier: MIT */
#include "bench/nets.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "tests/onnx_make.h"

/* Nodes are numbered; t0 is the input and t<i> the output of node i. */
struct net {
    struct text *t;
    int last;
};

enum activation { NONE, RELU, RELU6 };

static void begin(struct net *n, struct text *t, int size)
{
    *n = (struct net){t, 0};
    text_printf(t, "in t0 1,3,%d,%d\n", size, size);
}

static int node(struct net *n, const char *op, int a)
{
    text_printf(n->t, "%s(t%d)->t%d\n", op, a, n->last + 1);
    return ++n->last;
}

static int activate(struct net *n, int x, enum activation a)
{
    if (a == NONE)
        return x;
    if (a == RELU)
        return node(n, "Relu", x);
    text_printf(n->t, "Clip(t%d,zero,six)->t%d\n", x, n->last + 1);
    return ++n->last;
}

static int conv(struct net *n, int x, int cin, int cout, int kernel, int stride, int groups, enum activation a)
{
    int y = ++n->last, pad = kernel / 2;
    text_printf(n->t, "const w%d %d,%d,%d,%d\nconst b%d %d\n", y, cout, cin / groups, kernel, kernel, y, cout);
    text_printf(n->t, "Conv(t%d,w%d,b%d)->t%d pads=[%d,%d,%d,%d] strides=[%d,%d] group=%d\n", x, y, y, y, pad, pad, pad,
                pad, stride, stride, groups);
    return activate(n, y, a);
}

static int add(struct net *n, int a, int b)
{
    text_printf(n->t, "Add(t%d,t%d)->t%d\n", a, b, n->last + 1);
    return ++n->last;
}

static void classify(struct net *n, int x, int channels, int classes)
{
    int flat = node(n, "Flatten", node(n, "GlobalAveragePool", x));
    text_printf(n->t, "const wfc %d,%d\nconst bfc %d\nGemm(t%d,wfc,bfc)->y transB=1\nout y 1,%d\n", classes, channels,
                classes, flat, classes);
}

/* Two 3x3 convolutions and a shortcut. */
static int basic_block(struct net *n, int x, int cin, int cout, int stride)
{
    int shortcut = cin == cout ? x : conv(n, x, cin, cout, 1, stride, 1, NONE);
    int y = conv(n, x, cin, cout, 3, stride, 1, RELU);
    return node(n, "Relu", add(n, conv(n, y, cout, cout, 3, 1, 1, NONE), shortcut));
}

static int stages(struct net *n, int x, int channels, int count, int blocks)
{
    for (int s = 0, cin = channels; s < count; s++, cin = channels, channels *= 2)
        for (int b = 0; b < blocks; b++)
            x = basic_block(n, x, b ? channels : cin, channels, s && !b ? 2 : 1);
    return x;
}

void net_resnet20(struct text *t)
{
    struct net n;
    begin(&n, t, 32);
    classify(&n, stages(&n, conv(&n, 0, 3, 16, 3, 1, 1, RELU), 16, 3, 3), 64, 10);
}

void net_resnet18(struct text *t)
{
    struct net n;
    begin(&n, t, 224);
    int x = conv(&n, 0, 3, 64, 7, 2, 1, RELU);
    text_printf(t, "MaxPool(t%d)->t%d kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]\n", x, n.last + 1);
    x = ++n.last;
    classify(&n, stages(&n, x, 64, 4, 2), 512, 1000);
}

void net_mobilenet_v2(struct text *t)
{
    static const struct {
        int expand, channels, blocks, stride;
    } stage[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    struct net n;
    begin(&n, t, 224);
    text_printf(t, "const zero scalar = 0\nconst six scalar = 6\n");
    int x = conv(&n, 0, 3, 32, 3, 2, 1, RELU6), cin = 32;
    for (size_t s = 0; s < sizeof stage / sizeof *stage; s++)
        for (int b = 0; b < stage[s].blocks; b++, cin = stage[s].channels) {
            int wide = cin * stage[s].expand;
            int y = stage[s].expand > 1 ? conv(&n, x, cin, wide, 1, 1, 1, RELU6) : x;
            y = conv(&n, y, wide, wide, 3, b ? 1 : stage[s].stride, wide, RELU6);
            y = conv(&n, y, wide, stage[s].channels, 1, 1, 1, NONE);
            x = b ? add(&n, x, y) : y;
        }
    classify(&n, conv(&n, x, 320, 1280, 1, 1, 1, RELU6), 1280, 1000);
}

static double bell(struct rng *r)
{
    double x = 0;
    for (int i = 0; i < 12; i++)
        x += rng_unit(r) - 0.5;
    return x;
}

unsigned char *net_bytes(void (*net)(struct text *), struct arena *a, size_t *size)
{
    struct text t = {0};
    struct rng r;
    net(&t);
    rng_init(&r, 1);
    Onnx__ModelProto *m = onnx_make_model(t.s, a);
    for (size_t i = 0; i < m->graph->n_initializer; i++) {
        Onnx__TensorProto *w = m->graph->initializer[i];
        double inputs = 1;
        for (size_t d = 1; d < w->n_dims; d++)
            inputs *= (double)w->dims[d];
        double scale = w->n_dims > 1 ? sqrt(2 / inputs) : 0.05;
        for (size_t k = 0; w->n_dims > 0 && k < w->n_float_data; k++)
            w->float_data[k] = (float)(scale * bell(&r));
    }
    text_done(&t);
    return onnx_make_bytes(m, a, size);
}
