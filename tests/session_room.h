/* SPDX-License-Identifier: MIT
 *
 * A place for tests of sessions: a cache of their own, the bundled dataset with fewer images, the zoo's models.
 */
#ifndef BITFADER_TESTS_SESSION_ROOM_H
#define BITFADER_TESTS_SESSION_ROOM_H

#include "search/session.h"

enum { CALIBRATE = 64, EVALUATE = 400 }; /* images of the dataset's parts */

extern char session_room[64]; /* the folder */
extern const char *const session_models[];

void session_room_write(const char *path, const char *text);
void session_room_open(void);   /* a checked fixture's */
char *session_room_cache(void); /* the cache folder; the caller frees */
/* Calls see with the path of each cache file; returns how many there are. */
int session_room_each(void (*see)(const char *path));
void session_room_remove(const char *path);
void session_room_close(void);
/* NULL, after saying why, when there is nothing to work with. */
struct session *session_room_model(const char *model, int images, bool cache);
/* With every table; what an earlier test found comes from the cache. */
struct session *session_room_analyzed(const char *model);
struct profile *session_room_profile(struct session *s, const char *name);

#endif
