/* SPDX-License-Identifier: MIT
 *
 * Memory: allocation that cannot fail (out of memory ends the program with one line), and arenas freed at once.
 */
#ifndef BITFADER_BASE_MEM_H
#define BITFADER_BASE_MEM_H

#include <stddef.h>

/* n * size bytes, zeroed, 64-byte aligned; never NULL. Sizes that come from a file are checked before they get here: an
 * overflowing product ends the program. Release with mem_free. */
void *mem_new(size_t n, size_t size);
void *mem_new_unset(size_t n, size_t size); /* not zeroed: pages that nobody writes to are no memory yet */
void *mem_resize(void *p, size_t old_n, size_t new_n, size_t size); /* new elements are zeroed */
char *mem_strdup(const char *s);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *p); /* NULL is fine */

/* Ends the program as the above do, for libraries that allocate by themselves. */
void mem_exhausted(void) __attribute__((noreturn));
/* Called once, before the program ends for want of memory: the screen restores the terminal here. */
void mem_on_exhausted(void (*restore)(void));

/* An arena: zero-initialise, allocate, arena_done() frees everything. */
struct arena {
    struct arena_block *blocks;
};
void *arena_new(struct arena *a, size_t n, size_t size); /* zeroed, 64-byte aligned */
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *a);

#endif
