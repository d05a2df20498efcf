/* SPDX-License-Identifier: MIT
 *
 * Edits in place: the source text of a profile, changed only where the profile says something else now. Every edit
 * replaces, inserts or removes one key and reads the text again, so that places are always those of the text at hand.
 * Whether the result says what it should is checked by the caller, with the reader.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "profiles/profile_parts.h"

struct editor {
    struct text t;
    struct yaml_doc *doc; /* of t */
};

/* A mapping in the document, by keys from the root: {NULL} is the root itself. */
struct path {
    const char *keys[3];
};

/* --- the text ----------------------------------------------------------------------------------------------------- */

static int splice(struct editor *ed, size_t begin, size_t end, const char *insert)
{
    struct text t = {0};
    text_put_n(&t, ed->t.s, begin);
    text_put(&t, insert);
    text_put(&t, ed->t.s + end);
    text_done(&ed->t);
    ed->t = t;
    yaml_doc_free(ed->doc);
    ed->doc = yaml_doc_parse("", ed->t.s, NULL);
    return ed->doc ? 0 : -1;
}

static size_t line_start(const struct editor *ed, size_t at)
{
    while (at && ed->t.s[at - 1] != '\n')
        at--;
    return at;
}

/* Where the line after the one that holds the end of a node begins. A block scalar already ends there. */
static size_t line_after(const struct editor *ed, size_t end)
{
    if (end && ed->t.s[end - 1] == '\n')
        return end;
    return end + strcspn(ed->t.s + end, "\n") + (strchr(ed->t.s + end, '\n') ? 1 : 0);
}

/* May also find a # in a quoted text, which only makes an edit more careful. */
static bool has_comment(const struct editor *ed, size_t begin, size_t end)
{
    return end > begin && memchr(ed->t.s + begin, '#', end - begin);
}

static bool lines_have_comment(const struct editor *ed, const struct yaml_node *n)
{
    return has_comment(ed, line_start(ed, n->key_begin), line_after(ed, n->end));
}

static const struct yaml_node *node_at(const struct editor *ed, struct path p)
{
    const struct yaml_node *n = ed->doc->root;
    for (int i = 0; n && i < 3 && p.keys[i]; i++)
        n = yaml_get(n, p.keys[i]);
    return n;
}

static struct path path_child(struct path p, const char *key)
{
    int i = 0;
    while (p.keys[i])
        i++;
    p.keys[i] = key;
    return p;
}

static const struct yaml_node *parent_at(const struct editor *ed, struct path p)
{
    int n = 0;
    while (n < 3 && p.keys[n])
        n++;
    p.keys[n - 1] = NULL;
    return node_at(ed, p);
}

/* --- one key ------------------------------------------------------------------------------------------------------ */

static int replace_value(struct editor *ed, const struct yaml_node *n, const char *value)
{
    struct text t = {0};
    bool is_empty = n->begin == n->end, is_block_text = !is_empty && ed->t.s[n->end - 1] == '\n';
    text_printf(&t, "%s%s%s", is_empty ? " " : "", value, is_block_text ? "\n" : "");
    int rc = splice(ed, n->begin, n->end, t.s);
    text_done(&t);
    return rc;
}

/* A line of its own. A mapping that was empty gets its children two columns to the right of its key. */
static int insert_block(struct editor *ed, const struct yaml_node *map, const struct yaml_node *after,
                        const char *entry)
{
    int indent = map->first ? map->first->key_column - 1 : map->key ? map->key_column + 1 : 0;
    size_t at = after ? line_after(ed, after->end) : map->key ? line_after(ed, map->key_end) : map->first->key_begin;
    struct text t = {0};
    text_printf(&t, "%s%*s%s\n", at && ed->t.s[at - 1] != '\n' ? "\n" : "", indent, "", entry);
    int rc = splice(ed, at, at, t.s);
    text_done(&t);
    return rc;
}

static int insert_flow(struct editor *ed, const struct yaml_node *map, const struct yaml_node *after, const char *entry)
{
    struct text t = {0};
    size_t at = after ? after->end : map->begin + 1;
    if (after)
        text_printf(&t, ", %s", entry);
    else
        text_printf(&t, "%s%s", entry, map->n ? ", " : "");
    int rc = splice(ed, at, at, t.s);
    text_done(&t);
    return rc;
}

/* Inserts "key: value" into the mapping at p, after a child of it or as the first. */
static int insert_key(struct editor *ed, struct path p, const struct yaml_node *after, const char *key,
                      const char *value)
{
    const struct yaml_node *map = node_at(ed, p);
    struct text entry = {0};
    int rc = 0;
    yaml_put_scalar(&entry, key);
    text_printf(&entry, ":%s%s", *value == '\n' ? "" : " ", value);
    if (map->kind == YAML_MAPPING) {
        rc = map->flow ? insert_flow(ed, map, after, entry.s) : insert_block(ed, map, after, entry.s);
    } else if (parent_at(ed, p)->flow) {
        struct text braces = {0};
        text_printf(&braces, "{%s}", entry.s);
        rc = replace_value(ed, map, braces.s);
        text_done(&braces);
    } else {
        if (map->end > map->begin) /* ~ or null makes room */
            rc = splice(ed, map->begin, map->end, "");
        if (!rc)
            rc = insert_block(ed, node_at(ed, p), NULL, entry.s);
    }
    text_done(&entry);
    return rc;
}

static const struct yaml_node *last_child(const struct yaml_node *map)
{
    const struct yaml_node *last = map->first;
    while (last && last->next)
        last = last->next;
    return last;
}

static const struct yaml_node *child_before(const struct yaml_node *map, const struct yaml_node *n)
{
    const struct yaml_node *c = map->first == n ? NULL : map->first;
    while (c && c->next != n)
        c = c->next;
    return c;
}

/* Removes a key from a flow mapping with the comma that it no longer needs. */
static int remove_flow(struct editor *ed, const struct yaml_node *map, const struct yaml_node *n)
{
    const struct yaml_node *before = child_before(map, n);
    size_t end = n->end + strspn(ed->t.s + n->end, " ");
    if (ed->t.s[end] == ',') {
        size_t next = end + 1 + strspn(ed->t.s + end + 1, " ");
        return splice(ed, n->key_begin, ed->t.s[next] == '#' ? end + 1 : next, "");
    }
    bool take_comma = before && !n->next && !has_comment(ed, before->end, n->key_begin);
    return splice(ed, take_comma ? before->end : n->key_begin, n->end, "");
}

static int remove_key(struct editor *ed, struct path p, const char *key)
{
    const struct yaml_node *map = node_at(ed, p), *n = yaml_get(map, key);
    if (map->flow)
        return remove_flow(ed, map, n);
    /* A comment behind it stays, on a line of its own. */
    size_t behind = n->end + strspn(ed->t.s + n->end, " \t");
    if (ed->t.s[behind] == '#')
        return splice(ed, n->key_begin, behind, "");
    return splice(ed, line_start(ed, n->key_begin), line_after(ed, n->end), "");
}

/* Makes the key say value, or makes it go where value is NULL. A new key comes after `after`, or last. */
static int set_key(struct editor *ed, struct path p, const char *key, const char *value, const struct yaml_node *after)
{
    const struct yaml_node *map = node_at(ed, p), *n = yaml_get(map, key);
    if (n && value)
        return replace_value(ed, n, value);
    if (n)
        return remove_key(ed, p, key);
    return value ? insert_key(ed, p, after ? after : last_child(map), key, value) : 0;
}

/* --- sections ----------------------------------------------------------------------------------------------------- */

static bool differ(const char *a, const char *b)
{
    return a != b && (!a || !b || strcmp(a, b));
}

/* The last of the keys that usually stand before this one. */
static const struct yaml_node *section_before(const struct editor *ed, const char *key)
{
    static const char *const order[] = {"schema", "model",  "target",   "budgets",     "defaults", "rules",
                                        "layers", "method", "estimate", "measurement", NULL};
    const struct yaml_node *before = NULL;
    for (int i = 0; order[i] && strcmp(order[i], key); i++) {
        const struct yaml_node *n = yaml_get(ed->doc->root, order[i]);
        before = n && (!before || n->key_begin > before->key_begin) ? n : before;
    }
    return before;
}

/* Fields whose keys are names of layers, which may stand there by other names. */
static int sync_kernels(struct editor *ed, struct path p, const struct profile_model *m, const struct section *has,
                        const struct section *wants)
{
    struct arena a = {0};
    int rc = 0;
    for (int i = 0; i < wants->n_executed && !rc; i++) {
        const struct yaml_node *n = layer_entry(m, node_at(ed, p), i);
        if (differ(has->executed[i].text, wants->executed[i].text))
            rc = set_key(ed, p, n ? arena_strdup(&a, n->key) : m->names[i], wants->executed[i].text, NULL);
    }
    arena_done(&a);
    return rc;
}

static int sync_fields(struct editor *ed, struct path p, const struct field *has, const struct field *wants, int n)
{
    for (int i = 0; i < n; i++)
        if (differ(has[i].text, wants[i].text) && set_key(ed, p, wants[i].key, wants[i].text, NULL))
            return -1;
    return 0;
}

static int sync_executed(struct editor *ed, struct path section, const struct profile_model *m,
                         const struct section *has, const struct section *wants)
{
    struct path p = path_child(section, "executed");
    bool any = false;
    for (int i = 0; i < wants->n_executed; i++)
        any = any || wants->executed[i].text;
    const struct yaml_node *n = node_at(ed, p);
    if (n && (any || lines_have_comment(ed, n)) && sync_kernels(ed, p, m, has, wants))
        return -1;
    n = node_at(ed, p);
    if (n)
        return any || lines_have_comment(ed, n) ? 0 : remove_key(ed, section, "executed");
    if (!any)
        return 0;
    struct text t = {0};
    put_fields(&t, wants->executed, wants->n_executed);
    int rc = set_key(ed, section, "executed", t.s, NULL);
    text_done(&t);
    return rc;
}

static bool sections_differ(const struct section *a, const struct section *b)
{
    for (int i = 0; i < a->n; i++)
        if (differ(a->fields[i].text, b->fields[i].text))
            return true;
    for (int i = 0; i < a->n_executed; i++)
        if (differ(a->executed[i].text, b->executed[i].text))
            return true;
    return false;
}

static int insert_section(struct editor *ed, const struct section *s)
{
    struct text t = {0};
    size_t skip = 0;
    if (ed->doc->root->flow) { /* kernels come after, by sync_executed() */
        put_fields(&t, s->fields, s->n);
    } else {
        put_section(&t, s);
        t.s[--t.n] = '\0'; /* the line end is the editor's */
        skip = strlen(s->key) + 1;
        skip += t.s[skip] == ' ';
    }
    int rc = set_key(ed, (struct path){{NULL}}, s->key, t.s + skip, section_before(ed, s->key));
    text_done(&t);
    return rc;
}

static int sync_section(struct editor *ed, const struct profile_model *m, const struct section *has,
                        const struct section *wants)
{
    struct path root = {{NULL}}, p = path_child(root, wants->key);
    if (!sections_differ(has, wants))
        return 0;
    const struct yaml_node *n = node_at(ed, p);
    if (n && section_is_empty(wants) && !lines_have_comment(ed, n))
        return remove_key(ed, root, wants->key);
    if (!n) {
        if (insert_section(ed, wants))
            return -1;
    } else if (sync_fields(ed, p, has->fields, wants->fields, wants->n)) {
        return -1;
    }
    bool executed = wants->n_executed && (n || ed->doc->root->flow);
    return executed ? sync_executed(ed, p, m, has, wants) : 0;
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

/* What each of the fields of layer_fields() is, said or not. */
static void spell_out(const struct profile_layer *l, struct arena *a, const char *out[FIELDS_MAX])
{
    const struct precision *p = &l->precision;
    out[0] = p->w_bits ? arena_printf(a, "%d", p->w_bits) : "fp32";
    out[1] = p->a_bits ? arena_printf(a, "%d", p->a_bits) : "fp32";
    for (int i = 0; i < CHOICE_COUNT; i++)
        out[2 + i] = precision_choices[i].name(precision_get(p, i));
    out[2 + CHOICE_COUNT] = l->lock ? "true" : "false";
}

static bool layers_equal(const struct profile_layer *a, const struct profile_layer *b)
{
    return precision_equal(&a->precision, &b->precision) && a->lock == b->lock;
}

static int insert_layer(struct editor *ed, const struct profile *p, int layer, const char *value)
{
    struct path root = {{NULL}}, layers = {{"layers"}};
    const struct yaml_node *map = node_at(ed, layers);
    if (!map) {
        struct text t = {0};
        bool flow = ed->doc->root->flow;
        text_put(&t, flow ? "{" : "\n  ");
        yaml_put_scalar(&t, p->layers[layer].name);
        text_printf(&t, ": %s%s", value, flow ? "}" : "");
        int rc = set_key(ed, root, "layers", t.s, section_before(ed, "layers"));
        text_done(&t);
        return rc;
    }
    const struct profile_model m = profile_own_model(p);
    const struct yaml_node *after = NULL;
    for (int i = layer - 1; i >= 0 && !after; i--)
        after = layer_entry(&m, map, i);
    return insert_key(ed, layers, after, p->layers[layer].name, value);
}

/* Removes the entry of a layer, and the section with its last entry, unless there are comments to keep. */
static int remove_layer(struct editor *ed, const char *name)
{
    struct path root = {{NULL}}, layers = {{"layers"}};
    const struct yaml_node *map = node_at(ed, layers);
    if (map->n == 1 && !lines_have_comment(ed, map))
        return remove_key(ed, root, "layers");
    return remove_key(ed, layers, name);
}

static int sync_layer(struct editor *ed, const struct profile *p, int i, const struct profile_layer *base,
                      const struct profile_layer *has, struct arena *a)
{
    const struct profile_layer *wants = &p->layers[i];
    const struct profile_model m = profile_own_model(p);
    struct field f[FIELDS_MAX];
    const char *now[FIELDS_MAX], *then[FIELDS_MAX];
    if (layers_equal(has, wants))
        return 0;
    int n = layer_fields(base, wants, a, f);
    const struct yaml_node *node = layer_entry(&m, node_at(ed, (struct path){{"layers"}}), i);
    if (!node) {
        struct text t = {0};
        put_fields(&t, f, n);
        int rc = insert_layer(ed, p, i, t.s);
        text_done(&t);
        return rc;
    }
    if (layers_equal(base, wants) && !lines_have_comment(ed, node))
        return remove_layer(ed, node->key);
    struct path entry = {{"layers", arena_strdup(a, node->key)}}; /* the user's own name for it */
    spell_out(wants, a, now);
    spell_out(has, a, then);
    for (int k = 0; k < n; k++) {
        bool said = yaml_get(node_at(ed, entry), f[k].key) != NULL;
        bool edit = said ? differ(now[k], then[k]) : f[k].text != NULL;
        if (edit && set_key(ed, entry, f[k].key, now[k], NULL))
            return -1;
    }
    return 0;
}

static int sync_layers(struct editor *ed, const struct profile *p)
{
    struct arena a = {0};
    struct profile_model m = profile_own_model(p);
    struct profile_layer *base = arena_new(&a, (size_t)p->n_layers, sizeof *base);
    struct profile_layer *has = arena_new(&a, (size_t)p->n_layers, sizeof *has);
    profile_resolve_text(ed->doc, &m, base, has);
    int rc = 0;
    for (int i = 0; i < p->n_layers && !rc; i++)
        rc = sync_layer(ed, p, i, &base[i], &has[i], &a);
    arena_done(&a);
    return rc;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* What the source says by itself, as a profile of whatever model it names. */
static struct profile *parse_source(const struct profile *p, const struct yaml_doc *doc)
{
    struct profile_model m = profile_own_model(p);
    const struct yaml_node *model = yaml_get(doc->root, "model");
    const struct yaml_node *fingerprint = model ? yaml_get(model, "fingerprint") : NULL;
    m.fingerprint = fingerprint ? fingerprint->text : NULL;
    return profile_parse("", p->source, &m, false, NULL);
}

static int edit_all(struct editor *ed, const struct profile *has, const struct profile *p, struct arena *a)
{
    struct section x[SECTION_COUNT], y[SECTION_COUNT];
    const struct profile_model m = profile_own_model(p);
    struct path root = {{NULL}};
    profile_sections(has, a, x);
    profile_sections(p, a, y);
    const char *target = p->target ? p->target : "host";
    if (sync_section(ed, &m, &x[SECTION_MODEL], &y[SECTION_MODEL]))
        return -1;
    if (differ(has->target, target)) {
        struct text t = {0};
        yaml_put_scalar(&t, target);
        int rc = set_key(ed, root, "target", t.s, section_before(ed, "target"));
        text_done(&t);
        if (rc)
            return -1;
    }
    for (int s = SECTION_BUDGETS; s <= SECTION_DEFAULTS; s++)
        if (sync_section(ed, &m, &x[s], &y[s]))
            return -1;
    if (sync_layers(ed, p))
        return -1;
    for (int s = SECTION_METHOD; s <= SECTION_MEASUREMENT; s++)
        if (sync_section(ed, &m, &x[s], &y[s]))
            return -1;
    return 0;
}

char *profile_edit_source(const struct profile *p)
{
    struct arena a = {0};
    struct editor ed = {.doc = yaml_doc_parse("", p->source, NULL)};
    struct profile *has = ed.doc ? parse_source(p, ed.doc) : NULL;
    char *result = NULL;
    text_put(&ed.t, p->source);
    if (has && !edit_all(&ed, has, p, &a)) {
        result = ed.t.s;
        ed.t = (struct text){0};
    }
    profile_free(has);
    yaml_doc_free(ed.doc);
    text_done(&ed.t);
    arena_done(&a);
    return result;
}
