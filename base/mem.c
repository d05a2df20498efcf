/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALIGN = 64, BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    char *data;
};

static void (*exhausted_hook)(void);

void mem_on_exhausted(void (*restore)(void))
{
    exhausted_hook = restore;
}

void mem_exhausted(void)
{
    static const char line[] = "bitfader: out of memory\n";
    if (exhausted_hook)
        exhausted_hook();
    ssize_t ignored = write(2, line, sizeof line - 1);
    (void)ignored;
    _exit(1);
}

static size_t bytes_of(size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total) || total > SIZE_MAX - 2 * (size_t)ALIGN)
        mem_exhausted();
    return (total + ALIGN - 1) / ALIGN * ALIGN;
}

void *mem_new_unset(size_t n, size_t size)
{
    size_t total = bytes_of(n, size);
    void *p = aligned_alloc(ALIGN, total ? total : (size_t)ALIGN);
    if (!p)
        mem_exhausted();
    return p;
}

void *mem_new(size_t n, size_t size)
{
    size_t total = bytes_of(n, size);
    return memset(mem_new_unset(n, size), 0, total ? total : (size_t)ALIGN);
}

void *mem_resize(void *p, size_t old_n, size_t new_n, size_t size)
{
    void *q = mem_new(new_n, size);
    if (p)
        memcpy(q, p, (old_n < new_n ? old_n : new_n) * size);
    free(p);
    return q;
}

void mem_free(void *p)
{
    free(p);
}

static char *vprintf_new(struct arena *a, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t size = n < 0 ? 1 : (size_t)n + 1;
    char *s = a ? arena_new(a, size, 1) : mem_new(size, 1);
    vsnprintf(s, size, format, ap);
    return s;
}

char *mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_new(n, 1), s, n);
}

char *mem_printf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *s = vprintf_new(NULL, format, ap);
    va_end(ap);
    return s;
}

void *arena_new(struct arena *a, size_t n, size_t size)
{
    size_t total = bytes_of(n, size);
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < total) {
        b = mem_new(1, sizeof *b);
        b->size = total > BLOCK ? total : BLOCK;
        b->data = mem_new(b->size, 1);
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->data + b->used;
    b->used += total;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_new(a, n, 1), s, n);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *s = vprintf_new(a, format, ap);
    va_end(ap);
    return s;
}

void arena_done(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b->data);
        free(b);
    }
}
