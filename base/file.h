/* SPDX-License-Identifier: MIT
 *
 * Files: read whole (gzip understood), written so that the old file or the new one is there, never half of one.
 */
#ifndef BITFADER_BASE_FILE_H
#define BITFADER_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FILE_STDIN "-"                   /* as a path to read: standard input */
const char *file_name(const char *path); /* as messages call it */

/* The whole file (FILE_STDIN: standard input to its end), gunzipped where it is gzip, with a zero byte after it that
 * size does not count. Refuses more than limit bytes. The caller frees with mem_free. NULL on failure; the message
 * names the file. */
void *file_read(const char *path, size_t limit, size_t *size, struct err *e);

/* The same in pieces. *size: what will come, where that is known (a plain file), else -1. */
struct file_stream *file_stream_open(const char *path, int64_t *size, struct err *e);
/* Up to n bytes: how many, less only at the end; -1 on failure. */
int64_t file_stream_read(struct file_stream *s, void *to, size_t n, struct err *e);
/* -1 when gzip data was cut off, which is only told here; frees either way. NULL is fine. */
int file_stream_close(struct file_stream *s, struct err *e);

/* Writes beside the target, syncs, renames. Keeps the old file as PATH.bak when backup is set. On failure the target is
 * untouched and nothing is left behind. A symbolic link is followed; the mode of an existing file is kept. */
int file_write(const char *path, const void *data, size_t size, bool backup, struct err *e);

/* $XDG_CACHE_HOME/bitfader (or ~/.cache/bitfader), state and config likewise; created on demand. NULL when there is no
 * home to put it in or it cannot be made: then nothing is cached. The caller frees with mem_free. */
char *file_cache_dir(void);
char *file_state_dir(void);

bool file_exists(const char *path);

struct stat;
/* A descriptor to read a regular file, and what fstat says of it; -1 with a message for all else. A pipe without a
 * writer is refused, not waited for. */
int file_open_regular(const char *path, struct stat *st, struct err *e);

#endif
