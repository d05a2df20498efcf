/* SPDX-License-Identifier: MIT */
#include "model/wire.h"

#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

enum { BUFFER = 64 * 1024, VARINT_MAX = 10, FIRST = 64 * 1024 };
static const int64_t SIZE_LIMIT = (int64_t)1 << 31; /* protobuf has no larger messages */

int wire_fail(struct wire *w)
{
    if (!w->failed)
        err_set(w->e, "%s: not an ONNX file, or cut short", w->name);
    w->failed = true;
    return -1;
}

static bool too_large(struct wire *w)
{
    err_set(w->e, "%s: larger than 2 GiB", w->name);
    w->failed = true;
    return false;
}

static void check_size(struct wire *w)
{
    if (w->size > SIZE_LIMIT)
        too_large(w);
    w->left = w->size >= 0 ? w->size : SIZE_LIMIT;
}

int wire_open_file(struct wire *w, const char *path, struct err *e)
{
    *w = (struct wire){.name = file_name(path), .e = e};
    w->stream = file_stream_open(path, &w->size, e);
    if (!w->stream)
        return -1;
    w->hash = hash_stream_new();
    w->buffer = mem_new_unset(BUFFER, 1);
    w->at = w->filled = w->buffer;
    check_size(w);
    return 0;
}

void wire_open_bytes(struct wire *w, const char *name, const void *bytes, size_t n, struct err *e)
{
    *w = (struct wire){.name = name, .at = bytes, .size = n < INT64_MAX ? (int64_t)n : INT64_MAX, .e = e};
    w->filled = w->at ? w->at + n : NULL;
    check_size(w);
}

int wire_close(struct wire *w, char fingerprint[40])
{
    if (file_stream_close(w->stream, w->failed ? NULL : w->e))
        w->failed = true;
    hash_stream_end(w->hash, w->failed ? NULL : fingerprint);
    mem_free(w->buffer);
    w->stream = NULL;
    w->hash = NULL;
    w->buffer = NULL;
    return w->failed ? -1 : 0;
}

/* n bytes of the file itself; how many came. */
static size_t fetch(struct wire *w, void *to, size_t n)
{
    int64_t got = file_stream_read(w->stream, to, n, w->e);
    if (got < 0)
        w->failed = true;
    if (got <= 0)
        return 0;
    hash_stream_add(w->hash, to, (size_t)got);
    return (size_t)got;
}

/* At least one byte is read ahead; false at the end. */
static bool fill(struct wire *w)
{
    if (w->at < w->filled)
        return true;
    if (!w->stream || w->failed)
        return false;
    w->at = w->buffer;
    w->filled = w->buffer + fetch(w, w->buffer, BUFFER);
    return w->at < w->filled;
}

/* n <= left bytes of the message. */
static void take(struct wire *w, void *to, size_t n)
{
    size_t ahead = (size_t)(w->filled - w->at), now = ahead < n ? ahead : n;
    if (now)
        memcpy(to, w->at, now);
    w->at += now;
    w->left -= (int64_t)n;
    if (now < n && (!w->stream || fetch(w, (uint8_t *)to + now, n - now) < n - now))
        wire_fail(w);
}

bool wire_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_MAX && *at < end; i++) {
        uint8_t byte = *(*at)++;
        *out |= (uint64_t)(byte & 127) << (7 * i);
        if (!(byte & 128))
            return true;
    }
    return false;
}

/* The same of the message. */
static uint64_t take_varint(struct wire *w)
{
    uint64_t v = 0;
    for (int i = 0; i < VARINT_MAX && w->left > 0 && fill(w); i++) {
        uint8_t byte = *w->at++;
        w->left--;
        v |= (uint64_t)(byte & 127) << (7 * i);
        if (!(byte & 128))
            return v;
    }
    wire_fail(w);
    return 0;
}

bool wire_next(struct wire *w, struct wire_field *f)
{
    bool open_end = w->depth == 0 && w->size < 0; /* nobody said where it ends */
    if (w->failed || (open_end && !fill(w)))
        return false;
    if (w->left == 0)
        return open_end ? too_large(w) : false;
    uint64_t tag = take_varint(w);
    *f = (struct wire_field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        wire_fail(w);
    else if (f->type == WIRE_VARINT)
        f->value = take_varint(w);
    else if (f->type == WIRE_FIXED32 || f->type == WIRE_FIXED64)
        f->length = f->type == WIRE_FIXED32 ? 4 : 8;
    else if (f->type == WIRE_LENGTH)
        f->length = (int64_t)(take_varint(w) & INT64_MAX);
    else /* groups are gone from proto3 */
        wire_fail(w);
    if (f->length > w->left)
        wire_fail(w);
    return !w->failed;
}

int64_t wire_enter(struct wire *w, const struct wire_field *f)
{
    if (f->type != WIRE_LENGTH)
        wire_fail(w);
    int64_t outer = w->left - f->length;
    w->left = f->length;
    w->depth++;
    return outer;
}

void wire_leave(struct wire *w, int64_t outer)
{
    struct wire_field rest = {.length = w->left};
    wire_skip(w, &rest);
    w->left = outer;
    w->depth--;
}

/* Room for n more. Not touched, so that a length that lies costs no memory. */
static void reserve(struct wire_bytes *b, size_t n, bool exact)
{
    if (b->cap - b->n >= n)
        return;
    size_t cap = b->n + n;
    if (!exact && cap < 2 * b->cap)
        cap = 2 * b->cap;
    uint8_t *data = mem_new_unset(cap, 1);
    if (b->n)
        memcpy(data, b->data, b->n);
    mem_free(b->data);
    b->data = data;
    b->cap = cap;
}

static void append_payload(struct wire *w, size_t n, struct wire_bytes *b)
{
    size_t known = w->size >= 0 ? n : FIRST; /* else as much as comes */
    while (n && !w->failed) {
        size_t now = n < known ? n : known;
        reserve(b, now, w->size >= 0 && !b->n);
        take(w, b->data + b->n, now);
        b->n += now;
        n -= now;
        known = b->n > FIRST ? b->n : FIRST;
    }
}

static void append_varint(struct wire_bytes *b, uint64_t v)
{
    reserve(b, VARINT_MAX, false);
    for (; v > 127; v >>= 7)
        b->data[b->n++] = (uint8_t)(v | 128);
    b->data[b->n++] = (uint8_t)v;
}

void wire_append(struct wire *w, const struct wire_field *f, struct wire_bytes *b)
{
    if (f->type == WIRE_VARINT)
        append_varint(b, f->value);
    else
        append_payload(w, (size_t)f->length, b);
}

void wire_copy(struct wire *w, const struct wire_field *f, struct wire_bytes *b)
{
    append_varint(b, (uint64_t)f->number << 3 | f->type);
    if (f->type == WIRE_LENGTH)
        append_varint(b, (uint64_t)f->length);
    wire_append(w, f, b);
}

void wire_skip(struct wire *w, const struct wire_field *f)
{
    int64_t n = f->length;
    while (n > 0 && !w->failed) {
        if (!fill(w)) {
            wire_fail(w);
            return;
        }
        int64_t ahead = w->filled - w->at, now = ahead < n ? ahead : n;
        w->at += now;
        w->left -= now;
        n -= now;
    }
}

void wire_bytes_done(struct wire_bytes *b)
{
    mem_free(b->data);
    *b = (struct wire_bytes){0};
}
