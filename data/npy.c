/* SPDX-License-Identifier: MIT */
#include "data/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are taken as they are in the file");

enum { HEADER_MAX = 64 * 1024, CHUNK = 64 * 1024, DEFLATE_MOST = 1032 /* bytes of one byte, and no more */ };
static const int64_t dimension_max = (int64_t)1 << 40, bytes_max = (int64_t)1 << 46;

struct npy {
    char *name;
    gzFile z; /* a file of its own, or ... */
    zip_t *archive;
    zip_file_t *member; /* ... one of an archive */
    int64_t packed;     /* bytes in the file at most */
    int64_t whole;      /* bytes of the array with its header, -1 when only reading will tell */
    int64_t at;         /* bytes read so far */
    int64_t end;        /* bytes that header and shape make */
    enum dtype type;
    struct shape shape;
    int64_t item;
};

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* Up to n bytes; less at the end. -1 with a message. */
static int64_t take(struct npy *f, void *out, int64_t n, struct err *e)
{
    int64_t got = 0;
    while (got < n) {
        unsigned want = n - got > (1 << 28) ? 1u << 28 : (unsigned)(n - got);
        int64_t k = f->member ? zip_fread(f->member, (char *)out + got, want) : gzread(f->z, (char *)out + got, want);
        if (k < 0) {
            int code;
            const char *why = f->member ? zip_file_strerror(f->member) : gzerror(f->z, &code);
            if (!f->member && code == Z_BUF_ERROR)
                why = "ends too early (truncated file)";
            return err_set(e, "%s: cannot be read: %s", f->name, why);
        }
        if (k == 0)
            break;
        got += k;
    }
    f->at += got;
    return got;
}

static int take_all(struct npy *f, void *out, int64_t n, struct err *e)
{
    int64_t got = take(f, out, n, e);
    if (got < 0)
        return -1;
    return got == n ? 0 : err_set(e, "%s: ends too early (truncated file)", f->name);
}

static int open_file(struct npy *f, const char *path, struct err *e)
{
    struct stat st;
    int fd = file_open_regular(path, &st, e);
    if (fd < 0)
        return -1;
    f->z = gzdopen(fd, "rb");
    if (!f->z) {
        close(fd);
        return err_set(e, "%s: cannot be read: no memory", path);
    }
    gzbuffer(f->z, 256 * 1024);
    f->packed = st.st_size;
    f->whole = gzdirect(f->z) ? st.st_size : -1;
    return 0;
}

/* The index of the array's member; -1 with a message that lists what there is. */
static int64_t find_member(struct npy *f, const char *path, const char *array, struct err *e)
{
    int64_t n = zip_get_num_entries(f->archive, 0), found = -1;
    struct text all = {0};
    for (int64_t i = 0; i < n && found < 0; i++) {
        const char *name = zip_get_name(f->archive, (uint64_t)i, ZIP_FL_ENC_RAW);
        size_t length = name ? strlen(name) : 0,
               stem = length > 4 && !strcmp(name + length - 4, ".npy") ? length - 4 : length;
        if (name && (array ? strlen(array) == stem && !memcmp(name, array, stem) : n == 1))
            found = i;
        else if (name && all.n < 200)
            text_printf(&all, "%s%.*s", all.n ? ", " : "", (int)stem, name);
    }
    if (found < 0 && array)
        err_set(e, "%s: has no array %s, only %s", path, array, all.s ? all.s : "none");
    else if (found < 0)
        err_set(e, "%s: has several arrays, say which: %s:NAME of %s", path, path, all.s ? all.s : "none");
    text_done(&all);
    return found;
}

static int open_member(struct npy *f, const char *path, const char *array, struct err *e)
{
    int code = 0;
    struct stat file;
    zip_stat_t st;
    int fd = file_open_regular(path, &file, e);
    if (fd < 0)
        return -1;
    f->archive = zip_fdopen(fd, 0, &code); /* takes fd, unless it fails */
    if (!f->archive) {
        close(fd);
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        err_set(e, "%s: not an NPZ archive: %s", path, zip_error_strerror(&why));
        zip_error_fini(&why);
        return -1;
    }
    int64_t i = find_member(f, path, array, e);
    if (i < 0)
        return -1;
    if (zip_stat_index(f->archive, (uint64_t)i, 0, &st) || !(st.valid & ZIP_STAT_SIZE) ||
        !(st.valid & ZIP_STAT_COMP_SIZE) || !(st.valid & ZIP_STAT_COMP_METHOD) || st.size > (uint64_t)bytes_max ||
        st.comp_size > (uint64_t)bytes_max)
        return err_set(e, "%s: cannot be read: damaged archive", f->name);
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
        return err_set(e, "%s: compressed by method %d, not stored or deflated", f->name, st.comp_method);
    f->packed = (int64_t)st.comp_size;
    f->whole = (int64_t)st.size;
    f->member = zip_fopen_index(f->archive, (uint64_t)i, 0);
    return f->member ? 0 : err_set(e, "%s: cannot be read: %s", f->name, zip_strerror(f->archive));
}

/* --- the header --------------------------------------------------------------------------------------------------- */

static void skip_space(const char **s)
{
    while (**s == ' ' || **s == '\n' || **s == '\t')
        ++*s;
}

static bool eat(const char **s, const char *word)
{
    size_t n = strlen(word);
    skip_space(s);
    if (strncmp(*s, word, n))
        return false;
    *s += n;
    return true;
}

/* A quoted word into out; false when there is none, or it is longer than out. */
static bool eat_quoted(const char **s, char *out, size_t size)
{
    skip_space(s);
    char quote = **s;
    const char *close = quote == '\'' || quote == '"' ? strchr(*s + 1, quote) : NULL;
    size_t n = close ? (size_t)(close - *s - 1) : size;
    if (n >= size)
        return false;
    memcpy(out, *s + 1, n);
    out[n] = '\0';
    *s = close + 1;
    return true;
}

static const struct {
    const char *descr;
    enum dtype type;
} types[] = {{"<f4", DTYPE_F32}, {"<f8", DTYPE_F64}, {"|i1", DTYPE_I8},  {"<i2", DTYPE_I16},
             {"<i4", DTYPE_I32}, {"<i8", DTYPE_I64}, {"|u1", DTYPE_U8},  {"<u2", DTYPE_U16},
             {"<u4", DTYPE_U32}, {"<u8", DTYPE_U64}, {"|b1", DTYPE_BOOL}};

static int set_type(struct npy *f, const char *descr, struct err *e)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].descr, descr))
            f->type = types[i].type;
    if (f->type != DTYPE_NONE)
        return 0;
    if (descr[0] == '>')
        return err_set(e, "%s: is big-endian ('%s'); save it little-endian", f->name, descr);
    return err_set(e, "%s: elements are '%s'; floats of 4 and 8 bytes, integers and bools can be read", f->name, descr);
}

/* "(2, 3)" or "(2,)"; "()" has no samples. */
static int eat_shape(struct npy *f, const char **s, struct err *e)
{
    if (!eat(s, "("))
        return err_set(e, "%s: its header has no shape", f->name);
    while (!eat(s, ")")) {
        char *end;
        skip_space(s);
        errno = 0;
        long long v = strtoll(*s, &end, 10);
        if (end == *s || errno || f->shape.n == SHAPE_MAX || v > dimension_max || v < 1)
            return err_set(e, "%s: its shape is not 1 to %d dimensions of 1 or more", f->name, SHAPE_MAX);
        f->shape.d[f->shape.n++] = v;
        *s = end;
        if (!eat(s, ",") && **s != ')')
            return err_set(e, "%s: its shape cannot be read", f->name);
    }
    return f->shape.n ? 0 : err_set(e, "%s: is a single number; the first axis must count samples", f->name);
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } */
static int parse_header(struct npy *f, const char *s, struct err *e)
{
    char key[32], descr[32];
    bool ordered = false;
    if (!eat(&s, "{"))
        return err_set(e, "%s: its header cannot be read", f->name);
    while (!eat(&s, "}")) {
        if (!eat_quoted(&s, key, sizeof key) || !eat(&s, ":"))
            return err_set(e, "%s: its header cannot be read", f->name);
        if (!strcmp(key, "descr") && f->type == DTYPE_NONE) {
            if (!eat_quoted(&s, descr, sizeof descr))
                return err_set(e, "%s: elements are records, not numbers", f->name);
            if (set_type(f, descr, e))
                return -1;
        } else if (!strcmp(key, "fortran_order") && !ordered) {
            ordered = eat(&s, "False");
            if (!ordered)
                return err_set(e, "%s: is in Fortran order; save numpy.ascontiguousarray of it", f->name);
        } else if (!strcmp(key, "shape") && !f->shape.n) {
            if (eat_shape(f, &s, e))
                return -1;
        } else {
            return err_set(e, "%s: its header has a key %s that is not known or there twice", f->name, key);
        }
        eat(&s, ",");
    }
    return f->type != DTYPE_NONE && ordered && f->shape.n
               ? 0
               : err_set(e, "%s: its header lacks descr, fortran_order or shape", f->name);
}

/* Against the length of the file: exactly where that is known, by what deflate can do at best otherwise. */
static int check_length(struct npy *f, struct err *e)
{
    char text[SHAPE_TEXT];
    int64_t bytes = (int64_t)dtype_size(f->type);
    f->item = 1;
    for (int i = 0; i < f->shape.n; i++) {
        if (f->shape.d[i] > bytes_max / bytes)
            return err_set(e, "%s: its shape %s is too large", f->name, shape_text(&f->shape, text, sizeof text));
        bytes *= f->shape.d[i];
        f->item *= i ? f->shape.d[i] : 1;
    }
    f->end = f->at + bytes;
    if (f->whole >= 0 && f->whole != f->end)
        return err_set(e, "%s: is %" PRId64 " bytes long, its header says %" PRId64, f->name, f->whole, f->end);
    if (f->end / DEFLATE_MOST > f->packed + CHUNK)
        return err_set(e, "%s: %" PRId64 " bytes in the file cannot be the %" PRId64 " that its header says", f->name,
                       f->packed, f->end);
    return 0;
}

static int read_header(struct npy *f, struct err *e)
{
    unsigned char head[12];
    if (take_all(f, head, 8, e))
        return -1;
    if (memcmp(head, "\x93NUMPY", 6))
        return err_set(e, "%s: not an NPY file", f->name);
    int version = head[6];
    if (version < 1 || version > 3)
        return err_set(e, "%s: NPY version %d is not known", f->name, version);
    if (take_all(f, head + 8, version == 1 ? 2 : 4, e))
        return -1;
    uint32_t n = (uint32_t)head[8] | (uint32_t)head[9] << 8;
    if (version > 1)
        n |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (n > HEADER_MAX)
        return err_set(e, "%s: its header is %" PRIu32 " bytes long, at most %d are read", f->name, n, HEADER_MAX);
    char *text = mem_new(n + 1, 1);
    int rc = take_all(f, text, n, e);
    if (!rc)
        rc = parse_header(f, text, e);
    mem_free(text);
    return rc ? -1 : check_length(f, e);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

static bool is_npz(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".npz");
}

size_t npy_split(const char *spec, const char **array)
{
    const char *at = strstr(spec, ".npz:");
    *array = at ? at + 5 : NULL;
    return at ? (size_t)(at - spec) + 4 : strlen(spec);
}

struct npy *npy_open(const char *path, const char *array, struct err *e)
{
    struct npy *f = mem_new(1, sizeof *f);
    f->name = array ? mem_printf("%s:%s", path, array) : mem_strdup(path);
    if ((is_npz(path) ? open_member(f, path, array, e) : open_file(f, path, e)) || read_header(f, e)) {
        npy_close(f);
        return NULL;
    }
    return f;
}

void npy_close(struct npy *f)
{
    if (!f)
        return;
    if (f->z)
        gzclose(f->z);
    if (f->member)
        zip_fclose(f->member);
    if (f->archive)
        zip_discard(f->archive);
    mem_free(f->name);
    mem_free(f);
}

const char *npy_name(const struct npy *f)
{
    return f->name;
}

enum dtype npy_type(const struct npy *f)
{
    return f->type;
}

const struct shape *npy_shape(const struct npy *f)
{
    return &f->shape;
}

int64_t npy_item(const struct npy *f)
{
    return f->item;
}

static int64_t item_bytes(const struct npy *f)
{
    return f->item * (int64_t)dtype_size(f->type);
}

int npy_skip(struct npy *f, int64_t first, struct err *e)
{
    int64_t left = first * item_bytes(f);
    if (f->whole >= 0 && !f->member) {
        f->at += left;
        return gzseek(f->z, left, SEEK_CUR) < 0 ? err_set(e, "%s: cannot be read", f->name) : 0;
    }
    char *scratch = mem_new(CHUNK, 1);
    int rc = 0;
    for (; left > 0 && !rc; left -= CHUNK)
        rc = take_all(f, scratch, left < CHUNK ? left : CHUNK, e);
    mem_free(scratch);
    return rc;
}

int npy_read(struct npy *f, int64_t count, void *out, struct err *e)
{
    return take_all(f, out, count * item_bytes(f), e);
}

int npy_finish(struct npy *f, struct err *e)
{
    char more;
    if (f->at < f->end)
        return 0;
    int64_t got = take(f, &more, 1, e); /* libzip and zlib check their sums at the end */
    if (got > 0)
        return err_set(e, "%s: is longer than its header says", f->name);
    int code = Z_OK;
    if (!got && f->z)
        gzerror(f->z, &code);
    return got < 0 || code == Z_BUF_ERROR ? err_set(e, "%s: ends too early (truncated file)", f->name) : 0;
}
