/* SPDX-License-Identifier: MIT
 *
 * Descriptions of datasets: what they have in common, whatever the format of their files.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"

static const struct dataset_format *const formats[] = {&dataset_idx, &dataset_npy, &dataset_images, NULL};

enum { KEYS_MAX = 32 };

/* --- places ------------------------------------------------------------------------------------------------------- */

/* ${NAME} replaced; NULL when a variable is not set (the place is then not looked at), or when "${" has no "}". */
static const char *expand(struct loader *l, const char *s)
{
    struct text t = {0};
    const char *result = NULL;
    for (;;) {
        const char *open = strstr(s, "${"), *close = open ? strchr(open, '}') : NULL;
        if (!open) {
            text_put(&t, s);
            result = arena_strdup(&l->d->arena, t.s);
            break;
        }
        if (!close)
            break;
        text_put_n(&t, s, (size_t)(open - s));
        char *name = mem_printf("%.*s", (int)(close - open - 2), open + 2);
        const char *value = getenv(name);
        mem_free(name);
        if (!value || !*value)
            break;
        text_put(&t, value);
        s = close + 1;
    }
    text_done(&t);
    return result;
}

static int add_root(struct loader *l, const struct yaml_node *n)
{
    const char *s = yaml_text(l->doc, n, l->e);
    if (!s)
        return -1;
    const char *dir = expand(l, s);
    if (dir)
        l->roots[l->n_roots++] = dir[0] == '/' ? dir : arena_printf(&l->d->arena, "%s%s", l->folder, dir);
    return 0;
}

static int load_roots(struct loader *l, const struct yaml_node *n)
{
    l->roots = arena_new(&l->d->arena, n && n->n ? (size_t)n->n : 1, sizeof *l->roots);
    if (!n) {
        l->roots[l->n_roots++] = *l->folder ? l->folder : ".";
        return 0;
    }
    if (n->kind == YAML_SCALAR)
        return add_root(l, n);
    if (yaml_check_sequence(l->doc, n, "root", l->e))
        return -1;
    for (const struct yaml_node *c = n->first; c; c = c->next)
        if (add_root(l, c))
            return -1;
    return 0;
}

/* dir/name with one slash between them, and none at the end. */
static const char *join(struct arena *a, const char *dir, const char *name)
{
    size_t d = strlen(dir), n = strlen(name);
    while (d > 0 && dir[d - 1] == '/')
        d--;
    while (n > 1 && name[n - 1] == '/')
        n--;
    return name[0] == '/' ? arena_printf(a, "%.*s", (int)n, name)
                          : arena_printf(a, "%.*s/%.*s", (int)d, dir, (int)n, name);
}

const char *dataset_locate(struct loader *l, const struct yaml_node *n, const char *name)
{
    struct text places = {0};
    for (int i = 0; i < (name[0] == '/' ? 1 : l->n_roots); i++) {
        const char *path = join(&l->d->arena, l->roots[i], name);
        if (file_exists(path)) {
            text_done(&places);
            return path;
        }
        if (name[0] != '/')
            text_printf(&places, "%s%s", i ? ", " : " in ", l->roots[i]);
    }
    yaml_error(l->doc, n, l->e, "there is no %s%s%s%s", name, places.s ? places.s : "", l->hint ? "; " : "",
               l->hint ? l->hint : "");
    text_done(&places);
    return NULL;
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

/* Both lists in one, for yaml_check_mapping. */
static const char *const *join_keys(const char *const *a, const char *const *b, const char *out[KEYS_MAX])
{
    int n = 0;
    for (; *a; a++)
        out[n++] = *a;
    for (; *b; b++)
        out[n++] = *b;
    out[n] = NULL;
    return out;
}

static int describe_part(struct loader *l, const struct yaml_node *root, const char *what, int index, struct part *p)
{
    static const char *const common[] = {"first", "count", NULL};
    const char *keys[KEYS_MAX];
    *p = (struct part){.what = what, .index = index, .node = yaml_get(root, what), .count = -1};
    if (!p->node)
        return yaml_error(l->doc, root, l->e, "%s: %s is missing", what, l->format->part_form);
    if (yaml_check_mapping(l->doc, p->node, what, join_keys(l->format->part_keys, common, keys), l->e))
        return -1;
    p->images = yaml_get(p->node, "images");
    const struct yaml_node *first = yaml_get(p->node, "first"), *count = yaml_get(p->node, "count");
    if (first && yaml_int(l->doc, first, 0, DATASET_SAMPLES_MAX, &p->first, l->e))
        return -1;
    return count && yaml_int(l->doc, count, 1, DATASET_SAMPLES_MAX, &p->count, l->e) ? -1 : 0;
}

/* --- the description ---------------------------------------------------------------------------------------------- */

/* One number a channel of the model, or one for all of them. */
static int load_numbers(struct loader *l, const struct yaml_node *root, const char *key, double lo, double otherwise,
                        float out[DATASET_CHANNELS])
{
    const struct yaml_node *n = yaml_get(root, key);
    double v = otherwise;
    if (!n && l->format->normalised)
        return yaml_error(l->doc, root, l->e, "%s is missing: one number, or a list with one a channel", key);
    if (n && n->kind == YAML_SCALAR && yaml_double(l->doc, n, lo, 1e6, &v, l->e))
        return -1;
    if (n && n->kind != YAML_SCALAR && (n->kind != YAML_SEQUENCE || (n->n != 1 && n->n != l->d->c)))
        return yaml_error(l->doc, n, l->e, "%s must be one number%s, for images of %d channel%s", key,
                          l->d->c > 1 ? ", or a list with one a channel" : "", l->d->c, l->d->c > 1 ? "s" : "");
    int i = 0;
    for (const struct yaml_node *c = n ? n->first : NULL; c; c = c->next) {
        if (yaml_double(l->doc, c, lo, 1e6, &v, l->e))
            return -1;
        out[i++] = (float)v;
    }
    for (int k = i > 1 ? i : 0; k < DATASET_CHANNELS; k++)
        out[k] = (float)v;
    return 0;
}

int dataset_normalisation(struct loader *l)
{
    const struct yaml_node *root = l->doc->root;
    return load_numbers(l, root, "mean", -1e6, 0, l->d->mean) || load_numbers(l, root, "std", 1e-6, 1, l->d->std) ? -1
                                                                                                                  : 0;
}

/* Index of a scalar's text in words, or `otherwise` when there is no such key; -1 with a message. */
static int load_word(struct loader *l, const struct yaml_node *root, const char *key, const char *a, const char *b,
                     int otherwise)
{
    const struct yaml_node *n = yaml_get(root, key);
    if (!n)
        return otherwise;
    const char *s = yaml_text(l->doc, n, l->e);
    if (!s)
        return -1;
    if (!strcmp(s, a) || !strcmp(s, b))
        return !strcmp(s, b);
    return yaml_error(l->doc, n, l->e, "%s must be %s or %s, not %s", key, a, b, s);
}

static int load_feeding(struct loader *l, const struct yaml_node *root)
{
    struct dataset *d = l->d;
    static const char *const of_images[] = {"mean", "std", "scale", "layout", "channel_order", NULL};
    for (int i = 0; of_images[i] && d->calibrate.inputs; i++)
        if (yaml_get(root, of_images[i]))
            return yaml_error_key(l->doc, yaml_get(root, of_images[i]), l->e,
                                  "%s is for images; inputs are fed as they are", of_images[i]);
    if (d->calibrate.inputs)
        return 0;
    const struct yaml_node *scale = yaml_get(root, "scale");
    double v = 1;
    d->unit = d->calibrate.pixels ? 255 : 1;
    if (scale && yaml_double(l->doc, scale, 1e-9, 1e9, &v, l->e))
        return -1;
    if (scale)
        d->unit = (float)(1 / v);
    int layout = load_word(l, root, "layout", "nchw", "nhwc", 2),
        order = load_word(l, root, "channel_order", "rgb", "bgr", 0);
    if (layout < 0 || order < 0)
        return -1;
    d->layout = layout == 2 ? LAYOUT_AUTO : layout ? LAYOUT_NHWC : LAYOUT_NCHW;
    d->bgr = order;
    if (d->bgr && d->c != 3)
        return yaml_error(l->doc, yaml_get(root, "channel_order"), l->e, "bgr needs images of 3 channels, not %d",
                          d->c);
    return 0;
}

static int load_classes(struct loader *l, const struct yaml_node *root)
{
    const struct yaml_node *n = yaml_get(root, "classes"), *offset = yaml_get(root, "class_offset");
    int64_t count = 0;
    if (offset && yaml_int(l->doc, offset, 0, DATASET_LABEL_MAX, &count, l->e))
        return -1;
    l->d->class_offset = (int)count;
    if (!n)
        return 0;
    if (n->kind == YAML_SCALAR) {
        if (yaml_int(l->doc, n, 1, DATASET_CLASSES_MAX, &count, l->e))
            return -1;
        l->d->n_classes = (int)count;
        return 0;
    }
    if (yaml_check_sequence(l->doc, n, "classes", l->e))
        return -1;
    if (n->n < 1 || n->n > DATASET_CLASSES_MAX)
        return yaml_error(l->doc, n, l->e, "classes must be 1..%d names, not %d", DATASET_CLASSES_MAX, n->n);
    l->d->class_names = arena_new(&l->d->arena, (size_t)n->n, sizeof *l->d->class_names);
    for (const struct yaml_node *c = n->first; c; c = c->next) {
        const char *name = yaml_text(l->doc, c, l->e);
        if (!name)
            return -1;
        l->d->class_names[l->d->n_classes++] = arena_strdup(&l->d->arena, name);
    }
    return 0;
}

/* The text of a key that must be there; when must_be is set, exactly that. */
static const char *required(struct loader *l, const struct yaml_node *root, const char *key, const char *must_be)
{
    const struct yaml_node *n = yaml_get(root, key);
    if (!n) {
        yaml_error(l->doc, root, l->e, "%s%s%s is missing", key, must_be ? ": " : "", must_be ? must_be : "");
        return NULL;
    }
    const char *s = yaml_text(l->doc, n, l->e);
    if (s && must_be && strcmp(s, must_be)) {
        yaml_error(l->doc, n, l->e, "%s must be %s, not %s", key, must_be, s);
        return NULL;
    }
    return s;
}

/* The row that format: names, or NULL with a message that lists them. */
static const struct dataset_format *find_format(struct loader *l, const struct yaml_node *root)
{
    const char *name = required(l, root, "format", NULL);
    struct text all = {0};
    for (int i = 0; name && formats[i]; i++) {
        if (!strcmp(formats[i]->name, name)) {
            text_done(&all);
            return formats[i];
        }
        text_printf(&all, "%s%s", !i ? "" : formats[i + 1] ? ", " : " or ", formats[i]->name);
    }
    if (name)
        yaml_error(l->doc, yaml_get(root, "format"), l->e, "format must be %s, not %s", all.s, name);
    text_done(&all);
    return NULL;
}

static int load_all(struct loader *l)
{
    static const char *const common[] = {
        "schema",  "name",         "format", "mean", "std",   "scale",     "layout",   "channel_order",
        "classes", "class_offset", "hint",   "root", "notes", "calibrate", "evaluate", NULL};
    const char *keys[KEYS_MAX];
    const struct yaml_node *root = l->doc->root, *hint;
    struct part calibrate, evaluate;
    if (yaml_check_mapping(l->doc, root, "a dataset", NULL, l->e) ||
        !required(l, root, "schema", "bitfader/dataset/1") || !(l->format = find_format(l, root)) ||
        yaml_check_mapping(l->doc, root, "a dataset", join_keys(common, l->format->keys, keys), l->e))
        return -1;
    const char *name = required(l, root, "name", NULL);
    if (!name)
        return -1;
    l->d->name = arena_strdup(&l->d->arena, name);
    hint = yaml_get(root, "hint");
    if (hint && !(l->hint = yaml_text(l->doc, hint, l->e)))
        return -1;
    if (load_classes(l, root) || load_roots(l, yaml_get(root, "root")) ||
        describe_part(l, root, "calibrate", 0, &calibrate) || describe_part(l, root, "evaluate", 1, &evaluate) ||
        l->format->load(l, &calibrate, &l->d->calibrate) || l->format->load(l, &evaluate, &l->d->evaluate))
        return -1;
    return dataset_check_disjoint(l, &calibrate, &evaluate) || load_feeding(l, root) ? -1 : 0;
}

static struct dataset *load_file(const char *path, struct err *e)
{
    size_t size;
    struct dataset *d = NULL;
    struct yaml_doc *doc = NULL;
    char *text = file_read(path, 1 << 20, &size, e), *folder = NULL;
    if (!text)
        return NULL;
    if (strlen(text) != size)
        err_set(e, "%s: not a YAML text (zero byte)", path);
    else
        doc = yaml_doc_parse(path, text, e);
    if (doc) {
        const char *slash = strrchr(path, '/');
        folder = mem_printf("%.*s", slash ? (int)(slash - path) + 1 : 0, path);
        d = mem_new(1, sizeof *d);
        struct loader l = {.d = d, .doc = doc, .folder = folder, .e = e};
        if (load_all(&l)) {
            dataset_free(d);
            d = NULL;
        }
    }
    mem_free(folder);
    yaml_doc_free(doc);
    mem_free(text);
    return d;
}

struct dataset *dataset_load(const char *spec, const char *config_path, struct err *e)
{
    size_t n = strlen(spec);
    if (strchr(spec, '/') || (n > 5 && !strcmp(spec + n - 5, ".yaml")) || (n > 4 && !strcmp(spec + n - 4, ".yml")))
        return load_file(spec, e);
    for (const char *at = config_path; at && *at;) {
        size_t length = strcspn(at, ":");
        char *path = mem_printf("%.*s/configs/datasets/%s.yaml", (int)length, at, spec);
        bool found = length && file_exists(path);
        struct dataset *d = found ? load_file(path, e) : NULL;
        mem_free(path);
        if (found)
            return d;
        at += length + (at[length] == ':');
    }
    err_set(e, "dataset %s: there is no configs/datasets/%s.yaml in %s; a path of a YAML file works too", spec, spec,
            config_path && *config_path ? config_path : "(no directories)");
    return NULL;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    arena_done(&d->arena);
    mem_free(d);
}
