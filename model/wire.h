/* SPDX-License-Identifier: MIT
 *
 * Protocol Buffers' wire format (protobuf.dev, "Encoding"), read from front to back: a file, which is never in memory
 * as a whole, or bytes. It knows fields and lengths and nothing of ONNX.
 *
 * A message ends where the one around it said; a length that passes that end, a group, and a file that stops in the
 * middle are errors. After a failure nothing is read any more: callers may look once, at the end of a loop.
 */
#ifndef BITFADER_MODEL_WIRE_H
#define BITFADER_MODEL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value; /* WIRE_VARINT */
    int64_t length; /* bytes that follow and must be taken: enter, append or skip; 0 for WIRE_VARINT */
};

struct wire_bytes { /* zero-initialise; data is of mem_new_unset, and the owner's */
    uint8_t *data;
    size_t n, cap;
};

struct wire {
    const char *name; /* of the file, for messages */
    struct file_stream *stream;
    struct hash_stream *hash;
    uint8_t *buffer;
    const uint8_t *at, *filled; /* what is read ahead, or all of it */
    int64_t left;               /* bytes up to the end of the message that is read */
    int64_t size;               /* of everything, -1 where that is not known */
    int depth;                  /* messages entered */
    bool failed;
    struct err *e;
};

/* -1 with a message when there is no such file. folder NULL and bytes: from memory. */
int wire_open_file(struct wire *w, const char *path, struct err *e);
void wire_open_bytes(struct wire *w, const char *name, const void *bytes, size_t n, struct err *e);
/* -1 when something failed, or fails only now. fingerprint: of a file that was read to its end (NULL: not asked). */
int wire_close(struct wire *w, char fingerprint[40]);

/* The next field of the message: false at its end, and after a failure. */
bool wire_next(struct wire *w, struct wire_field *f);
/* Into a field, which must be of WIRE_LENGTH; what it returns is for wire_leave, which skips what is left of it. */
int64_t wire_enter(struct wire *w, const struct wire_field *f);
void wire_leave(struct wire *w, int64_t outer);
/* The field's payload (a varint as it was written) goes to the end of b. */
void wire_append(struct wire *w, const struct wire_field *f, struct wire_bytes *b);
/* The whole field with its tag, so that b becomes a message of its own. */
void wire_copy(struct wire *w, const struct wire_field *f, struct wire_bytes *b);
void wire_skip(struct wire *w, const struct wire_field *f);
/* "not an ONNX file, or cut short"; returns -1. */
int wire_fail(struct wire *w);

void wire_bytes_done(struct wire_bytes *b);
/* The varint at *at, which moves on; false when there is none before end. */
bool wire_varint(const uint8_t **at, const uint8_t *end, uint64_t *out);

#endif
