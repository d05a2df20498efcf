/* SPDX-License-Identifier: MIT
 *
 * Memory for tests of kernels: a buffer ends where an unreadable page begins, so that reading or writing past the end
 * crashes, and lies behind bytes of a known value, so that writing before it is seen.
 */
#ifndef BITFADER_TESTS_GUARD_H
#define BITFADER_TESTS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

void *guard_new(size_t n);         /* the last byte is the last of the page; aligned if n is a multiple of that */
void *guard_new_aligned(size_t n); /* 64-byte aligned; up to 63 known bytes after it */
bool guard_intact(const void *p);  /* no known byte changed */
void guard_protect(void *p);       /* read-only from now on */
void guard_free(void *p);

#endif
