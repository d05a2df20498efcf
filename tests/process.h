/* SPDX-License-Identifier: MIT
 *
 * Runs the bitfader that $BITFADER_BIN names, as a user would, and keeps what it said. The caches and the home of the
 * user are out of its reach.
 */
#ifndef BITFADER_TESTS_PROCESS_H
#define BITFADER_TESTS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

struct room { /* where runs happen: a fresh directory, a model */
    char dir[64];
    char *model; /* the first of zoo/, or what $BITFADER_TEST_MODEL names */
};
/* 0, or -1 after a line that says why these tests are skipped: no $BITFADER_BIN, no model. */
int room_open(struct room *r);
void room_close(struct room *r);      /* removes the directory and what is in it */
int room_files(const struct room *r); /* entries in the directory */
/* Writes a file into the directory. */
void room_write(const struct room *r, const char *name, const void *data, size_t n);

struct process_options {
    const char *in_path;  /* standard input; NULL: empty */
    const char *out_path; /* standard output goes there; NULL: it is kept */
    bool out_closed;      /* no descriptor 1 at all */
    bool out_unread;      /* the pipe has lost its reader before the start */
    long file_limit;      /* RLIMIT_FSIZE; 0: none */
    int signal;           /* sent when something stands on standard error; 0: none */
    const char *variable; /* "NAME=value", one more for the environment; or NULL */
};

struct process {
    int status; /* exit status; 128 + n when signal n ended it */
    char *out, *err;
    size_t out_n, err_n;
    long peak_kib; /* of memory; what the test itself had before it started the program counts too */
};

/* Words are split at blanks, without quoting; "$M" in them is the model, "$D" the directory. Ends the test when it
 * cannot be started, or runs for more than a minute. */
struct process process_run(const struct room *r, const struct process_options *o, const char *words);
void process_done(struct process *p);

#endif
