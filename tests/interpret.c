/* SPDX-License-Identifier: MIT */
#include "tests/interpret.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "model/names.h"

int case_sets(const char *folder)
{
    for (int n = 0;; n++) {
        char *path = mem_printf("%s/test_data_set_%d", folder, n);
        bool there = file_exists(path);
        mem_free(path);
        if (!there)
            return n;
    }
}

/* One input_N.pb or output_N.pb. Which value it is: the name in it, else its number. */
static int read_value(struct case_data *c, const char *path, struct array *out, struct err *e)
{
    size_t n;
    void *bytes = file_read(path, 1 << 30, &n, e);
    if (!bytes)
        return -1;
    struct onnx_model m;
    struct array value;
    const char *name;
    int rc = onnx_read_tensor(&m, bytes, n, &value, &name, e);
    if (!rc) {
        *out = value;
        out->data = arena_new(&c->arena, array_bytes(&value) + 1, 1);
        memcpy(out->data, value.data, array_bytes(&value));
    }
    onnx_done(&m);
    mem_free(bytes);
    return rc;
}

static const char *unread_type(int onnx_type)
{
    static const char *const names[] = {[0] = "a sequence or optional",
                                        [8] = "strings",
                                        [10] = "float16",
                                        [14] = "complex",
                                        [15] = "complex",
                                        [16] = "bfloat16"};
    int n = (int)(sizeof names / sizeof *names);
    return onnx_type >= 0 && onnx_type < n && names[onnx_type] ? names[onnx_type] : "of a type that is not read";
}

static int read_values(struct case_data *c, const char *folder, int set, const char *what, struct array *out, int n,
                       const struct onnx_value *declared, struct err *e)
{
    for (int i = 0; i < n; i++) {
        char *path = mem_printf("%s/test_data_set_%d/%s_%d.pb", folder, set, what, i);
        bool there = file_exists(path);
        int rc = 0;
        if (there && dtype_of_onnx(declared[i].type) == DTYPE_NONE)
            rc = -err_set(e, "%s %d is %s", what, i, unread_type(declared[i].type));
        else if (there && read_value(c, path, &out[i], e))
            rc = 1;
        mem_free(path);
        if (rc)
            return rc;
    }
    return 0;
}

int case_open(struct case_data *c, const char *folder, int set, struct err *e)
{
    *c = (struct case_data){.path = mem_strdup(folder)};
    char *path = mem_printf("%s/model.onnx", folder);
    c->bytes = file_read(path, 1 << 30, &c->size, e);
    int rc = c->bytes ? onnx_read(&c->model, path, NULL, c->bytes, c->size, e) : -1;
    mem_free(path);
    if (rc)
        return rc;
    c->in = arena_new(&c->arena, (size_t)c->model.n_inputs + 1, sizeof *c->in);
    c->out = arena_new(&c->arena, (size_t)c->model.n_outputs + 1, sizeof *c->out);
    rc = read_values(c, folder, set, "input", c->in, c->model.n_inputs, c->model.inputs, e);
    return rc ? rc : read_values(c, folder, set, "output", c->out, c->model.n_outputs, c->model.outputs, e);
}

void case_close(struct case_data *c)
{
    onnx_done(&c->model);
    arena_done(&c->arena);
    mem_free(c->bytes);
    mem_free(c->path);
    *c = (struct case_data){0};
}

struct values { /* by name */
    struct names names;
    struct array *arrays;
    int n, cap;
};

static void put(struct values *v, const char *name, const struct array *a)
{
    if (v->n == v->cap) {
        v->arrays = mem_resize(v->arrays, (size_t)v->n, (size_t)(v->cap ? 2 * v->cap : 64), sizeof *v->arrays);
        v->cap = v->cap ? 2 * v->cap : 64;
    }
    v->arrays[v->n] = *a;
    names_set(&v->names, name, v->n++);
}

static int opset_of(const struct onnx_model *m, const char *domain)
{
    for (int i = 0; i < m->n_opsets; i++)
        if (!strcmp(m->opsets[i].domain, strcmp(domain, "ai.onnx") ? domain : ""))
            return (int)m->opsets[i].version;
    return 1;
}

static int run_node(const struct onnx_model *m, const struct onnx_node *n, struct values *v, struct arena *a,
                    struct err *e)
{
    const struct op_row *row = op_find(n->domain, n->op_type);
    if (!row)
        return err_set(e, "%s%s%s", n->domain, *n->domain ? "." : "", n->op_type) ? 1 : 1;
    struct array *in = arena_new(a, (size_t)n->n_in + (size_t)row->min_in + 1, sizeof *in);
    struct array *out = arena_new(a, (size_t)n->n_out + 1, sizeof *out);
    for (int i = 0; i < n->n_in; i++) {
        int at = *n->in[i] ? names_get(&v->names, n->in[i]) : -1;
        if (*n->in[i] && at < 0)
            return err_set(e, "%s: input %s is not there", n->op_type, n->in[i]);
        if (at >= 0)
            in[i] = v->arrays[at];
    }
    struct op_call c = {.row = row,
                        .attr = n->attr,
                        .n_attr = n->n_attr,
                        .opset = opset_of(m, n->domain),
                        .n_in = n->n_in < row->min_in ? row->min_in : n->n_in,
                        .n_out = n->n_out,
                        .in = in,
                        .out = out};
    for (int i = 0; i < row->min_in; i++)
        if (!op_has(&c, i))
            return err_set(e, "%s: input %d is missing", n->op_type, i);
    if (c.n_in > row->max_in || c.n_out > row->max_out)
        return err_set(e, "%s: %d inputs and %d outputs", n->op_type, c.n_in, c.n_out);
    int rc = row->infer(&c, e);
    if (rc < 0 && strstr(e->text, "not supported")) /* it says so: no failure */
        return err_wrap(e, "%s", n->op_type) ? 1 : 1;
    if (rc)
        return rc < 0 ? err_wrap(e, "%s", n->op_type) : err_set(e, "%s wants input %d", n->op_type, c.wants);
    c.work = arena_new(a, c.work_bytes + 1, 1);
    for (int i = 0; i < n->n_out; i++)
        out[i].data = arena_new(a, array_bytes(&out[i]) + 1, 1);
    const char *wrong = row->run(&c);
    if (wrong)
        return err_set(e, "%s: %s", n->op_type, wrong);
    for (int i = 0; i < n->n_out; i++)
        if (*n->out[i])
            put(v, n->out[i], &out[i]);
    return 0;
}

int interpret(const struct case_data *c, struct arena *a, struct array *got, struct err *e)
{
    const struct onnx_model *m = &c->model;
    struct values v = {.n = 0};
    int rc = 0;
    for (int i = 0; i < m->n_initializers; i++)
        put(&v, m->initializers[i].name, &m->initializers[i].value);
    for (int i = 0; i < m->n_inputs; i++)
        if (array_there(&c->in[i]))
            put(&v, m->inputs[i].name, &c->in[i]);
    for (int i = 0; i < m->n_nodes && !rc; i++)
        rc = run_node(m, &m->nodes[i], &v, a, e);
    for (int i = 0; i < m->n_outputs && !rc; i++) {
        int at = names_get(&v.names, m->outputs[i].name);
        rc = at < 0 ? err_set(e, "output %s is not made", m->outputs[i].name) : 0;
        if (!rc)
            got[i] = v.arrays[at];
    }
    mem_free(v.arrays);
    names_done(&v.names);
    return rc;
}

int case_compare(const struct array *got, const struct array *want, struct err *e)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (got->type != want->type)
        return err_set(e, "type %s, not %s", dtype_name(got->type), dtype_name(want->type));
    if (!shape_equal(&got->shape, &want->shape))
        return err_set(e, "shape %s, not %s", shape_text(&got->shape, a, sizeof a),
                       shape_text(&want->shape, b, sizeof b));
    for (int64_t i = 0, n = shape_count(&got->shape); i < n; i++) {
        if (!dtype_is_float(got->type)) {
            if (array_int(got, i) != array_int(want, i))
                return err_set(e, "element %lld is %lld, not %lld", (long long)i, (long long)array_int(got, i),
                               (long long)array_int(want, i));
            continue;
        }
        double x = array_double(got, i), y = array_double(want, i);
        if (x == y || (isnan(x) && isnan(y)))
            continue;
        if (!(fabs(x - y) <= 1e-7 + 1e-3 * fabs(y)))
            return err_set(e, "element %lld is %.9g, not %.9g", (long long)i, x, y);
    }
    return 0;
}
