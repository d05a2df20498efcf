/* SPDX-License-Identifier: MIT
 *
 * Einsum: sums of products over the letters that the output leaves out.
 */
#include <ctype.h>
#include <string.h>

#include "ops/op.h"

enum { LETTERS = 16, OPERANDS = 4 };

struct einsum {
    char letters[LETTERS]; /* those of the output first; dots of an ellipsis are '0', '1', .. */
    int n, n_out;
    int64_t d[LETTERS], step[OPERANDS][LETTERS];
};

/* The index letters of a term, with an ellipsis spread over the axes that are left. -1 when they are too many. */
static int read_term(const char *s, const char *end, int rank, char out[SHAPE_MAX])
{
    int n = 0, named = 0;
    for (const char *p = s; p < end; p++)
        named += isalpha((unsigned char)*p) != 0;
    for (const char *p = s; p < end; p++) {
        if (isalpha((unsigned char)*p)) {
            if (n == SHAPE_MAX)
                return -1;
            out[n++] = *p;
        } else if (*p == '.') {
            if (end - p < 3 || p[1] != '.' || p[2] != '.')
                return -1;
            p += 2;
            for (int k = rank - named; k > 0; k--) { /* counted from the end, so that ranks may differ */
                if (n == SHAPE_MAX)
                    return -1;
                out[n++] = (char)('0' + k - 1);
            }
        } else if (*p != ' ') {
            return -1;
        }
    }
    return n;
}

static int find_letter(struct einsum *s, char letter)
{
    for (int i = 0; i < s->n; i++)
        if (s->letters[i] == letter)
            return i;
    if (s->n == LETTERS)
        return -1;
    s->letters[s->n] = letter;
    s->d[s->n] = 1;
    return s->n++;
}

/* The output's letters: as written, or the ellipsis and then the letters that stand once, by the alphabet. */
static int read_output(const struct op_call *c, const char *equation, const char *arrow, struct einsum *s)
{
    char term[SHAPE_MAX];
    int rank = 0, n;
    const char *p = equation, *end = arrow ? arrow : equation + strlen(equation);
    for (int k = 0; k < c->n_in; k++) { /* the longest ellipsis */
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        n = read_term(p, stop, c->in[k].shape.n, term);
        int dots = 0;
        for (int i = 0; i < n; i++)
            dots += isdigit((unsigned char)term[i]) != 0;
        rank = dots > rank ? dots : rank;
        p = comma ? comma + 1 : end;
    }
    if (arrow) {
        int named = 0;
        for (const char *q = arrow + 2; *q; q++)
            named += isalpha((unsigned char)*q) != 0;
        n = read_term(arrow + 2, arrow + strlen(arrow), rank + named, term);
        for (int i = 0; i < n; i++)
            if (find_letter(s, term[i]) < 0)
                return -1;
        s->n_out = s->n;
        return n < 0 || s->n != n ? -1 : 0;
    }
    for (int k = rank; k > 0; k--)
        find_letter(s, (char)('0' + k - 1));
    for (int letter = 'A'; letter <= 'z'; letter++) {
        int times = 0;
        for (const char *q = equation; *q; q++)
            times += *q == letter;
        if (isalpha(letter) && times == 1 && find_letter(s, (char)letter) < 0)
            return -1;
    }
    s->n_out = s->n;
    return 0;
}

static int read_einsum(const struct op_call *c, struct einsum *s, struct err *e)
{
    const char *equation = op_attr_string(c, "equation", ""), *arrow = strstr(equation, "->"), *p = equation;
    const char *end = arrow ? arrow : equation + strlen(equation);
    memset(s, 0, sizeof *s);
    if (c->n_in > OPERANDS)
        return err_set(e, "more than %d operands are not supported", OPERANDS);
    if (read_output(c, equation, arrow, s))
        return err_set(e, "equation %.60s", equation);
    for (int k = 0; k < c->n_in; k++) {
        const struct shape *x = &c->in[k].shape;
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        char term[SHAPE_MAX];
        int64_t stride[SHAPE_MAX];
        if (!comma != (k + 1 == c->n_in) || read_term(p, stop, x->n, term) != x->n)
            return err_set(e, "equation %.60s does not fit operand %d", equation, k);
        shape_strides(x, stride);
        for (int i = 0; i < x->n; i++) {
            int at = find_letter(s, term[i]);
            if (at < 0 || (s->d[at] != 1 && x->d[i] != 1 && s->d[at] != x->d[i]))
                return err_set(e, "dimension %d of operand %d does not fit", i, k);
            s->d[at] = x->d[i] == 1 ? s->d[at] : x->d[i];
            s->step[k][at] += x->d[i] == 1 ? 0 : stride[i]; /* a letter that stands twice is a diagonal */
        }
        p = comma ? comma + 1 : end;
    }
    return 0;
}

static int infer_Einsum(struct op_call *c, struct err *e)
{
    struct einsum s;
    struct shape to = {0};
    for (int k = 0; k < c->n_in; k++)
        if (!op_has(c, k) || op_check_number(c, k, e) || op_check_same(c, 0, k, e))
            return -1;
    if (read_einsum(c, &s, e))
        return -1;
    if (s.n_out > SHAPE_MAX)
        return err_set(e, "too many dimensions");
    for (int i = 0; i < s.n_out; i++)
        to.d[to.n++] = s.d[i];
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Einsum(const struct op_call *c)
{
    struct einsum s;
    struct err unused;
    int64_t at[LETTERS] = {0}, offset[OPERANDS] = {0}, inner = 1, outer = 1;
    if (read_einsum(c, &s, &unused))
        return "its operands do not fit";
    for (int i = 0; i < s.n; i++)
        *(i < s.n_out ? &outer : &inner) *= s.d[i];
    ARRAY_NUMBERS(
        c->in[0].type, return "not a number", for (int64_t o = 0; o < outer; o++) {
            double sum = 0;
            for (int64_t i = 0; i < inner; i++) {
                double product = 1;
                for (int k = 0; k < c->n_in; k++)
                    product *= (double)((const T *)c->in[k].data)[offset[k]];
                sum += product;
                for (int j = s.n - 1; j >= 0; j--) { /* the output's letters turn last */
                    for (int k = 0; k < c->n_in; k++)
                        offset[k] += s.step[k][j];
                    if (++at[j] < s.d[j])
                        break;
                    for (int k = 0; k < c->n_in; k++)
                        offset[k] -= s.step[k][j] * s.d[j];
                    at[j] = 0;
                }
            }
            ((T *)c->out[0].data)[o] = ARRAY_OF_DOUBLE(T, sum);
        })
    return NULL;
}

const struct op_row ops_einsum[] = {{"Einsum", "", 1, OPERANDS, 1, 0, infer_Einsum, run_Einsum}, {.name = NULL}};
