/* SPDX-License-Identifier: MIT
 *
 * Every row of conv_kernels[] (and the AVX-512 rows compiled to portable code) against a naive convolution in 64-bit
 * arithmetic: all widths, random shapes, extreme values. Every buffer ends where an unreadable page begins.
 */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "kernels/requant_lanes.h"
#include "tests/conv_trial.h"

Suite *check_kernels_suite(void);

START_TEST(test_random_shapes)
{
    int w_bits = _i / 8 + 1, a_bits = _i % 8 + 1;
    struct rng r;
    rng_init(&r, 1000 + (uint64_t)_i);
    for (int i = 0; i < 24; i++)
        trial_all(&r, w_bits, a_bits, NULL);
}
END_TEST

/* Long sums: what holds for a few products must hold for thousands. */
START_TEST(test_long_sums)
{
    static const struct conv_geom shapes[] = {
        {784, 1, 1, 20, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
        {5000, 1, 1, 130, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
        {64, 7, 7, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},
        {96, 9, 9, 96, 9, 9, 1, 1, 4, 4, 1, 1, 96, 3, 3},
    };
    struct rng r;
    rng_init(&r, 2000 + (uint64_t)_i);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        trial_all(&r, _i / 8 + 1, _i % 8 + 1, &shapes[i]);
}
END_TEST

/* One pixel, or a few: matrices times vectors, of every size around the tiles, with scales for blocks of weights and
 * without. */
static void vector_geom(struct rng *r, struct conv_geom *g)
{
    static const int ks[] = {1, 3, 4, 7, 8, 9, 16, 31, 32, 33, 64, 95, 96, 97, 100, 128, 191, 500, 784};
    static const int couts[] = {1, 3, 7, 15, 16, 17, 31, 33, 47, 48, 49, 63, 64, 65, 80, 97, 112, 113, 128, 130};
    int pixels = trial_chance(r, 70) ? 1 : trial_between(r, 1, 5);
    bool whole = trial_chance(r, 20); /* the kernel covers the image */
    memset(g, 0, sizeof *g);
    g->h = g->kh = whole ? trial_between(r, 1, 3) : 1;
    g->w = whole ? trial_between(r, 1, 3) : pixels;
    g->kw = whole ? g->w : 1;
    g->cin = ks[trial_between(r, 0, whole ? 13 : 18)];
    g->cout = couts[trial_between(r, 0, 19)];
    g->stride_h = g->stride_w = whole && trial_chance(r, 30) ? 2 : 1;
    g->dilation_h = g->dilation_w = g->groups = g->oh = 1;
    g->ow = whole ? 1 : pixels;
}

START_TEST(test_vectors)
{
    int w_bits = _i / 4 + 1, a_bits = (int[]){8, 8, 7, 2}[_i % 4];
    struct rng r;
    rng_init(&r, 5000 + (uint64_t)_i);
    for (int i = 0; i < 40; i++) {
        struct trial t;
        struct conv_geom g;
        vector_geom(&r, &g);
        trial_init(&t, &r, w_bits, a_bits, &g);
        if (trial_chance(&r, 40))
            trial_blocks(&t, &r, 32 * trial_between(&r, 1, trial_chance(&r, 50) ? 1 : 5));
        trial_run_all(&t);
        trial_done(&t);
    }
}
END_TEST

/* Ternary weights are 2-bit codes of which two stand for the same level. */
START_TEST(test_ternary)
{
    static const int8_t levels[][4] = {
        {-1, 0, 1, 0}, {-1, 0, 1, 1}, {0, -1, 1, -1}, {-127, -127, 0, 127}, {5, 3, 1, 3}};
    struct rng r;
    rng_init(&r, 6000 + (uint64_t)_i);
    for (int i = 0; i < 30; i++) {
        struct trial t;
        struct conv_geom g;
        vector_geom(&r, &g);
        trial_init(&t, &r, 2, i % 3 ? 8 : trial_between(&r, 1, 8), &g);
        memcpy(t.levels, levels[_i], 4);
        if (i % 3 == 1)
            trial_blocks(&t, &r, 32 * trial_between(&r, 1, 5));
        else
            trial_expect(&t);
        trial_run_all(&t);
        trial_done(&t);
    }
}
END_TEST

/* Depthwise: channels around slices of 64, rows wider than a strip, windows of one and more than four rows. */
START_TEST(test_depthwise)
{
    static const int channels[] = {1, 3, 7, 16, 17, 24, 32, 48, 63, 64, 65, 72, 96, 100, 120, 128, 130, 144, 272, 300};
    struct rng r;
    rng_init(&r, 7000 + (uint64_t)_i);
    for (int i = 0; i < 6; i++) {
        struct conv_geom g = {.dilation_h = 1, .dilation_w = 1};
        g.cin = g.cout = g.groups = channels[(_i * 6 + i) % 20];
        g.kh = trial_between(&r, 1, 7);
        g.kw = trial_chance(&r, 60) ? 3 : trial_between(&r, 1, 7);
        g.h = trial_between(&r, 1, 9);
        g.w = trial_chance(&r, 30) ? trial_between(&r, 60, 5000 / g.cin + 60) : trial_between(&r, 1, 20);
        g.stride_h = trial_chance(&r, 60) ? 1 : 2;
        g.stride_w = trial_chance(&r, 80) ? g.stride_h : trial_between(&r, 1, 3);
        if (trial_chance(&r, 20))
            g.dilation_h = g.dilation_w = 2;
        g.pad_top = trial_between(&r, 0, g.kh - 1);
        g.pad_left = trial_between(&r, 0, g.kw - 1);
        g.oh = trial_out_size(&r, g.h, g.pad_top, g.kh, g.stride_h, g.dilation_h);
        g.ow = trial_out_size(&r, g.w, g.pad_left, g.kw, g.stride_w, g.dilation_w);
        trial_all(&r, trial_between(&r, 1, 8), trial_between(&r, 1, 8), &g);
    }
}
END_TEST

/* 3x3 with as many channels as make whole vectors, the last of them from parts of a row; rows wider than a strip,
 * images higher than a band, padding on any side. */
START_TEST(test_depthwise_3x3)
{
    static const int channels[] = {16, 32, 48, 64, 80, 112, 144};
    struct rng r;
    rng_init(&r, 8000 + (uint64_t)_i);
    for (int i = 0; i < 7; i++) {
        struct conv_geom g = {.kh = 3, .kw = 3, .dilation_h = 1, .dilation_w = 1};
        g.cin = g.cout = g.groups = channels[i];
        g.stride_h = g.stride_w = trial_between(&r, 1, 2);
        g.h = trial_between(&r, 1, trial_chance(&r, 10) ? 40 : 7);
        g.w = trial_chance(&r, 20) ? trial_between(&r, 50, 260) : trial_between(&r, 1, 20);
        g.pad_top = trial_between(&r, 0, 2);
        g.pad_left = trial_between(&r, 0, 2);
        g.oh = trial_out_size(&r, g.h, g.pad_top, g.kh, g.stride_h, g.dilation_h);
        g.ow = trial_out_size(&r, g.w, g.pad_left, g.kw, g.stride_w, g.dilation_w);
        trial_all(&r, trial_between(&r, 1, 8), trial_between(&r, 1, 8), &g);
    }
}
END_TEST

/* Sums just below and just above what 16 bits hold, for every neighbourhood of values that a lane may add up: all
 * activations are 255, and the weights of each such neighbourhood add up to _i. */
START_TEST(test_sum_edges)
{
    static const struct conv_geom shapes[] = {
        {64, 1, 1, 16, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
        {16, 3, 3, 16, 3, 3, 1, 1, 0, 0, 1, 1, 16, 1, 1},
    };
    struct rng r;
    rng_init(&r, 4000);
    for (int i = 0; i < 4; i++) {
        struct trial t;
        bool negative = i % 2, depthwise = i / 2;
        trial_init(&t, &r, 4, 8, &shapes[depthwise]);
        for (int c = 0; c < 16; c++)
            t.levels[c] = (int8_t)(negative ? -c : c);
        memset(t.in, 255, (size_t)t.g.cin * (size_t)(t.g.h * t.g.w));
        int k = depthwise ? 9 : 64, left[2] = {0, 0};
        for (int at = 0; at < k * t.g.cout; at++) {
            int lane = depthwise ? 0 : at / 2 % 2; /* a 16-bit lane adds neighbours: two of every four values */
            if (at % (depthwise ? 9 : 32) == 0)
                left[0] = left[1] = _i;
            int level = left[lane] < 15 ? left[lane] : 15;
            left[lane] -= level;
            t.codes[at] = (uint8_t)level;
        }
        trial_expect(&t);
        trial_run_all(&t);
        trial_done(&t);
    }
}
END_TEST

/* Products of few bits, which kernels take apart or look up: sizes around words, tiles and what a byte counts. */
START_TEST(test_few_bits)
{
    static const struct conv_geom shapes[] = {
        {64, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},  {130, 5, 3, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 5, 3},
        {17, 7, 7, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},  {7, 9, 5, 48, 5, 5, 1, 1, 2, 2, 1, 1, 1, 9, 5},
        {64, 9, 9, 17, 3, 3, 2, 2, 1, 1, 2, 2, 1, 4, 4},  {66, 7, 7, 34, 3, 3, 1, 2, 1, 0, 1, 1, 2, 7, 3},
        {992, 1, 1, 31, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1}, {1024, 1, 2, 32, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 2},
        {1000, 1, 9, 7, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 9}, {5000, 1, 1, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
        {40, 9, 9, 130, 1, 1, 2, 3, 0, 1, 1, 1, 1, 5, 4}, {32, 1, 17, 16, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 17},
        {16, 6, 6, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 6, 6},  {48, 4, 4, 20, 2, 3, 1, 1, 3, 4, 1, 1, 1, 8, 9},
    };
    static const int widths[][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 3}, {3, 1}, {1, 4}, {4, 1}};
    struct rng r;
    rng_init(&r, 5000 + (uint64_t)_i);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int k = 0; k < 3; k++)
            trial_all(&r, widths[_i][0], widths[_i][1], &shapes[i]);
}
END_TEST

/* Long runs of bits, whose words are added in pairs: odd and even numbers of pairs, runs and kernel rows. */
START_TEST(test_long_bits)
{
    struct rng r;
    rng_init(&r, 5500 + (uint64_t)_i);
    for (int i = 0; i < 20; i++) {
        struct conv_geom g = {.groups = 1, .dilation_w = 1};
        g.kh = trial_between(&r, 1, 4);
        g.kw = trial_between(&r, 1, 4);
        g.cin = 64 * trial_between(&r, g.kh == 1 ? 512 / 64 / g.kw : 1, 11);
        g.h = trial_between(&r, 1, 8);
        g.w = trial_between(&r, 1, 9);
        g.cout = trial_between(&r, 1, 70);
        g.stride_h = trial_between(&r, 1, 2);
        g.stride_w = trial_between(&r, 1, 2);
        g.dilation_h = trial_chance(&r, 80) ? 1 : 2;
        g.pad_top = trial_between(&r, 0, g.kh - 1);
        g.pad_left = trial_between(&r, 0, g.kw - 1);
        g.oh = trial_out_size(&r, g.h, g.pad_top, g.kh, g.stride_h, g.dilation_h);
        g.ow = trial_out_size(&r, g.w, g.pad_left, g.kw, g.stride_w, 1);
        trial_all(&r, _i % 2 + 1, _i / 2 + 1, &g);
    }
}
END_TEST

/* Outputs of one to four codes, with sums right at and beside the steps between them. */
START_TEST(test_few_codes)
{
    struct rng r;
    rng_init(&r, 6000 + (uint64_t)_i);
    for (int i = 0; i < 24; i++) {
        struct trial t;
        trial_init(&t, &r, _i / 2 + 1, _i % 2 + 1, NULL);
        t.output = OUT_U8;
        t.rq.shift = trial_between(&r, 24, 36);
        t.rq.left = trial_between(&r, 0, 2);
        t.rq.lo = trial_chance(&r, 70) ? 0 : trial_between(&r, 0, 252);
        t.rq.hi = t.rq.lo + trial_between(&r, 0, 3);
        size_t cout = (size_t)t.g.cout, pixels = trial_outputs(&t.g) / cout;
        for (size_t c = 0; c < cout; c++) {
            t.m[c] = (int32_t)(rng_next(&r) >> trial_between(&r, 33, 40)) * trial_between(&r, -1, 1);
            int64_t at = t.acc[rng_below(&r, (uint32_t)pixels) * cout + c] * t.m[c] * (1 << t.rq.left);
            t.b[c] = (t.rq.lo + INT64_C(1)) * (INT64_C(1) << t.rq.shift) - at + trial_between(&r, -1, 1);
        }
        trial_run_all(&t);
        trial_done(&t);
    }
}
END_TEST

/* The shapes of the networks that this is for, once at a few widths. */
START_TEST(test_network_shapes)
{
    static const struct conv_geom shapes[] = {
        {1, 28, 28, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 28, 28},  {3, 32, 32, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 32, 32},
        {16, 28, 28, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1, 14, 14}, {16, 28, 28, 32, 1, 1, 2, 2, 0, 0, 1, 1, 1, 14, 14},
        {32, 14, 14, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 14, 14}, {64, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
        {32, 14, 14, 32, 3, 3, 2, 2, 1, 1, 1, 1, 32, 7, 7},  {128, 7, 7, 256, 1, 1, 1, 1, 0, 0, 1, 1, 1, 7, 7},
    };
    static const int widths[][2] = {{8, 8}, {7, 8}, {4, 8}, {4, 4}, {2, 2}, {1, 1}};
    struct rng r;
    rng_init(&r, 3000 + (uint64_t)_i);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        trial_all(&r, widths[_i][0], widths[_i][1], &shapes[i]);
}
END_TEST

/* Three channels, as of colours: kernel rows that leave one value to a step of four, and others; strides, dilation, and
 * padding on any side. */
START_TEST(test_three_channels)
{
    struct rng r;
    rng_init(&r, 3500 + (uint64_t)_i);
    for (int i = 0; i < 12; i++) {
        struct conv_geom g = {.cin = 3, .groups = 1, .dilation_w = 1, .kw = (int[]){3, 7, 11, 5}[i % 4]};
        g.kh = trial_between(&r, 1, 8);
        g.h = trial_between(&r, 1, 20);
        g.w = trial_between(&r, 1, 70);
        g.cout = (int[]){1, 16, 32, 70}[trial_between(&r, 0, 3)];
        g.stride_w = _i % 5 + 1;
        g.stride_h = trial_between(&r, 1, 3);
        g.dilation_h = trial_chance(&r, 70) ? 1 : 2;
        g.pad_top = trial_between(&r, 0, g.kh - 1);
        g.pad_left = trial_between(&r, 0, g.kw - 1);
        g.oh = trial_out_size(&r, g.h, g.pad_top, g.kh, g.stride_h, g.dilation_h);
        g.ow = trial_out_size(&r, g.w, g.pad_left, g.kw, g.stride_w, 1);
        if (g.oh > 0 && g.ow > 0)
            trial_all(&r, _i < 5 ? 8 : _i - 4, _i < 5 ? 8 : 8 - _i % 3, &g);
    }
}
END_TEST

/* Winograd tiles: pictures of one pixel, odd and even, padding of all kinds, channels around each vector and panel,
 * and pictures of more tiles than a block holds, in both directions. */
START_TEST(test_winograd_shapes)
{
    static const struct conv_geom shapes[] = {
        {16, 1, 1, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},     {12, 1, 5, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5},
        {9, 5, 1, 17, 3, 3, 1, 1, 1, 1, 1, 1, 1, 5, 1},      {11, 2, 3, 1, 3, 3, 1, 1, 2, 2, 1, 1, 1, 4, 5},
        {17, 6, 7, 130, 3, 3, 1, 1, 0, 0, 1, 1, 1, 4, 5},    {32, 7, 7, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},
        {33, 8, 9, 48, 3, 3, 1, 1, 0, 1, 1, 1, 1, 6, 9},     {64, 9, 8, 64, 3, 3, 1, 1, 1, 0, 1, 1, 1, 9, 6},
        {130, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},    {16, 32, 32, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 32, 32},
        {65, 14, 14, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 14, 14}, {300, 5, 45, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 5, 45},
        {12, 3, 211, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 3, 211}, {10, 77, 9, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 77, 9},
        {20, 2, 2, 32, 3, 3, 1, 1, 7, 5, 1, 1, 1, 14, 11},   {2048, 4, 4, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 4, 4},
    };
    static const int widths[][2] = {{4, 4}, {4, 6}, {3, 3}, {3, 5}, {2, 2}, {1, 1}, {4, 1}, {1, 6}};
    struct rng r;
    rng_init(&r, 5000 + (uint64_t)_i);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int output = 0; output < OUTPUTS; output++) {
            struct trial t;
            int bits = widths[_i][0], kind = trial_between(&r, 0, 2),
                top = bits == 4 && kind == 0 ? 14 : (1 << bits) / 2;
            trial_init(&t, &r, bits, widths[_i][1], &shapes[i]);
            t.output = (enum output)output;
            /* as wide as they may be, uniform or any */
            for (int c = 0; c < 1 << bits; c++)
                t.levels[c] = (int8_t)(kind == 0   ? (c % 2 ? top : -top)
                                       : kind == 1 ? c - top
                                                   : trial_between(&r, -top, top));
            trial_expect(&t);
            trial_run_all(&t);
            trial_done(&t);
        }
}
END_TEST

/* The ends of what Winograd transforms hold: for each position two output channels whose taps give the largest and the
 * smallest value there, the same in all input channels, on pictures of black and white pixels. */
START_TEST(test_winograd_extremes)
{
    static const struct {
        int w_bits, a_bits, lo, hi;
    } cases[] = {{4, 4, -8, 7}, {4, 4, -14, 14}, {4, 5, -8, 7},   {4, 5, -14, 14}, {4, 6, -14, 14}, {3, 6, -14, 14},
                 {2, 3, -2, 1}, {2, 6, -7, 7},   {1, 6, -14, 13}, {1, 1, -1, 1},   {4, 4, -15, 15}};
    static const int rows[4][3] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}};
    struct conv_geom g = {300, 15, 14, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 15, 14};
    int w_bits = cases[_i].w_bits, top = (1 << w_bits) - 1;
    struct rng r;
    rng_init(&r, 6000 + (uint64_t)_i);
    struct trial t;
    trial_init(&t, &r, w_bits, cases[_i].a_bits, &g);
    for (int c = 0; c <= top; c++)
        t.levels[c] = (int8_t)(c == 0 ? cases[_i].lo : c == top ? cases[_i].hi : 0);
    for (int co = 0; co < 32; co++)
        for (int tap = 0; tap < 9; tap++) {
            int sign = rows[co / 4 % 4][tap / 3] * rows[co % 4][tap % 3] * (co < 16 ? 1 : -1);
            int code = sign > 0 ? top : sign < 0 ? 0 : trial_between(&r, 0, top);
            memset(t.codes + (co * 9 + tap) * g.cin, code, (size_t)g.cin);
        }
    for (int i = 0; i < g.h * g.w; i++)
        memset(t.in + i * g.cin, trial_chance(&r, 50) ? (1 << t.a_bits) - 1 : 0, (size_t)g.cin);
    t.output = OUT_S32;
    trial_expect(&t);
    trial_run_all(&t);
    trial_done(&t);
}
END_TEST

/* Sums just below and just above what 16 bits hold: all activations are 63, of which a position adds up four, and in
 * each lane the 28 transformed weights there add up to _i, nowhere else to more. */
START_TEST(test_winograd_sum_edges)
{
    static const int taps[5] = {4, 3, 5, 1, 7};
    struct conv_geom g = {56, 6, 6, 16, 3, 3, 1, 1, 0, 0, 1, 1, 1, 4, 4};
    struct rng r;
    rng_init(&r, 7000);
    for (int negative = 0; negative < 2; negative++) {
        struct trial t;
        trial_init(&t, &r, 1, 6, &g);
        t.levels[0] = 0;
        t.levels[1] = negative ? -1 : 1;
        memset(t.in, 63, (size_t)(g.cin * g.h * g.w));
        memset(t.codes, 0, (size_t)(g.cout * 9 * g.cin));
        for (int co = 0; co < g.cout; co++)
            for (int i = 0; i < 2 * _i; i++) { /* the two lanes of an output channel take turns in its input channels */
                int lane = i % 2, n = i / 2;
                int ci = n % 28 / 2 * 4 + lane * 2 + n % 2;
                t.codes[(co * 9 + taps[n / 28]) * g.cin + ci] = 1;
            }
        t.output = OUT_S32;
        trial_expect(&t);
        trial_run_all(&t);
        trial_done(&t);
    }
}
END_TEST

/* Product tables: sizes around their tiles of 64 and 128 lanes by 4 and of 256, steps that end within a run, strides,
 * dilation, long sums; levels that leave a byte after one step, or share a factor; outputs of few codes, which
 * thresholds give.
 */
START_TEST(test_tables)
{
    static const struct conv_geom shapes[] = {
        {64, 8, 8, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 8, 8},    {17, 7, 7, 130, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7},
        {7, 13, 11, 41, 3, 3, 2, 2, 1, 1, 1, 1, 1, 7, 6},   {3, 15, 17, 16, 5, 3, 1, 1, 2, 1, 1, 1, 1, 15, 17},
        {16, 9, 14, 9, 3, 3, 1, 1, 2, 2, 2, 2, 1, 9, 14},   {1, 9, 16, 127, 3, 3, 1, 1, 0, 0, 1, 1, 1, 7, 14},
        {64, 16, 16, 65, 1, 1, 2, 2, 0, 0, 1, 1, 1, 8, 8},  {130, 8, 24, 63, 1, 1, 1, 1, 0, 0, 1, 1, 1, 8, 24},
        {5000, 5, 9, 64, 1, 1, 1, 1, 0, 0, 1, 1, 1, 5, 9},  {10, 6, 7, 325, 3, 3, 1, 1, 1, 1, 1, 1, 1, 6, 7},
        {12, 1, 129, 4, 1, 4, 1, 1, 0, 2, 1, 1, 1, 1, 129},
    };
    static const int8_t levels[][4] = {{-2, -1, 0, 1},  {0, -1, 0, 1},     {-3, -1, 1, 3}, {-127, 0, 0, 127},
                                       {-14, 1, 3, 14}, {-126, -63, 0, 0}, {0, 0, 0, 0},   {-120, -30, -10, 100}};
    struct rng r;
    rng_init(&r, 5000 + (uint64_t)_i);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int widths = 0; widths < 4; widths++) {
            struct trial t;
            struct conv_geom g = shapes[i];
            if (widths == 3 && trial_chance(&r, 70)) /* three levels and three codes: wide tables */
                g.a_top = trial_between(&r, 1, 2);
            trial_init(&t, &r, widths / 2 + 1, widths % 2 + 1, &g);
            memcpy(t.levels, levels[_i], 4);
            t.rq.lo = trial_chance(&r, 70) ? 0 : trial_between(&r, 1, 200);
            t.rq.hi = trial_chance(&r, 20) ? 255 : t.rq.lo + trial_between(&r, 0, 4);
            if (trial_chance(&r, 70))
                trial_codes(&r, 3, 0, trial_outputs(&t.g), t.residual);
            trial_expect(&t);
            trial_run_all(&t);
            trial_done(&t);
        }
}
END_TEST

START_TEST(test_find)
{
    struct conv_geom g = {16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 8, 8}, d = g;
    d.groups = 16;
    int8_t levels[256];
    for (int bits = 1; bits <= 8; bits++) {
        for (int c = 0; c < 1 << bits; c++)
            levels[c] = (int8_t)(c - (1 << (bits - 1)));
        struct conv_weights w = {.bits = bits, .levels = levels};
        const struct conv_kernel *k = conv_kernel_find(&g, 8, &w);
        ck_assert(isa_enabled(k->isa) && k->can(&g, 8, &w));
        ck_assert_int_eq(isa_select("c", NULL), 0);
        ck_assert_str_eq(conv_kernel_find(&g, 8, &w)->name, "conv_c");
        ck_assert_str_eq(conv_kernel_find(&d, 8, &w)->name, "dwconv_c");
        ck_assert_str_eq(vec_kernels_best()->name, "c");
        ck_assert_int_eq(isa_select("auto", NULL), 0);
        if (isa_supported(ISA_AVX2) && !isa_supported(ISA_AVX512VNNI)) {
            ck_assert_str_eq(k->name, bits >= 7 ? "conv_madd16_avx2" : "conv_madd8_avx2");
            ck_assert_str_eq(conv_kernel_find(&d, 8, &w)->name, "dwconv_avx2");
            ck_assert_str_eq(vec_kernels_best()->name, "avx2");
        }
        if (isa_supported(ISA_AVX512VBMI))
            ck_assert_str_eq(vec_kernels_best()->name, "avx512");
        if (isa_supported(ISA_NEON)) {
            ck_assert_str_eq(k->name, isa_supported(ISA_NEONDOT) ? "conv_neondot" : "conv_neon");
            ck_assert_str_eq(conv_kernel_find(&d, 8, &w)->name, "dwconv_neon");
            ck_assert_str_eq(vec_kernels_best()->name, "neon");
        }
    }
}
END_TEST

/* Weights take what their width says, but for the header and the filling of panels; transformed ones take 8 bits at 16
 * positions instead of 9 taps. */
START_TEST(test_packed_size)
{
    struct conv_geom g = {64, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7};
    int8_t levels[256] = {0};
    for (int i = 0; trial_kernel(i); i++)
        for (int bits = 1; bits <= 8; bits++) {
            struct conv_weights w = {.bits = bits, .levels = levels};
            bool transformed = trial_kernel(i)->family == FAMILY_WINOGRAD;
            size_t exact = transformed ? 64 * 64 * 16 : (size_t)bits * 64 * 64 * 9 / 8;
            if (trial_kernel(i)->can(&g, 4, &w))
                ck_assert_uint_le(trial_kernel(i)->packed_size(&g, 4, &w), exact + (transformed ? 64 * 16 + 64 : 512));
        }
}
END_TEST

/* Codes of `bits` spread over about `range` accumulators, in numbers that floats hold. */
static void layer_requant(struct rng *r, int bits, double range, struct requant *rq, int32_t m[PANEL], int64_t b[PANEL])
{
    int shift = trial_between(r, 33, 45), left = trial_chance(r, 30) ? trial_between(r, 1, 3) : 0;
    int top = (1 << bits) - 1;
    *rq = (struct requant){.m = m, .b = b, .shift = shift, .left = left};
    rq->lo = trial_chance(r, 30) ? trial_between(r, 0, top) : 0;
    rq->hi = trial_between(r, rq->lo, top);
    for (int i = 0; i < PANEL; i++) {
        double scale = top / range * (0.5 + rng_unit(r));
        m[i] = requant_multiplier(ldexp(scale, shift - left));
        b[i] = requant_offset(ldexp(0.5 + top * (rng_unit(r) - 0.3), shift));
    }
}

static int64_t clamped(const struct requant *rq, int64_t x)
{
    return x < rq->lo ? rq->lo : x > rq->hi ? rq->hi : x;
}

/* With floats rounded down. */
static void check_floats(const struct requant *rq, const struct requant_lanes *r, int c, int32_t acc)
{
    if (fabs(ldexp((double)acc * rq->m[c], rq->left) + (double)rq->b[c]) >= 0x1p62)
        return; /* kernels.h: no such sums */
    int64_t sum = (int64_t)acc * rq->m[c] * (INT64_C(1) << rq->left) + rq->b[c];
    int64_t code = clamped(rq, sum >> rq->shift);
    int64_t got = clamped(rq, lrintf(fmaf((float)acc, r->scale[c], r->bias[c])));
    if (code != got)
        ck_abort_msg("accumulator %d gives %d, in floats %d (m %d, b %lld, shift %d, left %d, codes %d to %d)", acc,
                     (int)code, (int)got, rq->m[c], (long long)rq->b[c], rq->shift, rq->left, rq->lo, rq->hi);
}

/* Where floats stand for 64-bit integers, they give every accumulator's code; and they do for all numbers that layers
 * have. */
START_TEST(test_requant_floats)
{
    struct rng r;
    int panels = 40, floats = 0;
    const struct conv_geom g = {.cin = 10000, .kh = 1, .kw = 1, .groups = 1};
    rng_init(&r, 7000 + (uint64_t)_i);
    for (int i = 0; i < panels; i++) {
        struct requant rq;
        struct requant_lanes lanes;
        int32_t m[PANEL];
        int64_t b[PANEL];
        layer_requant(&r, _i + 1, ldexp(1, trial_between(&r, _i + 3, 20)), &rq, m, b);
        requant_lanes_init(&lanes, &g, &rq, 0, PANEL);
        floats += lanes.floats;
        ck_assert_int_eq(fesetround(FE_DOWNWARD), 0);
        for (int k = 0; k < 20000 && lanes.floats; k++) {
            int c = trial_between(&r, 0, PANEL - 1);
            check_floats(&rq, &lanes, c, (int32_t)(rng_next(&r) >> trial_between(&r, 32, 60)));
            /* around a code's first accumulator */
            double code = trial_between(&r, rq.lo, rq.hi + 1);
            double first = ceil((ldexp(code, rq.shift) - (double)b[c]) / ldexp(m[c], rq.left));
            for (int d = -2; d <= 1 && fabs(first) < INT32_MAX - 2; d++)
                check_floats(&rq, &lanes, c, (int32_t)first + d);
        }
        check_floats(&rq, &lanes, i % PANEL, lanes.floats ? INT32_MIN : 0);
        check_floats(&rq, &lanes, i % PANEL, lanes.floats ? INT32_MAX : 0);
        fesetround(FE_TONEAREST);
    }
    ck_assert_int_eq(floats, panels);
}
END_TEST

Suite *check_kernels_suite(void)
{
    Suite *s = suite_create("kernels");
    TCase *c = tcase_create("conv");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, test_random_shapes, 0, 64);
    tcase_add_loop_test(c, test_long_sums, 0, 64);
    tcase_add_loop_test(c, test_vectors, 0, 32);
    tcase_add_loop_test(c, test_depthwise, 0, 30);
    tcase_add_loop_test(c, test_depthwise_3x3, 0, 20);
    tcase_add_loop_test(c, test_ternary, 0, 5);
    tcase_add_loop_test(c, test_sum_edges, 120, 137);
    tcase_add_loop_test(c, test_few_bits, 0, 8);
    tcase_add_loop_test(c, test_long_bits, 0, 4);
    tcase_add_loop_test(c, test_few_codes, 0, 8);
    tcase_add_loop_test(c, test_network_shapes, 0, 6);
    tcase_add_loop_test(c, test_three_channels, 0, 12);
    tcase_add_loop_test(c, test_winograd_shapes, 0, 8);
    tcase_add_loop_test(c, test_winograd_extremes, 0, 11);
    tcase_add_loop_test(c, test_winograd_sum_edges, 126, 135);
    tcase_add_loop_test(c, test_tables, 0, 8);
    tcase_add_loop_test(c, test_requant_floats, 0, 8);
    tcase_add_test(c, test_find);
    tcase_add_test(c, test_packed_size);
    suite_add_tcase(s, c);
    return s;
}
