/* SPDX-License-Identifier: MIT
 *
 * From YAML text to a resolved profile: defaults, then the rules in order, then the layers' own entries.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "profiles/profile_parts.h"

enum { SOURCE_MAX = 16 << 20 };

struct loader {
    const struct yaml_doc *doc;
    const struct profile_model *m;
    struct profile *p;
    bool rebind;
    bool same_model; /* the fingerprint is this model's, or there is none */
    struct err *e;
};

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* A value of a choice by its name; the message lists what there is. */
static int read_choice(const struct yaml_doc *doc, const struct yaml_node *n, int choice, int *out, struct err *e)
{
    int count = precision_choices[choice].count;
    *out = n->kind == YAML_SCALAR ? precision_find(choice, n->text) : -1;
    if (*out >= 0)
        return 0;
    char words[256] = "";
    for (int i = 0; i < count; i++)
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? (i == count - 1 ? " or " : ", ") : "",
                 precision_choices[choice].name(i));
    return yaml_error(doc, n, e, "%s must be %s, not %s", n->key, words, yaml_shown(n));
}

/* The keys that a setting may have, with those of the caller (NULL: none) before and behind; out has room for all. */
enum { KEYS_MAX = 5 + CHOICE_COUNT };
static const char *const *setting_keys(const char *first, const char *last, const char *out[KEYS_MAX])
{
    int n = 0;
    if (first)
        out[n++] = first;
    out[n++] = "w";
    out[n++] = "a";
    for (int i = 0; i < CHOICE_COUNT; i++)
        out[n++] = precision_choices[i].key;
    if (last)
        out[n++] = last;
    out[n] = NULL;
    return out;
}

static int read_bits(const struct yaml_doc *doc, const struct yaml_node *n, int *out, struct err *e)
{
    if (n->kind == YAML_SCALAR && (!strcmp(n->text, "fp32") || !strcmp(n->text, "0"))) {
        *out = BITS_FLOAT;
        return 0;
    }
    if (n->kind == YAML_SCALAR && n->text[0] >= '1' && n->text[0] <= '0' + BITS_MAX && !n->text[1]) {
        *out = n->text[0] - '0';
        return 0;
    }
    return yaml_error(doc, n, e, "%s must be 1..%d bits, or 0 or fp32 for float, not %s", n->key, BITS_MAX,
                      yaml_shown(n));
}

/* The keys of a setting in a mapping; other keys are someone else's. */
static int read_setting(const struct yaml_doc *doc, const struct yaml_node *n, struct setting *s, struct err *e)
{
    *s = setting_none();
    for (const struct yaml_node *c = n->first; c; c = c->next) {
        int rc = 0;
        bool lock = false;
        if (!strcmp(c->key, "w")) {
            rc = read_bits(doc, c, &s->w, e);
        } else if (!strcmp(c->key, "a")) {
            rc = read_bits(doc, c, &s->a, e);
        } else if (!strcmp(c->key, "lock")) {
            rc = yaml_bool(doc, c, &lock, e);
            s->lock = lock;
        }
        for (int i = 0; i < CHOICE_COUNT; i++)
            if (!strcmp(c->key, precision_choices[i].key))
                rc = read_choice(doc, c, i, &s->choice[i], e);
        if (rc)
            return -1;
    }
    return 0;
}

/* Applies what node n says to a layer. A contradiction is reported at the scheme, or at the bits that make it one. */
static int apply(struct loader *l, const struct yaml_node *n, const struct setting *s, struct profile_layer *layer)
{
    if (!setting_apply_layer(s, layer))
        return 0;
    const struct yaml_node *at = yaml_get(n, precision_choices[CHOICE_SCHEME].key);
    char why[96];
    setting_contradiction(&layer->precision, why);
    return layer->name ? yaml_error(l->doc, at ? at : n, l->e, "layer %s: %s", layer->name, why)
                       : yaml_error(l->doc, at ? at : n, l->e, "%s", why);
}

static int read_defaults(struct loader *l, const struct yaml_node *root)
{
    const char *keys[KEYS_MAX];
    const struct yaml_node *n = yaml_get(root, "defaults");
    struct profile_layer layer = {.precision = precision_default()};
    struct setting s;
    if (n && (yaml_check_mapping(l->doc, n, "defaults", setting_keys(NULL, NULL, keys), l->e) ||
              read_setting(l->doc, n, &s, l->e) || apply(l, n, &s, &layer)))
        return -1;
    l->p->defaults = layer.precision;
    for (int i = 0; i < l->p->n_layers; i++)
        l->p->layers[i].precision = layer.precision;
    return 0;
}

static int no_match(const struct loader *l, const struct yaml_node *n, const char *expression)
{
    struct arena a = {0};
    int rc = yaml_error(l->doc, n, l->e, "%s", layer_no_match(l->m, expression, &a));
    arena_done(&a);
    return rc;
}

static int read_rules(struct loader *l, const struct yaml_node *root)
{
    const char *keys[KEYS_MAX];
    const struct yaml_node *n = yaml_get(root, "rules");
    if (!n)
        return 0;
    if (yaml_check_sequence(l->doc, n, "rules", l->e))
        return -1;
    for (const struct yaml_node *rule = n->first; rule; rule = rule->next) {
        struct setting s;
        if (yaml_check_mapping(l->doc, rule, "a rule", setting_keys("match", "lock", keys), l->e) ||
            read_setting(l->doc, rule, &s, l->e))
            return -1;
        const struct yaml_node *match = yaml_get(rule, "match");
        if (!match)
            return yaml_error(l->doc, rule, l->e, "a rule needs match: \"op=KIND\" or a pattern on layer names");
        const char *expression = yaml_text(l->doc, match, l->e);
        if (!expression)
            return -1;
        const struct layer_pattern pattern = layer_pattern(l->m, expression);
        int matched = 0;
        for (int i = 0; i < l->p->n_layers; i++) {
            if (!layer_matches(&pattern, l->m, i))
                continue;
            matched++;
            if (apply(l, rule, &s, &l->p->layers[i]))
                return -1;
        }
        if (!matched)
            return no_match(l, match, expression);
    }
    return 0;
}

/* The layer that a key names. seen [n_layers]: the keys of this section so far; a second one for a layer is an error.
 */
static int find_layer(struct loader *l, const struct yaml_node **seen, const struct yaml_node *n)
{
    int i = layer_find(l->m, n->key);
    if (i == LAYER_SHARED) {
        struct arena a = {0};
        yaml_error_key(l->doc, n, l->e, "%s is a name of %s; write the one that is meant", n->key,
                       layer_sharers(l->m, n->key, &a));
        arena_done(&a);
        return -1;
    }
    if (i < 0)
        return yaml_error_key(l->doc, n, l->e, "layer %s is not in %s (%d layers; nearest name %s)", n->key,
                              l->m->file ? l->m->file : "the model", l->m->n_layers, layer_nearest(l->m, n->key));
    if (seen[i])
        return yaml_error_key(l->doc, n, l->e, "%s is layer %s, which already has an entry as %s", n->key,
                              l->m->names[i], seen[i]->key);
    seen[i] = n;
    return i;
}

static int read_layers(struct loader *l, const struct yaml_node *root)
{
    const char *keys[KEYS_MAX];
    const struct yaml_node *n = yaml_get(root, "layers");
    if (!n)
        return 0;
    if (yaml_check_mapping(l->doc, n, "layers", NULL, l->e))
        return -1;
    const struct yaml_node **seen = mem_new((size_t)l->p->n_layers, sizeof *seen);
    int rc = 0;
    for (const struct yaml_node *c = n->first; c && !rc; c = c->next) {
        struct setting s;
        int i = find_layer(l, seen, c);
        if (i < 0 || yaml_check_mapping(l->doc, c, "a layer", setting_keys(NULL, "lock", keys), l->e) ||
            read_setting(l->doc, c, &s, l->e) || apply(l, c, &s, &l->p->layers[i]))
            rc = -1;
    }
    mem_free(seen);
    return rc;
}

void profile_resolve_text(const struct yaml_doc *doc, const struct profile_model *m, struct profile_layer *base,
                          struct profile_layer *whole)
{
    struct profile_layer layer = {.precision = precision_default()};
    struct setting s;
    const struct yaml_node *n = yaml_get(doc->root, "defaults");
    if (n && !read_setting(doc, n, &s, NULL))
        setting_apply_layer(&s, &layer);
    for (int i = 0; i < m->n_layers; i++) {
        base[i] = layer;
        base[i].name = m->names[i];
    }
    n = yaml_get(doc->root, "rules");
    for (const struct yaml_node *rule = n ? n->first : NULL; rule; rule = rule->next) {
        const struct layer_pattern pattern = layer_pattern(m, yaml_get(rule, "match")->text);
        for (int i = 0; i < m->n_layers; i++)
            if (layer_matches(&pattern, m, i) && !read_setting(doc, rule, &s, NULL))
                setting_apply_layer(&s, &base[i]);
    }
    memcpy(whole, base, (size_t)m->n_layers * sizeof *whole);
    n = yaml_get(doc->root, "layers");
    for (const struct yaml_node *c = n ? n->first : NULL; c; c = c->next) {
        int i = layer_find(m, c->key);
        if (i >= 0 && !read_setting(doc, c, &s, NULL))
            setting_apply_layer(&s, &whole[i]);
    }
}

/* --- the other sections ------------------------------------------------------------------------------------------- */

static int read_text(struct loader *l, const struct yaml_node *map, const char *key, char **out)
{
    const struct yaml_node *n = yaml_get(map, key);
    if (!n)
        return 0;
    const char *s = yaml_text(l->doc, n, l->e);
    if (!s)
        return -1;
    mem_free(*out);
    *out = mem_strdup(s);
    return 0;
}

static int read_number(struct loader *l, const struct yaml_node *map, const char *key, double hi, double *out)
{
    const struct yaml_node *n = yaml_get(map, key);
    return n ? yaml_double(l->doc, n, 0, hi, out, l->e) : 0;
}

static int read_count(struct loader *l, const struct yaml_node *map, const char *key, int64_t hi, int64_t *out)
{
    const struct yaml_node *n = yaml_get(map, key);
    return n ? yaml_int(l->doc, n, 0, hi, out, l->e) : 0;
}

static int read_model(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"file", "fingerprint", NULL};
    const struct yaml_node *n = yaml_get(root, "model");
    const char *ours = l->m->fingerprint ? l->m->fingerprint : "";
    l->same_model = true;
    if (!n)
        return 0;
    if (yaml_check_mapping(l->doc, n, "model", keys, l->e))
        return -1;
    const struct yaml_node *fingerprint = yaml_get(n, "fingerprint"), *file = yaml_get(n, "file");
    const char *theirs = fingerprint ? yaml_text(l->doc, fingerprint, l->e) : ours;
    if (!theirs || (file && !yaml_text(l->doc, file, l->e)))
        return -1;
    l->same_model = !strcmp(theirs, ours);
    if (!l->same_model && !l->rebind)
        return yaml_error(l->doc, fingerprint, l->e,
                          "profile is for model %s, %s is %s; --rebind matches layers by name", theirs,
                          l->m->file ? l->m->file : "this one", ours);
    return l->same_model ? read_text(l, n, "file", &l->p->model_file) : 0;
}

static int read_budgets(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"size", "latency", "accuracy_drop", "accuracy_min", NULL};
    const struct yaml_node *n = yaml_get(root, "budgets");
    struct budgets *b = &l->p->budgets;
    if (!n)
        return 0;
    if (yaml_check_mapping(l->doc, n, "budgets", keys, l->e))
        return -1;
    const struct yaml_node *size = yaml_get(n, "size"), *latency = yaml_get(n, "latency");
    if (size) {
        b->bytes = size->kind == YAML_SCALAR ? text_parse_bytes(size->text) : -1;
        if (b->bytes <= 0)
            return yaml_error(l->doc, size, l->e, "size must be a number with its unit, such as 120KiB or 118204B");
    }
    if (latency) {
        b->latency_ns = latency->kind == YAML_SCALAR ? text_parse_ns(latency->text) : -1;
        if (!(b->latency_ns > 0 && isfinite(b->latency_ns)))
            return yaml_error(l->doc, latency, l->e, "latency must be a number with its unit, such as 3.4ms or 812us");
    }
    return read_number(l, n, "accuracy_drop", 100, &b->accuracy_drop) ||
                   read_number(l, n, "accuracy_min", 100, &b->accuracy_min)
               ? -1
               : 0;
}

static int read_method(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"search", "sensitivity", "seed", NULL};
    const struct yaml_node *n = yaml_get(root, "method"), *seed;
    if (!n)
        return 0;
    if (yaml_check_mapping(l->doc, n, "method", keys, l->e) || read_text(l, n, "search", &l->p->search) ||
        read_text(l, n, "sensitivity", &l->p->sensitivity))
        return -1;
    seed = yaml_get(n, "seed");
    return seed ? yaml_u64(l->doc, seed, &l->p->seed, l->e) : 0;
}

static int read_executed(struct loader *l, const struct yaml_node *n)
{
    if (yaml_check_mapping(l->doc, n, "executed", NULL, l->e))
        return -1;
    char **executed = mem_new((size_t)l->p->n_layers, sizeof *executed);
    const struct yaml_node **seen = mem_new((size_t)l->p->n_layers, sizeof *seen);
    int rc = 0;
    l->p->executed = executed;
    for (const struct yaml_node *c = n->first; c && !rc; c = c->next) {
        int i = find_layer(l, seen, c);
        const char *kernel = i < 0 ? NULL : yaml_text(l->doc, c, l->e);
        if (kernel)
            executed[i] = mem_strdup(kernel);
        rc = kernel ? 0 : -1;
    }
    mem_free(seen);
    return rc;
}

static int read_result(struct loader *l, const struct yaml_node *root, const char *key, bool measured,
                       struct profile_result *r)
{
    static const char *const estimate_keys[] = {"accuracy",   "accuracy_error", "fp32_accuracy",
                                                "latency_us", "bytes",          NULL};
    static const char *const measurement_keys[] = {"accuracy", "fp32_accuracy", "images", "latency_us",
                                                   "bytes",    "executed",      NULL};
    const struct yaml_node *n = yaml_get(root, key);
    if (!n)
        return 0;
    int64_t images = 0;
    if (yaml_check_mapping(l->doc, n, key, measured ? measurement_keys : estimate_keys, l->e) ||
        read_number(l, n, "accuracy", 100, &r->accuracy) ||
        read_number(l, n, "accuracy_error", 100, &r->accuracy_error) ||
        read_number(l, n, "fp32_accuracy", 100, &r->fp32_accuracy) ||
        read_number(l, n, "latency_us", HUGE_VAL, &r->latency_us) || read_count(l, n, "bytes", INT64_MAX, &r->bytes) ||
        read_count(l, n, "images", INT32_MAX, &images))
        return -1;
    r->images = (int)images;
    const struct yaml_node *executed = measured ? yaml_get(n, "executed") : NULL;
    /* What another model gave says nothing about this one. */
    if (!l->same_model) {
        *r = (struct profile_result){.accuracy = NAN, .accuracy_error = NAN, .fp32_accuracy = NAN, .latency_us = NAN};
        return 0;
    }
    if (executed && read_executed(l, executed))
        return -1;
    r->known = isfinite(r->accuracy) || isfinite(r->accuracy_error) || isfinite(r->fp32_accuracy) ||
               isfinite(r->latency_us) || r->bytes || r->images || (executed && executed->n);
    return 0;
}

static int read_all(struct loader *l)
{
    static const char *const keys[] = {"schema", "model",  "target",   "budgets",     "defaults", "rules",
                                       "layers", "method", "estimate", "measurement", "notes",    NULL};
    static const char schema_wanted[] = "bitfader/profile/1";
    const struct yaml_node *root = l->doc->root;
    if (yaml_check_mapping(l->doc, root, "a profile", keys, l->e))
        return -1;
    const struct yaml_node *schema = yaml_get(root, "schema"), *notes = yaml_get(root, "notes");
    if (!schema)
        return yaml_error(l->doc, root, l->e, "schema: %s is missing; is this a profile?", schema_wanted);
    if (schema->kind != YAML_SCALAR || strcmp(schema->text, schema_wanted))
        return yaml_error(l->doc, schema, l->e, "schema must be %s, not %s", schema_wanted, yaml_shown(schema));
    if (notes && notes->kind != YAML_SCALAR)
        return yaml_error(l->doc, notes, l->e, "notes must be text");
    if (read_model(l, root) || read_text(l, root, "target", &l->p->target) || read_budgets(l, root) ||
        read_defaults(l, root) || read_rules(l, root) || read_layers(l, root) || read_method(l, root) ||
        read_result(l, root, "estimate", false, &l->p->estimate) ||
        read_result(l, root, "measurement", true, &l->p->measurement))
        return -1;
    return 0;
}

/* Line ends of other systems become \n, so that edits need to know only one kind; a byte order mark goes. */
static char *normalise(const char *text)
{
    struct text t = {0};
    text_put(&t, "");
    if (!strncmp(text, "\xef\xbb\xbf", 3))
        text += 3;
    while (*text) {
        size_t n = strcspn(text, "\r");
        text_put_n(&t, text, n);
        text += n;
        if (*text == '\r') {
            text_put(&t, "\n");
            text += text[1] == '\n' ? 2 : 1;
        }
    }
    return t.s;
}

struct profile *profile_parse(const char *path, const char *text, const struct profile_model *m, bool rebind,
                              struct err *e)
{
    char *source = normalise(text);
    struct yaml_doc *doc = yaml_doc_parse(path, source, e);
    struct profile *p = NULL;
    if (doc) {
        struct precision defaults = precision_default();
        p = profile_new(m, &defaults);
        struct loader l = {.doc = doc, .m = m, .p = p, .rebind = rebind, .e = e};
        if (read_all(&l)) {
            profile_free(p);
            p = NULL;
        }
    }
    yaml_doc_free(doc);
    if (p)
        p->source = source;
    else
        mem_free(source);
    return p;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* "fp32", "w4a8", "w8a32": nothing but that. */
static bool parse_builtin(const char *name, struct precision *p)
{
    *p = precision_default();
    int bits[2] = {0, 0};
    const char *s = name;
    for (int i = 0; strcmp(name, "fp32") && i < 2; i++) {
        if (*s++ != "wa"[i])
            return false;
        if (!strncmp(s, "32", 2)) {
            s += 2;
            continue;
        }
        if (*s < '1' || *s > '0' + BITS_MAX)
            return false;
        bits[i] = *s++ - '0';
    }
    if (s != name && *s)
        return false;
    precision_set_w(p, bits[0]);
    precision_set_a(p, bits[1]);
    return true;
}

/* Every layer as the model itself has it. */
static struct profile *load_own(const struct profile_model *m, struct err *e)
{
    if (!m->own) {
        err_set(e, "own: %s is not quantized; fp32, w8a8, w4a8 and the like start from nothing", m->file);
        return NULL;
    }
    struct precision defaults = precision_default();
    struct profile *p = profile_new(m, &defaults);
    for (int i = 0; i < p->n_layers; i++)
        p->layers[i].precision = m->own[i];
    return p;
}

struct profile *profile_load(const char *path, const struct profile_model *m, bool rebind, struct err *e)
{
    struct precision p;
    if (!strcmp(path, "own"))
        return load_own(m, e);
    if (parse_builtin(path, &p))
        return profile_new(m, &p);
    const char *name = file_name(path);
    size_t size = 0;
    if (strcmp(path, FILE_STDIN) && !file_exists(path) && !strpbrk(path, "/.")) {
        err_set(e, "%s: is no file, and no name of a profile: those are fp32, own, and w1a1 to w8a8 (32: float)", name);
        return NULL;
    }
    char *text = file_read(path, SOURCE_MAX, &size, e);
    if (!text)
        return NULL;
    struct profile *loaded = NULL;
    if (strlen(text) != size)
        err_set(e, "%s: is not text (it has a zero byte)", name);
    else
        loaded = profile_parse(name, text, m, rebind, e);
    mem_free(text);
    return loaded;
}
