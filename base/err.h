/* SPDX-License-Identifier: MIT
 *
 * Errors: one line of text that names the file, the place and what would be right.
 */
#ifndef BITFADER_BASE_ERR_H
#define BITFADER_BASE_ERR_H

struct err {
    char text[512];
};

/* Formats the message and returns -1, so that a failure is one line: return err_set(e, "...", ...). e may be NULL. */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "format: " before what e says already, and returns -1. */
int err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
