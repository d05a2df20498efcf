/* SPDX-License-Identifier: MIT
 *
 * Tensors: their bytes, from the file or from one beside it, straight into a block of their own, and as numbers of this
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/onnx.pb-c.h"
#include "model/onnx_read.h"

enum { ONNX_FLOAT16 = 10, ONNX_BFLOAT16 = 16 };
enum field { FLOATS = 4, INTS32 = 5, INTS64 = 7, RAW = 9, DOUBLES = 10, UINTS64 = 11, FIELDS, EXTERNAL = 13 };
static const uint64_t SMALL_FIELDS = 1 << 1 | 1 << 2 | 1 << 8 | 1 << EXTERNAL | 1 << 14;

static bool is_half(int onnx_type)
{
    return onnx_type == ONNX_FLOAT16 || onnx_type == ONNX_BFLOAT16;
}

enum dtype onnx_dtype(int onnx_type)
{
    return is_half(onnx_type) ? DTYPE_F32 : dtype_of_onnx(onnx_type);
}

/* Bytes of `count` elements as the file has them: 4-bit ones are two a byte. */
static size_t stored_bytes(int onnx_type, int64_t count)
{
    if (dtype_is_nibble(onnx_dtype(onnx_type)))
        return ((size_t)count + 1) / 2;
    return (size_t)count * (is_half(onnx_type) ? 2 : dtype_size(onnx_dtype(onnx_type)));
}

/* --- data in another file ----------------------------------------------------------------------------------------- */

/* A whole number in decimal; -1 when it is none. */
static int64_t parse_offset(const char *s)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && !errno ? v : -1;
}

/* Only in the model's own folder, wherever links lead. The caller frees. NULL with a message. */
static char *external_path(struct onnx_model *m, const char *location, struct err *e)
{
    char *path = mem_printf("%s/%s", m->folder, location), *real = realpath(path, NULL);
    int error = errno;
    char *root = realpath(m->folder, NULL);
    size_t n = root ? strlen(root) : 0;
    bool inside = real && root && !strncmp(real, root, n) && (real[n] == '/' || (n == 1 && *root == '/'));
    const char *shown = onnx_name_show(&m->arena, location);
    if (!real || !root)
        err_set(e, "its data file %s cannot be read: %s", shown, strerror(error));
    else if (!inside)
        err_set(e, "its data file %s is outside of the model's folder", shown);
    char *out = inside ? mem_strdup(real) : NULL;
    free(real);
    free(root);
    mem_free(path);
    return out;
}

/* `length` bytes from `offset` of the file. */
static int read_slice(const char *path, int64_t offset, int64_t length, struct wire_bytes *b, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool there = fd >= 0 && !fstat(fd, &st);
    if (!there || !S_ISREG(st.st_mode)) {
        int error = there ? 0 : errno;
        if (fd >= 0)
            close(fd);
        return err_set(e, "its data file cannot be read: %s", error ? strerror(error) : "not a regular file");
    }
    int rc = 0;
    if (offset > st.st_size || length > st.st_size - offset) {
        rc = err_set(e, "its data ends at byte %llu of a file of %lld", (unsigned long long)offset + (uint64_t)length,
                     (long long)st.st_size);
    } else {
        wire_bytes_done(b);
        *b = (struct wire_bytes){mem_new_unset((size_t)length, 1), 0, (size_t)length};
        while ((int64_t)b->n < length && !rc) {
            ssize_t n = pread(fd, b->data + b->n, (size_t)length - b->n, offset + (int64_t)b->n);
            if (n > 0)
                b->n += (size_t)n;
            else if (n == 0 || errno != EINTR)
                rc = err_set(e, "its data file cannot be read: %s", n ? strerror(errno) : "it became shorter");
        }
    }
    close(fd);
    return rc;
}

/* Whether a string of an entry (the whole field, with its tag) goes on after a zero byte: C would read less. */
static bool has_zero(const uint8_t *bytes, size_t n)
{
    struct wire w;
    struct wire_field f;
    bool found = false;
    wire_open_bytes(&w, "", bytes, n, NULL);
    if (wire_next(&w, &f) && f.type == WIRE_LENGTH) {
        wire_enter(&w, &f);
        while (wire_next(&w, &f)) {
            struct wire_bytes text = {0};
            wire_append(&w, &f, &text);
            found |= f.type == WIRE_LENGTH && text.n && memchr(text.data, 0, text.n);
            wire_bytes_done(&text);
        }
    }
    wire_close(&w, NULL);
    return found;
}

/* Into *out, unless the value is NULL: not given. */
static int take_offset(struct onnx_model *m, const char *key, const char *value, int64_t *out, struct err *e)
{
    if (!value)
        return 0;
    *out = parse_offset(value);
    return *out >= 0
               ? 0
               : err_set(e, "the %s of its data, \"%s\", is no number of bytes", key, onnx_name_show(&m->arena, value));
}

static int read_external(struct onnx_model *m, const Onnx__TensorProto *p, const struct onnx_tensor *t,
                         struct wire_bytes *raw, struct err *e)
{
    const char *location = NULL, *at = NULL, *bytes = NULL;
    int64_t offset = 0, length = -1;
    for (size_t i = 0; i < p->n_external_data; i++) {
        const char *key = p->external_data[i]->key, *value = p->external_data[i]->value;
        if (!strcmp(key, "location"))
            location = value;
        else if (!strcmp(key, "offset"))
            at = value;
        else if (!strcmp(key, "length"))
            bytes = value;
    }
    int64_t needed = (int64_t)stored_bytes(t->onnx_type, shape_count(&t->value.shape));
    if (!m->folder)
        return err_set(e, "its data is in another file, which is only read beside a model that is a file");
    if (!location || !*location)
        return err_set(e, "it does not say where its data is");
    if (*location == '/')
        return err_set(e, "its data file %s is an absolute path; only the model's own folder is read",
                       onnx_name_show(&m->arena, location));
    if (take_offset(m, "offset", at, &offset, e) || take_offset(m, "length", bytes, &length, e))
        return -1;
    if (length >= 0 && length != needed)
        return err_set(e, "its data has %lld bytes, its shape asks for %lld", (long long)length, (long long)needed);
    char *path = external_path(m, location, e);
    int rc = path ? read_slice(path, offset, needed, raw, e) : -1;
    mem_free(path);
    return rc;
}

/* --- bytes to numbers --------------------------------------------------------------------------------------------- */

/* IEEE half precision, any value including subnormals. */
static float half_to_float(uint16_t h)
{
    int exponent = (h >> 10) & 31, fraction = h & 1023;
    float v;
    if (exponent == 31)
        v = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexpf((float)fraction, -24);
    else
        v = ldexpf((float)(fraction + 1024), exponent - 25);
    return h & 0x8000 ? -v : v;
}

static float widen(int onnx_type, uint16_t half)
{
    if (onnx_type == ONNX_FLOAT16)
        return half_to_float(half);
    uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Little-endian bytes to the memory of a number, whatever this machine is. */
static void load(const uint8_t *p, size_t size, void *out)
{
    uint64_t v = 0;
    for (size_t i = size; i-- > 0;)
        v = v << 8 | p[i];
    uint8_t b = (uint8_t)v;
    uint16_t h = (uint16_t)v;
    uint32_t w = (uint32_t)v;
    memcpy(out, size == 1 ? (void *)&b : size == 2 ? (void *)&h : size == 4 ? (void *)&w : (void *)&v, size);
}

/* ONNX's bytes are little-endian: here they are numbers as they stand. */
static bool is_little_endian(void)
{
    static const union {
        uint16_t word;
        uint8_t first;
    } probe = {1};
    return probe.first == 1;
}

/* Elements as bytes to elements as numbers, in place where both have one size. */
static void take_raw(struct onnx_tensor *t, struct wire_bytes *raw)
{
    size_t size = dtype_size(t->value.type), count = (size_t)shape_count(&t->value.shape);
    bool halves = is_half(t->onnx_type);
    uint8_t *to = halves ? mem_new_unset(count, size) : raw->data;
    for (size_t i = 0; halves && i < count; i++) {
        uint16_t half;
        load(raw->data + 2 * i, 2, &half);
        ((float *)(void *)to)[i] = widen(t->onnx_type, half);
    }
    for (size_t i = 0; !halves && !is_little_endian() && i < count; i++)
        load(to + i * size, size, to + i * size);
    for (size_t i = 0; t->value.type == DTYPE_BOOL && i < count; i++)
        to[i] = to[i] != 0;
    if (!halves)
        *raw = (struct wire_bytes){0};
    t->value.data = to;
}

/* Two 4-bit values a byte, the first in its lower half. */
static void take_nibbles(struct onnx_tensor *t, const uint8_t *pairs)
{
    size_t count = (size_t)shape_count(&t->value.shape);
    uint8_t *to = t->value.data = mem_new_unset(count, 1);
    for (size_t i = 0; i < count; i++) {
        to[i] = i % 2 ? pairs[i / 2] >> 4 : pairs[i / 2] & 15;
        if (t->value.type == DTYPE_I4 && to[i] > 7)
            to[i] |= 0xf0;
    }
}

/* The same from a list of numbers, one a byte. -1 when a varint is none. */
static int take_nibble_list(struct onnx_tensor *t, const struct wire_bytes *list, size_t n)
{
    const uint8_t *at = list->data, *end = at + list->n;
    uint8_t *pairs = mem_new_unset(n, 1);
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        uint64_t v = 0;
        rc = wire_varint(&at, end, &v) ? 0 : -1;
        pairs[i] = (uint8_t)v;
    }
    if (!rc)
        take_nibbles(t, pairs);
    mem_free(pairs);
    return rc || at != end ? -1 : 0;
}

/* The list that the specification gives a type to, when raw_data is empty. */
static enum field list_of(int onnx_type)
{
    switch (dtype_of_onnx(onnx_type)) {
    case DTYPE_F32:
        return FLOATS;
    case DTYPE_F64:
        return DOUBLES;
    case DTYPE_I64:
        return INTS64;
    case DTYPE_U32:
    case DTYPE_U64:
        return UINTS64;
    default:
        return INTS32;
    }
}

static size_t count_varints(const struct wire_bytes *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->data[i] < 128;
    return n;
}

/* Narrow types keep the low bits, as protobuf does. -1 when a varint is none. */
static int take_varints(struct onnx_tensor *t, const struct wire_bytes *list, int64_t count)
{
    size_t size = dtype_size(t->value.type);
    const uint8_t *at = list->data, *end = at ? at + list->n : at;
    uint8_t *to = mem_new_unset((size_t)count, size);
    t->value.data = to;
    for (int64_t i = 0; i < count; i++, to += size) {
        uint64_t v;
        if (!wire_varint(&at, end, &v))
            return -1;
        uint16_t h = (uint16_t)v;
        uint32_t w = (uint32_t)v;
        if (is_half(t->onnx_type))
            *(float *)(void *)to = widen(t->onnx_type, h);
        else if (t->value.type == DTYPE_BOOL)
            *to = w != 0;
        else if (size == 1)
            *to = (uint8_t)v;
        else
            memcpy(to, size == 2 ? (void *)&h : size == 4 ? (void *)&w : (void *)&v, size);
    }
    return at == end ? 0 : -1;
}

static int take_value(struct onnx_tensor *t, struct wire_bytes *lists, struct err *e)
{
    int64_t count = shape_count(&t->value.shape);
    bool nibbles = dtype_is_nibble(t->value.type);
    size_t needed = stored_bytes(t->onnx_type, count), numbers = nibbles ? needed : (size_t)count;
    enum field from = lists[RAW].n ? RAW : list_of(t->onnx_type);
    struct wire_bytes *list = &lists[from];
    if (from == RAW && list->n != needed)
        return err_set(e, "its data has %zu bytes, its shape asks for %zu", list->n, needed);
    bool fixed = from == FLOATS || from == DOUBLES;
    size_t there = from == RAW ? numbers : fixed ? list->n / dtype_size(t->value.type) : count_varints(list);
    if (there != numbers || (fixed && list->n != needed))
        return err_set(e, "its data has %zu values, its shape asks for %zu", there, numbers);
    if (!list->data)
        t->value.data = mem_new_unset(1, 1);
    else if (from == RAW && nibbles)
        take_nibbles(t, list->data);
    else if (from == RAW || fixed)
        take_raw(t, list);
    else if (nibbles && take_nibble_list(t, list, numbers))
        return err_set(e, "its data is broken");
    else if (nibbles)
        return 0;
    else if (take_varints(t, list, count))
        return err_set(e, "its data is broken");
    return 0;
}

/* --- the message -------------------------------------------------------------------------------------------------- */

static int take_shape(const Onnx__TensorProto *p, struct onnx_tensor *t, struct err *e)
{
    int64_t count = 1;
    if (p->n_dims > SHAPE_MAX)
        return err_set(e, "%zu dimensions, at most %d are supported", p->n_dims, SHAPE_MAX);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0 || p->dims[i] > INT_MAX)
            return err_set(e, "dimension %zu is %lld", i, (long long)p->dims[i]);
        if (__builtin_mul_overflow(count, p->dims[i], &count) || count > ARRAY_MAX)
            return err_set(e, "its shape is too large");
        t->value.shape.d[t->value.shape.n++] = p->dims[i];
    }
    return 0;
}

static int take_message(struct onnx_model *m, const Onnx__TensorProto *p, struct wire_bytes *lists,
                        struct onnx_tensor *t, bool must, struct err *e)
{
    *t = (struct onnx_tensor){.name = p->name, .onnx_type = p->data_type};
    if (take_shape(p, t, e))
        return -1;
    enum dtype type = onnx_dtype(p->data_type);
    if (type == DTYPE_NONE)
        return must ? err_set(e, "its data type %d is not supported", p->data_type) : 0;
    t->value.type = type;
    if ((p->data_location || p->n_external_data) && read_external(m, p, t, &lists[RAW], e))
        return -1;
    return take_value(t, lists, e);
}

int onnx_tensor_read(struct onnx_model *m, struct wire *w, struct onnx_tensor *t, bool must, struct err *e)
{
    struct wire_bytes rest = {0}, lists[FIELDS] = {{0}};
    ProtobufCAllocator allocator = onnx_allocator(m);
    struct wire_field f;
    bool zero = false;
    int rc = 0;
    *t = (struct onnx_tensor){.name = ""};
    while (wire_next(w, &f)) {
        bool list =
            f.number < FIELDS &&
            (1u << f.number & (1u << FLOATS | 1u << INTS32 | 1u << INTS64 | 1u << RAW | 1u << DOUBLES | 1u << UINTS64));
        if (!list) {
            size_t before = rest.n;
            onnx_keep(w, &f, SMALL_FIELDS, &rest);
            zero |= f.number == EXTERNAL && has_zero(rest.data + before, rest.n - before);
            continue;
        }
        if (f.number == RAW) /* no list: the last one counts */
            wire_bytes_done(&lists[RAW]);
        bool single = f.type == (f.number == FLOATS ? WIRE_FIXED32 : f.number == DOUBLES ? WIRE_FIXED64 : WIRE_VARINT);
        if (f.type == WIRE_LENGTH || (single && f.number != RAW))
            wire_append(w, &f, &lists[f.number]);
        else
            wire_fail(w);
    }
    Onnx__TensorProto *p = w->failed ? NULL : onnx__tensor_proto__unpack(&allocator, rest.n, rest.data);
    if (!p)
        rc = wire_fail(w);
    else if (zero ? err_set(e, "what it says of its data file holds a zero byte")
                  : take_message(m, p, lists, t, must, e))
        rc = err_wrap(e, "tensor \"%s\"", onnx_name_show(&m->arena, p->name));
    m->tensor_bytes += rc || !array_there(&t->value) ? 0 : (int64_t)array_bytes(&t->value);
    wire_bytes_done(&rest);
    for (int i = 0; i < FIELDS; i++)
        wire_bytes_done(&lists[i]);
    return rc;
}

struct array onnx_tensor_take(struct onnx_tensor *t)
{
    struct array out = t->value;
    t->value.data = NULL;
    return out;
}
