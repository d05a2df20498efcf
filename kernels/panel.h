/* SPDX-License-Identifier: MIT
 *
 * The shape of the SIMD convolutions: an implicit matrix product without im2col. Private to kernels/.
 *
 * Image. The taps of one output pixel are read straight from the image through a table of offsets, one for each step.
 * Where that would leave the image (padding) or the row (odd channel counts), or where a kernel wants 16-bit elements,
 * the image is first copied into scratch with its padding around it: once, not once for each tap.
 *
 * Steps. The taps are visited in runs of neighbouring values (a kernel row if the channels are contiguous, else one
 * tap), a run in steps of `unit` values; the last step of a run may cover less, its other weights are zero.
 *
 * Ends. Three input channels leave one value of a kernel row of 3, 7 or 11 to a step of four that is otherwise zeros.
 * So these values lie in steps of their own, three or four kernel rows' in one: for them the image has a second copy,
 * where they stand side by side at each pixel.
 *
 * Panels. 16 output channels make a panel; its weights lie [step][16][unit], in chunks of 256 weights, 32 * bits bytes
 * each: a plane of the low 4 bits (if bits has a 4), then of 2 bits (if it has a 2), then of 1 bit. A plane's bytes
 * hold the weights that are 32 apart, so that shift and mask give 32 neighbours. With 8 bits a chunk is the integers
 * themselves.
 *
 * Sums. Kernels that take activations less 128, as signed bytes, have the sum of each channel's weights behind the
 * panels: 128 times it makes their products whole.
 *
 * Depthwise convolutions are the case unit == 1: a step is a tap of 16 channels, and panels move over the input too.
 */
#ifndef BITFADER_KERNELS_PANEL_H
#define BITFADER_KERNELS_PANEL_H

#include "kernels/kernels.h"
#include "kernels/requant_lanes.h"

enum { CHUNK = 256, PANEL_MAX_PIXELS = 8, PANEL_MAX_GROUP = 4 };

struct panel_plan {
    int unit, elem;             /* values a step, bytes an image element */
    int cg, og;                 /* channels of a group in and out; 1 and all of them if depthwise */
    int groups, panels;         /* groups, panels in a group */
    int run, runs, run_steps;   /* values of a run, runs, steps of a run */
    int ends;                   /* kernel rows whose last values share a step, 0 if none do */
    int steps, chunks;          /* of a panel */
    bool copy;                  /* whether the image is copied */
    int ih, iw;                 /* image (copied or not) in pixels */
    int step_y, step_x;         /* source pixels to a copied pixel */
    int stride_y, stride_x;     /* image pixels to an output pixel */
    size_t image_bytes;         /* of the copy, 0 if none */
    size_t ends_at;             /* of the second copy, in the image */
    size_t pixels_at, steps_at; /* prepared: int32_t byte offsets of output pixels and of steps */
    size_t requant_at;          /* prepared: struct requant_lanes of every panel */
    size_t prepared_bytes;
    size_t weights_at; /* scratch: PANEL_MAX_GROUP unpacked panels, behind the image */
    size_t scratch_bytes;
};

/* First bytes of the packed weights; the panels follow. */
struct panel_header {
    int32_t bits;      /* as stored: 8 where no code stands for 0 but a run needs zeros */
    int32_t window;    /* how many steps a 16-bit lane holds without overflow, up to all of them */
    int8_t levels[16]; /* with bits <= 4 */
    uint8_t fill[40];
};

/* Steps that a 16-bit lane holds whatever the weights are; 0 if even one can overflow. */
int panel_window_worst(int unit, int a_bits, const struct conv_weights *w);

/* Bytes of one panel that is stored with this many bits. */
static inline size_t panel_bytes(const struct panel_plan *p, int bits)
{
    return (size_t)p->chunks * (size_t)bits * 32;
}

/* Where the sums of weights are, in the packed weights. */
static inline size_t panel_sums_at(const struct panel_plan *p, int bits)
{
    return sizeof(struct panel_header) + (size_t)(p->groups * p->panels) * panel_bytes(p, bits);
}

/* What a micro-kernel works on: m pixels times nv panels of 16 channels. */
struct panel_tile {
    const uint8_t *image;
    const int32_t *pixels;  /* [m] */
    const int32_t *offsets; /* [steps] */
    int steps, window;
    const int8_t *weights; /* [nv][stride], unpacked */
    size_t stride;
    const int32_t *sums; /* [nv][16] of the weights, if the kernel has sums */
    int nv;
    const char *ahead; /* a line to fetch for later with each step: of the next panels, or past the last */
    int32_t *acc;      /* [nv][m][16], 64-byte aligned, overwritten */
};

/* Where a tile's codes go: those of four panels of a pixel side by side, cout to the next pixel's. */
struct panel_codes {
    const struct requant *rq;
    const struct requant_lanes *r; /* [4], with floats */
    uint8_t *out;
    size_t cout;
};

struct panel_kernel {
    int unit, elem;
    int group;                   /* largest nv */
    int pixels[PANEL_MAX_GROUP]; /* largest m with 1, 2, ... panels */
    bool sums;                   /* whether the sums of weights are packed */
    bool skips;                  /* whether steps at both ends can be left out: any window is as good */
    void (*tile)(int m, const struct panel_tile *t);
    /* The same of four panels and to codes at once, by requant_lanes' floats; NULL: it cannot */
    void (*codes)(int m, const struct panel_tile *t, const struct panel_codes *c);
};

/* Where a panel's outputs go. */
struct panel_out {
    const struct requant_lanes *requant; /* NULL where lanes cannot do it */
    int co, n;                           /* first channel, channels */
};

void panel_plan_init(struct panel_plan *p, const struct panel_kernel *k, const struct conv_geom *g);

/* The bodies of a row's functions. */
size_t panel_packed_size(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_weights *w);
void panel_pack(const struct panel_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                void *packed);
size_t panel_prepared_size(const struct panel_kernel *k, const struct conv_geom *g);
void panel_prepare(const struct panel_kernel *k, const struct conv_geom *g, const struct requant *rq, void *prepared);
size_t panel_scratch_size(const struct panel_kernel *k, const struct conv_geom *g);

/* What an instruction set does for all its micro-kernels. */
struct panel_simd {
    void (*widen)(uint8_t *out, const uint8_t *in, int n); /* n codes to 16 bits; NULL if no kernel has elem 2 */
    /* A panel as integers, in `out` or, if they are stored so, where they are. */
    const int8_t *(*unpack)(const struct panel_header *head, const uint8_t *in, int chunks, int8_t *out);
    /* m pixels of nv panels to the call's output of cout channels, from pixel `at` on. acc: [nv][m][16], 64-byte
     * aligned. */
    void (*store)(const struct conv_call *call, const struct panel_out *out, int nv, const int32_t *acc, int m,
                  size_t at, size_t cout);
};
/* In a panel_simd's unpack: UNPACK(bits), with the width as a constant; 8-bit panels are returned as they are. */
#define PANEL_UNPACK(head, in, UNPACK) \
    switch ((head)->bits) {            \
    case 1:                            \
        UNPACK(1);                     \
        break;                         \
    case 2:                            \
        UNPACK(2);                     \
        break;                         \
    case 3:                            \
        UNPACK(3);                     \
        break;                         \
    case 4:                            \
        UNPACK(4);                     \
        break;                         \
    case 5:                            \
        UNPACK(5);                     \
        break;                         \
    case 6:                            \
        UNPACK(6);                     \
        break;                         \
    case 7:                            \
        UNPACK(7);                     \
        break;                         \
    default:                           \
        return (const int8_t *)(in);   \
    }

/* Runs a micro-kernel over all panels and pixels of a call. */
void panel_run(const struct panel_simd *simd, const struct panel_kernel *k, const struct conv_geom *g,
               const struct conv_call *call);

/* tile(m, t) with m as a constant, of at most six. */
#define PANEL_BY_PIXELS(tile, m, t) \
    switch (m) {                    \
    case 1:                         \
        tile(1, t);                 \
        break;                      \
    case 2:                         \
        tile(2, t);                 \
        break;                      \
    case 3:                         \
        tile(3, t);                 \
        break;                      \
    case 4:                         \
        tile(4, t);                 \
        break;                      \
    case 5:                         \
        tile(5, t);                 \
        break;                      \
    default:                        \
        tile(6, t);                 \
    }

/* What a row of conv_kernels[] does about everything but `can`, for a struct panel_kernel of its file. */
#define PANEL_FUNCTIONS(kernel, run_panels)                                                                  \
    static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)           \
    {                                                                                                        \
        (void)a_bits;                                                                                        \
        return panel_packed_size(&(kernel), g, w);                                                           \
    }                                                                                                        \
    static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)      \
    {                                                                                                        \
        panel_pack(&(kernel), g, a_bits, w, packed);                                                         \
    }                                                                                                        \
    static size_t prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)         \
    {                                                                                                        \
        (void)a_bits, (void)w;                                                                               \
        return panel_prepared_size(&(kernel), g);                                                            \
    }                                                                                                        \
    static void prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, \
                        void *prepared)                                                                      \
    {                                                                                                        \
        (void)a_bits, (void)packed;                                                                          \
        panel_prepare(&(kernel), g, rq, prepared);                                                           \
    }                                                                                                        \
    static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)          \
    {                                                                                                        \
        (void)a_bits, (void)w;                                                                               \
        return panel_scratch_size(&(kernel), g);                                                             \
    }                                                                                                        \
    static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)                     \
    {                                                                                                        \
        (void)a_bits;                                                                                        \
        run_panels(&(kernel), g, call);                                                                      \
    }

/* m pixels of a panel of n channels to codes. */
typedef void panel_codes_fn(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                            size_t at, size_t cout, int n);

#if defined(__x86_64__)
/* What AVX2 does. */
void panel_widen_avx2(uint8_t *out, const uint8_t *in, int n);
/* m pixels of one panel to the call's output, of which n channels from co on count; `at` is the first pixel's element.
 * codes: what does it where lanes can, or NULL: AVX2. r: NULL where lanes cannot. acc: [m][16], 64-byte aligned. */
void panel_store(panel_codes_fn *codes, const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc,
                 int m, size_t at, size_t cout, int co, int n);
/* panel_run with AVX2, and with AVX-512. */
void panel_run_avx2(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call);
void panel_run_avx512(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call);
/* A panel_codes_fn for kernels with AVX-512. */
void panel_store_avx512(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                        size_t at, size_t cout, int n);
#if defined(BITFADER_SIMDE)
#define PANEL_STORE_AVX512 NULL /* such kernels run anywhere, these do not */
#define panel_run_avx512   panel_run_avx2
#else
#define PANEL_STORE_AVX512 panel_store_avx512
#endif
#endif

#endif
