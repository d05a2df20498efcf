/* SPDX-License-Identifier: MIT
 *
 * The processor's intrinsics, or SIMDe's portable ones: a test compiles the AVX-512 kernels with BITFADER_SIMDE to run
 * them on processors without AVX-512. Included only by files whose suffix names an instruction set.
 */
#ifndef BITFADER_KERNELS_X86_INTRIN_H
#define BITFADER_KERNELS_X86_INTRIN_H

#include <stdint.h>
#include <string.h>

#ifdef BITFADER_SIMDE
#pragma GCC diagnostic ignored "-Wpsabi" /* 512-bit vectors as parameters of SIMDe's own functions */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

/* What SIMDe 0.7.4 lacks. */
static inline simde__m512i _mm512_cvtepu8_epi32(simde__m128i a)
{
    uint8_t x[16];
    int32_t y[16];
    simde_mm_storeu_si128((simde__m128i *)x, a);
    for (int i = 0; i < 16; i++)
        y[i] = x[i];
    return simde_mm512_loadu_si512(y);
}

static inline simde__m512i _mm512_cvtepi8_epi32(simde__m128i a)
{
    int8_t x[16];
    int32_t y[16];
    simde_mm_storeu_si128((simde__m128i *)x, a);
    for (int i = 0; i < 16; i++)
        y[i] = x[i];
    return simde_mm512_loadu_si512(y);
}

static inline simde__m512i _mm512_srav_epi32(simde__m512i a, simde__m512i count)
{
    int32_t x[16], n[16];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(n, count);
    for (int i = 0; i < 16; i++)
        x[i] >>= n[i] & 31;
    return simde_mm512_loadu_si512(x);
}

/* Elements i of the mask are those of a at imm's place within four, others those of src. */
static inline simde__m512i _mm512_mask_shuffle_epi32(simde__m512i src, unsigned mask, simde__m512i a, int imm)
{
    int32_t x[16], y[16];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, src);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            y[i] = x[i / 4 * 4 + (imm >> i % 4 * 2 & 3)];
    return simde_mm512_loadu_si512(y);
}

static inline simde__m512i _mm512_cvtepu16_epi32(simde__m256i a)
{
    uint16_t x[16];
    int32_t y[16];
    simde_mm256_storeu_si256((simde__m256i *)x, a);
    for (int i = 0; i < 16; i++)
        y[i] = x[i];
    return simde_mm512_loadu_si512(y);
}

static inline simde__m256i _mm512_cvtepi32_epi16(simde__m512i a)
{
    int32_t x[16];
    int16_t y[16];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 16; i++)
        y[i] = (int16_t)x[i];
    return simde_mm256_loadu_si256((const simde__m256i *)y);
}

/* What it does with undefined behaviour: sums of bytes and of 16-bit lanes wrap around, a byte may start at bit 0. */
#undef _mm512_add_epi8
#undef _mm512_add_epi16
#undef _mm512_sub_epi16
#undef _mm512_multishift_epi64_epi8

static inline simde__m512i _mm512_add_epi8(simde__m512i a, simde__m512i b)
{
    uint8_t x[64], y[64];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    for (int i = 0; i < 64; i++)
        x[i] = (uint8_t)(x[i] + y[i]);
    return simde_mm512_loadu_si512(x);
}

static inline simde__m512i _mm512_add_epi16(simde__m512i a, simde__m512i b)
{
    uint16_t x[32], y[32];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    for (int i = 0; i < 32; i++)
        x[i] = (uint16_t)(x[i] + y[i]);
    return simde_mm512_loadu_si512(x);
}

static inline simde__m512i _mm512_sub_epi16(simde__m512i a, simde__m512i b)
{
    uint16_t x[32], y[32];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    for (int i = 0; i < 32; i++)
        x[i] = (uint16_t)(x[i] - y[i]);
    return simde_mm512_loadu_si512(x);
}

static inline simde__m512i _mm512_multishift_epi64_epi8(simde__m512i shifts, simde__m512i a)
{
    uint8_t by[64];
    uint64_t x[8];
    simde_mm512_storeu_si512(by, shifts);
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 64; i++) {
        int n = by[i] & 63;
        by[i] = (uint8_t)(n == 0 ? x[i / 8] : x[i / 8] >> n | x[i / 8] << (64 - n));
    }
    return simde_mm512_loadu_si512(by);
}

#ifndef __AVX512F__
typedef simde__mmask16 __mmask16;
#endif

#ifndef __AVX512BW__
typedef simde__mmask64 __mmask64;
#endif

static inline simde__m512i _mm512_srai_epi32(simde__m512i a, int shift)
{
    int32_t x[16];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 16; i++)
        x[i] >>= shift;
    return simde_mm512_loadu_si512(x);
}

static inline simde__m512i _mm512_sra_epi32(simde__m512i a, simde__m128i shift)
{
    int64_t n = simde_mm_cvtsi128_si64(shift);
    return _mm512_srai_epi32(a, n < 31 ? (int)n : 31);
}

static inline simde__m512 _mm512_cvtepi32_ps(simde__m512i a)
{
    int32_t x[16];
    float y[16];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 16; i++)
        y[i] = (float)x[i];
    return simde_mm512_loadu_ps(y);
}

static inline simde__m512i _mm512_maskz_loadu_epi8(__mmask64 mask, const void *p)
{
    uint8_t x[64];
    for (int i = 0; i < 64; i++)
        x[i] = mask >> i & 1 ? ((const uint8_t *)p)[i] : 0;
    return simde_mm512_loadu_si512(x);
}

static inline void _mm_mask_storeu_epi8(void *p, __mmask16 mask, simde__m128i a)
{
    uint8_t x[16];
    simde_mm_storeu_si128((simde__m128i *)x, a);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            ((uint8_t *)p)[i] = x[i];
}

static inline void _mm512_mask_storeu_epi8(void *p, __mmask64 mask, simde__m512i a)
{
    uint8_t x[64];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 64; i++)
        if (mask >> i & 1)
            ((uint8_t *)p)[i] = x[i];
}

static inline simde__m512 _mm512_maskz_loadu_ps(__mmask16 mask, const float *p)
{
    float x[16];
    for (int i = 0; i < 16; i++)
        x[i] = mask >> i & 1 ? p[i] : 0;
    return simde_mm512_loadu_ps(x);
}

static inline void _mm512_mask_storeu_ps(float *p, __mmask16 mask, simde__m512 a)
{
    float x[16];
    simde_mm512_storeu_ps(x, a);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            p[i] = x[i];
}
#else
#include <immintrin.h>
#endif

/* Four bytes, to be broadcast. */
static inline int load4(const uint8_t *p)
{
    int x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Accumulator c += x, with the instruction of this name, here and in place. Left to itself, gcc gathers the loads of
 * all pixels in front and spills accumulators in the inner loop, or adds into another register and moves the sum back.
 */
#define ADD_IN_PLACE(instruction, c, x) __asm__ volatile(instruction " %1, %0, %0" : "+x"(c) : "x"(x) : "memory")

/* The same for 16 sums of 32 bits in a vector of 512. */
#ifdef BITFADER_SIMDE
#define ADD_IN_PLACE_512(c, x) c = _mm512_add_epi32(c, x)
#else
#define ADD_IN_PLACE_512(c, x) __asm__ volatile("vpaddd %1, %0, %0" : "+v"(c) : "v"(x) : "memory")
#endif

#endif
