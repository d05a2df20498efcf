/* SPDX-License-Identifier: MIT
 *
 * Private to search/cache*.c: the text that all kinds of files are.
 */
#ifndef BITFADER_SEARCH_CACHE_PRIVATE_H
#define BITFADER_SEARCH_CACHE_PRIVATE_H

#include "base/text.h"
#include "search/cache.h"

enum { CACHE_FILE_LIMIT = 64 << 20 };
extern const char cache_end[]; /* the last line of a whole file */

/* The file's text after its first line, which must be the header; the caller frees *whole. NULL: no usable file. */
const char *cache_load_text(const struct cache_key *k, char **whole);
/* Takes body over. */
int cache_save_text(const struct cache_key *k, struct text *body, struct err *e);

/* Takes over what was read where it is whole: a file with any bad row is no cache. Frees read. */
void cache_adopt(struct tables *t, struct tables *read, bool whole);

/* What comes after the end of this line, or NULL. */
const char *cache_next_line(const char *s);

#endif
