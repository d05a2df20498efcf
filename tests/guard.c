/* SPDX-License-Identifier: MIT */
#include "tests/guard.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, FRONT = 256, KNOWN = 0xA5 };

/* Lies FRONT bytes before the buffer. */
struct guard {
    uint8_t *map;
    size_t map_size, n;
};

static struct guard guard_of(const void *p)
{
    struct guard g;
    memcpy(&g, (const uint8_t *)p - FRONT - sizeof g, sizeof g);
    return g;
}

static void *guard_at(size_t n, size_t align)
{
    size_t end = (n + align - 1) / align * align;
    size_t body = (sizeof(struct guard) + FRONT + end + PAGE - 1) / PAGE * PAGE;
    uint8_t *map = mmap(NULL, body + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(mprotect(map + body, PAGE, PROT_NONE), 0);
    memset(map, KNOWN, body);
    struct guard g = {map, body + PAGE, n};
    uint8_t *p = map + body - end;
    memcpy(p - FRONT - sizeof g, &g, sizeof g);
    return p;
}

void *guard_new(size_t n)
{
    return guard_at(n, 1);
}

void *guard_new_aligned(size_t n)
{
    return guard_at(n, 64);
}

bool guard_intact(const void *p)
{
    struct guard g = guard_of(p);
    const uint8_t *q = p, *end = g.map + g.map_size - PAGE;
    for (const uint8_t *x = q - FRONT; x < q; x++)
        if (*x != KNOWN)
            return false;
    for (const uint8_t *x = q + g.n; x < end; x++)
        if (*x != KNOWN)
            return false;
    return true;
}

void guard_protect(void *p)
{
    struct guard g = guard_of(p);
    ck_assert_int_eq(mprotect(g.map, g.map_size - PAGE, PROT_READ), 0);
}

void guard_free(void *p)
{
    struct guard g = guard_of(p);
    munmap(g.map, g.map_size);
}
