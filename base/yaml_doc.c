/* SPDX-License-Identifier: MIT */
#include "base/yaml_doc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, NODES_MAX = 100000, TEXT_MAX = 64 << 20 };

/* --- parsing ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct yaml_doc *doc;
    yaml_parser_t parser;
    uint32_t *offsets; /* byte offset of every character: libyaml counts characters */
    size_t n_chars;
    int nodes;
    struct err *e;
};

static int fail_at(const struct yaml_doc *d, struct err *e, int line, int column, const char *format, va_list ap)
{
    char what[sizeof e->text];
    vsnprintf(what, sizeof what, format, ap);
    return err_set(e, "%s:%d:%d: %s", d->file, line, column, what);
}

static int fail_mark(struct reader *r, yaml_mark_t m, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail_mark(struct reader *r, yaml_mark_t m, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fail_at(r->doc, r->e, (int)m.line + 1, (int)m.column + 1, format, ap);
    va_end(ap);
    return -1;
}

static size_t byte_of(const struct reader *r, yaml_mark_t m)
{
    return r->offsets[m.index < r->n_chars ? m.index : r->n_chars];
}

static int next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return 0;
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR) /* its mark is not set: the reader runs ahead of the parser */
        return fail_mark(r, p->mark, "%s (at byte %zu): the file must be plain UTF-8 text", p->problem,
                         p->problem_offset);
    if (p->context)
        return fail_mark(r, p->problem_mark, "%s (%s, line %zu)", p->problem, p->context, p->context_mark.line + 1);
    return fail_mark(r, p->problem_mark, "%s", p->problem ? p->problem : "not YAML");
}

static struct yaml_node *node_new(struct reader *r, const yaml_event_t *event, enum yaml_kind kind)
{
    if (++r->nodes > NODES_MAX) {
        fail_mark(r, event->start_mark, "more than %d nodes in one file", NODES_MAX);
        return NULL;
    }
    struct yaml_node *n = arena_new(&r->doc->arena, 1, sizeof *n);
    n->kind = kind;
    n->line = (int)event->start_mark.line + 1;
    n->column = (int)event->start_mark.column + 1;
    n->begin = byte_of(r, event->start_mark);
    n->end = byte_of(r, event->end_mark);
    return n;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a, *y = *(struct yaml_node *const *)b;
    int c = strcmp(x->key, y->key);
    return c ? c : x->key_begin < y->key_begin ? -1 : 1;
}

static int check_duplicates(struct reader *r, const struct yaml_node *map)
{
    struct yaml_node **sorted = mem_new((size_t)map->n, sizeof *sorted);
    const struct yaml_node *again = NULL, *earlier = NULL;
    int n = 0;
    for (struct yaml_node *c = map->first; c; c = c->next)
        sorted[n++] = c;
    qsort(sorted, (size_t)n, sizeof *sorted, compare_keys);
    for (int i = 1; i < n; i++) {
        if (!strcmp(sorted[i - 1]->key, sorted[i]->key) && (!again || sorted[i]->key_begin < again->key_begin)) {
            earlier = sorted[i - 1];
            again = sorted[i];
        }
    }
    mem_free(sorted);
    if (!again)
        return 0;
    return yaml_error_key(r->doc, again, r->e, "%s is here twice (the first is in line %d)", again->key,
                          earlier->key_line);
}

static struct yaml_node *parse_node(struct reader *r, yaml_event_t *event, int depth);

static int add_child(struct reader *r, struct yaml_node *parent, struct yaml_node **last, yaml_event_t *event,
                     int depth)
{
    struct yaml_node *key = NULL;
    if (parent->kind == YAML_MAPPING) {
        key = parse_node(r, event, depth + 1);
        if (!key)
            return -1;
        if (key->kind != YAML_SCALAR)
            return yaml_error(r->doc, key, r->e, "a key must be plain text");
        if (!strcmp(key->text, "<<") && !key->quoted)
            return yaml_error(r->doc, key, r->e, "merge keys (<<) are not understood");
        if (next_event(r, event))
            return -1;
    }
    struct yaml_node *child = parse_node(r, event, depth + 1);
    if (!child)
        return -1;
    if (key) {
        child->key = key->text;
        child->key_line = key->line;
        child->key_column = key->column;
        child->key_begin = key->begin;
        child->key_end = key->end;
    }
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->n++;
    return 0;
}

static int parse_children(struct reader *r, struct yaml_node *parent, int depth)
{
    if (depth >= DEPTH_MAX)
        return yaml_error(r->doc, parent, r->e, "nested deeper than %d levels", DEPTH_MAX);
    struct yaml_node *last = NULL;
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event))
            return -1;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            /* The end of a block collection is told at the next token, after comments: the last child knows better. */
            parent->end = parent->flow || !last ? byte_of(r, event.end_mark) : last->end;
            yaml_event_delete(&event);
            return parent->kind == YAML_MAPPING ? check_duplicates(r, parent) : 0;
        }
        if (add_child(r, parent, &last, &event, depth))
            return -1;
    }
}

/* Takes the event over. */
static struct yaml_node *parse_node(struct reader *r, yaml_event_t *event, int depth)
{
    struct yaml_node *n = NULL;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        n = node_new(r, event, YAML_SCALAR);
        if (n) {
            n->text = arena_strdup(&r->doc->arena, (const char *)event->data.scalar.value);
            n->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
            if (strlen(n->text) != event->data.scalar.length)
                n = yaml_error(r->doc, n, r->e, "a zero byte in text") ? NULL : n;
        }
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        n = node_new(r, event, YAML_SEQUENCE);
        if (n)
            n->flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        n = node_new(r, event, YAML_MAPPING);
        if (n)
            n->flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        break;
    default:
        fail_mark(r, event->start_mark, "aliases (*name) are not understood");
    }
    if (n && (anchor || tag))
        n = yaml_error(r->doc, n, r->e, "%s are not understood", anchor ? "anchors (&name)" : "tags (!name)") ? NULL
                                                                                                              : n;
    yaml_event_delete(event);
    if (n && n->kind != YAML_SCALAR && parse_children(r, n, depth))
        return NULL;
    return n;
}

/* STREAM-START, DOCUMENT-START, root, DOCUMENT-END, STREAM-END; or an empty stream. */
static int parse_stream(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event))
            return -1;
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        if (type == YAML_DOCUMENT_START_EVENT && r->doc->root) {
            yaml_event_delete(&event);
            return fail_mark(r, mark, "a second document; one file holds one");
        }
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (type == YAML_STREAM_END_EVENT) {
            if (!r->doc->root)
                r->doc->root = node_new(r, &event, YAML_MAPPING);
            yaml_event_delete(&event);
            return 0;
        }
        r->doc->root = parse_node(r, &event, 0);
        if (!r->doc->root)
            return -1;
    }
}

static void index_chars(struct reader *r, const char *text, size_t at, size_t size)
{
    r->offsets = mem_new(size + 1, sizeof *r->offsets);
    for (; at < size; at++)
        if (((unsigned char)text[at] & 0xc0) != 0x80)
            r->offsets[r->n_chars++] = (uint32_t)at;
    r->offsets[r->n_chars] = (uint32_t)size;
}

struct yaml_doc *yaml_doc_parse(const char *file, const char *text, struct err *e)
{
    size_t size = strlen(text);
    if (size > TEXT_MAX) {
        err_set(e, "%s: is larger than %d bytes", file, TEXT_MAX);
        return NULL;
    }
    struct yaml_doc *d = mem_new(1, sizeof *d);
    d->file = arena_strdup(&d->arena, file);
    struct reader r = {.doc = d, .e = e};
    size_t mark = !strncmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* a byte order mark is no character of the text */
    index_chars(&r, text, mark, size);
    bool ok = yaml_parser_initialize(&r.parser);
    if (ok) {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text + mark, size - mark);
        ok = !parse_stream(&r);
        yaml_parser_delete(&r.parser);
    } else {
        err_set(e, "%s: no memory for the YAML reader", file);
    }
    mem_free(r.offsets);
    if (ok)
        return d;
    yaml_doc_free(d);
    return NULL;
}

void yaml_doc_free(struct yaml_doc *d)
{
    if (!d)
        return;
    struct arena a = d->arena;
    arena_done(&a);
    mem_free(d);
}

/* --- reading the tree --------------------------------------------------------------------------------------------- */

int yaml_error(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fail_at(d, e, n->line, n->column, format, ap);
    va_end(ap);
    return -1;
}

int yaml_error_key(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fail_at(d, e, n->key ? n->key_line : n->line, n->key ? n->key_column : n->column, format, ap);
    va_end(ap);
    return -1;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    if (mapping->kind == YAML_MAPPING)
        for (const struct yaml_node *c = mapping->first; c; c = c->next)
            if (!strcmp(c->key, key))
                return c;
    return NULL;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && !n->quoted && (!*n->text || !strcmp(n->text, "~") || !strcasecmp(n->text, "null"));
}

static const char *nearest(const char *key, const char *const *known)
{
    const char *best = NULL;
    int least = 0;
    for (; *known; known++) {
        int d = text_distance(key, *known);
        if (!best || d < least) {
            best = *known;
            least = d;
        }
    }
    return best;
}

int yaml_check_mapping(const struct yaml_doc *d, const struct yaml_node *n, const char *what, const char *const *known,
                       struct err *e)
{
    if (n->kind != YAML_MAPPING && !yaml_is_null(n))
        return yaml_error(d, n, e, "%s must be a mapping (key: value)", what);
    for (const struct yaml_node *c = n->first; c && known; c = c->next) {
        const char *const *k = known;
        while (*k && strcmp(*k, c->key))
            k++;
        if (!*k)
            return yaml_error_key(d, c, e, "unknown key %s in %s; did you mean %s?", c->key, what,
                                  nearest(c->key, known));
    }
    return 0;
}

int yaml_check_sequence(const struct yaml_doc *d, const struct yaml_node *n, const char *what, struct err *e)
{
    if (n->kind != YAML_SEQUENCE && !yaml_is_null(n))
        return yaml_error(d, n, e, "%s must be a list", what);
    return 0;
}

static const char *name_of(const struct yaml_node *n)
{
    return n->key ? n->key : "the value";
}

const char *yaml_shown(const struct yaml_node *n)
{
    return n->kind == YAML_MAPPING ? "a mapping" : n->kind == YAML_SEQUENCE ? "a list" : *n->text ? n->text : "empty";
}

const char *yaml_text(const struct yaml_doc *d, const struct yaml_node *n, struct err *e)
{
    if (n->kind == YAML_SCALAR && !yaml_is_null(n))
        return n->text;
    yaml_error(d, n, e, "%s must be text, not %s", name_of(n), yaml_shown(n));
    return NULL;
}

int yaml_int(const struct yaml_doc *d, const struct yaml_node *n, int64_t lo, int64_t hi, int64_t *out, struct err *e)
{
    if (n->kind == YAML_SCALAR) {
        const char *s = n->text;
        size_t sign = s[0] == '-', digits = strspn(s + sign, "0123456789");
        if (digits && digits <= 18 && !s[sign + digits]) {
            *out = strtoll(s, NULL, 10);
            if (*out >= lo && *out <= hi)
                return 0;
        }
    }
    if (hi == INT64_MAX)
        return yaml_error(d, n, e, "%s must be a whole number from %" PRId64 ", not %s", name_of(n), lo, yaml_shown(n));
    return yaml_error(d, n, e, "%s must be %" PRId64 "..%" PRId64 ", not %s", name_of(n), lo, hi, yaml_shown(n));
}

int yaml_u64(const struct yaml_doc *d, const struct yaml_node *n, uint64_t *out, struct err *e)
{
    if (n->kind == YAML_SCALAR) {
        size_t digits = strspn(n->text, "0123456789");
        errno = 0;
        *out = strtoull(n->text, NULL, 10);
        if (digits && !n->text[digits] && !errno)
            return 0;
    }
    return yaml_error(d, n, e, "%s must be a whole number from 0 to 2^64 - 1, not %s", name_of(n), yaml_shown(n));
}

/* [-]digits[.digits][e[+-]digits]: no hex, no inf. */
static bool is_decimal(const char *s)
{
    static const char digit[] = "0123456789";
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, digit), part = 0;
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, digit);
        s += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        size_t n = strspn(s, digit);
        s += n;
        if (!n)
            return false;
    }
    return !*s;
}

int yaml_double(const struct yaml_doc *d, const struct yaml_node *n, double lo, double hi, double *out, struct err *e)
{
    if (n->kind == YAML_SCALAR && is_decimal(n->text)) {
        locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        *out = strtod_l(n->text, NULL, c);
        freelocale(c);
        if (*out >= lo && *out <= hi && isfinite(*out))
            return 0;
    }
    if (isinf(hi))
        return yaml_error(d, n, e, "%s must be a number from %g, not %s", name_of(n), lo, yaml_shown(n));
    return yaml_error(d, n, e, "%s must be a number in %g..%g, not %s", name_of(n), lo, hi, yaml_shown(n));
}

int yaml_bool(const struct yaml_doc *d, const struct yaml_node *n, bool *out, struct err *e)
{
    bool yes = n->kind == YAML_SCALAR && !strcmp(n->text, "true");
    if (!yes && (n->kind != YAML_SCALAR || strcmp(n->text, "false")))
        return yaml_error(d, n, e, "%s must be true or false, not %s", name_of(n), yaml_shown(n));
    *out = yes;
    return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Words and shapes that some YAML reader takes for something else than text. */
static bool is_ambiguous(const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes",  "no",    "on",    "off",
                                        "y",    "n",    ".inf",  ".nan", "-.inf", "+.inf", NULL};
    for (int i = 0; words[i]; i++)
        if (!strcasecmp(s, words[i]))
            return true;
    if (!strncmp(s, "...", 3))
        return true;
    /* Numbers in any base, dates, versions: a digit or a point first, and nothing but what numbers are made of. */
    return strchr(".0123456789", *s) && strspn(s, "0123456789abcdefABCDEFxXoO._+-") == strlen(s) &&
           strcspn(s, "0123456789") < strlen(s);
}

static bool is_plain_safe(const char *s)
{
    if (!isalnum((unsigned char)*s) && !strchr("_./", *s))
        return false;
    if (!*s || is_ambiguous(s))
        return false;
    for (const char *p = s; *p; p++) {
        bool inner_space = *p == ' ' && p[1] && p[1] != ' ';
        if ((unsigned char)*p >= 0x80 || (!isalnum((unsigned char)*p) && !strchr("_./+-@%", *p) && !inner_space))
            return false;
    }
    return true;
}

/* One character of UTF-8: its value and length, or U+FFFD and 1 where the bytes are not UTF-8. */
static uint32_t decode(const char *s, int *length)
{
    const unsigned char *b = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = b[0] < 0x80                   ? 1
            : b[0] >= 0xc0 && b[0] < 0xe0 ? 2
            : b[0] >= 0xe0 && b[0] < 0xf0 ? 3
            : b[0] >= 0xf0 && b[0] < 0xf8 ? 4
                                          : 0;
    uint32_t c = n == 1 ? b[0] : n ? b[0] & (0x7fu >> n) : 0;
    for (int i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            n = 0;
        else
            c = c << 6 | (b[i] & 0x3fu);
    }
    if (!n || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        *length = 1;
        return 0xfffd;
    }
    *length = n;
    return c;
}

static bool is_printable(uint32_t c)
{
    return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0x2028) || (c > 0x2029 && c < 0xfeff) ||
           (c > 0xfeff && c <= 0xfffd) || c >= 0x10000;
}

void yaml_put_scalar(struct text *t, const char *s)
{
    if (is_plain_safe(s)) {
        text_put(t, s);
        return;
    }
    text_put(t, "\"");
    for (int n; *s; s += n) {
        uint32_t c = decode(s, &n);
        if (c == '"' || c == '\\')
            text_printf(t, "\\%c", (char)c);
        else if (c == '\n')
            text_put(t, "\\n");
        else if (c == '\t')
            text_put(t, "\\t");
        else if (is_printable(c) && c != 0xfffd)
            text_put_n(t, s, (size_t)n);
        else
            text_printf(t, "\\u%04x", (unsigned)c);
    }
    text_put(t, "\"");
}

void yaml_put_double(struct text *t, double v)
{
    char s[40];
    /* A decimal point is a point here, whatever the user's language says. */
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    if (strchr(s, 'e') && v >= 1 && v < 1e15) /* 300, not 3e+02 */
        snprintf(s, sizeof s, "%.0f", v);
    uselocale(before);
    freelocale(c);
    text_put(t, s);
}
