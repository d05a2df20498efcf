/* SPDX-License-Identifier: MIT
 *
 * A YAML document as a tree in which every node knows its place in the text: for messages, and for edits that leave the
 * rest of a file alone. A careful subset: one document, no anchors, aliases, tags, merge keys or keys that are not
 * plain text; duplicate keys are errors; at most 32 levels and 100,000 nodes. Read with libyaml.
 */
#ifndef BITFADER_BASE_YAML_DOC_H
#define BITFADER_BASE_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    const char *text;  /* scalar: its value */
    bool quoted;       /* scalar: not plain */
    bool flow;         /* collection: {} or [] */
    int line, column;  /* from 1, columns in characters */
    size_t begin, end; /* bytes of the text; a block collection ends where its last child does */
    int n;             /* children */
    struct yaml_node *first, *next;
    /* Of a child of a mapping; key is NULL elsewhere. */
    const char *key;
    int key_line, key_column;
    size_t key_begin, key_end;
};

struct yaml_doc {
    struct arena arena;
    const char *file; /* for messages */
    struct yaml_node *root;
};

/* NULL with "FILE:LINE:COLUMN: ..." on anything that is not such a document. An empty text is an empty mapping. */
struct yaml_doc *yaml_doc_parse(const char *file, const char *text, struct err *e);
void yaml_doc_free(struct yaml_doc *d);

/* "FILE:LINE:COLUMN: " and the message, at the node or at its key. Return -1. */
int yaml_error(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int yaml_error_key(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The value of a key, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* An empty value, ~ or null. */
bool yaml_is_null(const struct yaml_node *n);

/* Fails unless n is a mapping (or null: an empty one) whose keys are all in known (NULL-terminated; NULL: any key).
 * An unknown key is named with the known one that it is most like. what: "a dataset", for the message. */
int yaml_check_mapping(const struct yaml_doc *d, const struct yaml_node *n, const char *what, const char *const *known,
                       struct err *e);
/* Fails unless n is a sequence (or null). */
int yaml_check_sequence(const struct yaml_doc *d, const struct yaml_node *n, const char *what, struct err *e);

/* The text of a scalar, or what it is instead, for messages. */
const char *yaml_shown(const struct yaml_node *n);

/* Scalars; the message names the key. The text stays with the document. Numbers are decimal, whole where int64_t. */
const char *yaml_text(const struct yaml_doc *d, const struct yaml_node *n, struct err *e);
int yaml_int(const struct yaml_doc *d, const struct yaml_node *n, int64_t lo, int64_t hi, int64_t *out, struct err *e);
int yaml_double(const struct yaml_doc *d, const struct yaml_node *n, double lo, double hi, double *out, struct err *e);
int yaml_u64(const struct yaml_doc *d, const struct yaml_node *n, uint64_t *out, struct err *e);
int yaml_bool(const struct yaml_doc *d, const struct yaml_node *n, bool *out, struct err *e);

/* Writes a string so that it is read back as that string, in block and flow context: plain where that is safe,
 * double-quoted with escapes elsewhere. */
void yaml_put_scalar(struct text *t, const char *s);
/* The shortest decimal number that is read back as v. */
void yaml_put_double(struct text *t, double v);

#endif
