/* SPDX-License-Identifier: MIT
 *
 * Text: a growing buffer, numbers with units, wildcard patterns.
 */
#ifndef BITFADER_BASE_TEXT_H
#define BITFADER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text { /* zero-initialise; s is NULL or zero-terminated */
    char *s;
    size_t n, cap;
};
void text_put(struct text *t, const char *s);
void text_put_n(struct text *t, const char *s, size_t n);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_done(struct text *t);

/* Shell-style pattern: * and ?, the whole string, case matters. */
bool text_match(const char *pattern, const char *s);
/* Edit distance (Levenshtein), for "did you mean". */
int text_distance(const char *a, const char *b);

/* "118.2 KiB", "9.5 MiB", "512 B". Returns out. */
char *text_bytes(int64_t bytes, char out[32]);
/* "1.23k", "4.5M": three digits and a suffix, for counts. Returns out. */
char *text_count(int64_t n, char out[32]);
/* "812 µs" is written "812 us" when ascii. Nanoseconds to us or ms with three digits. */
char *text_time(double ns, char out[32]);

/* A size with a unit that must be there: 120KiB, 1.5MiB, 118204B, 112kB, 1MB. Bytes, or -1 with no message. */
int64_t text_parse_bytes(const char *s);
/* A duration with a unit that must be there: 3.4ms, 812us, 1s. Nanoseconds, or -1. */
double text_parse_ns(const char *s);

#endif
