/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/yaml_doc.h"

Suite *check_yaml_suite(void);

static struct yaml_doc *parse(const char *text)
{
    struct err e;
    struct yaml_doc *d = yaml_doc_parse("f", text, &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    return d;
}

static void assert_span(const char *text, const struct yaml_node *n, const char *expected)
{
    ck_assert_uint_eq(n->end - n->begin, strlen(expected));
    ck_assert_mem_eq(text + n->begin, expected, strlen(expected));
}

START_TEST(places)
{
    static const char text[] =
        "# h\xc3\xa9\n\"k\xc3\xa9y\": v\xc3\xa4l # c\n"
        "map:\n  a: 1\n  b: {x: 'q', y: [1, 2]} # d\n\n  # e\nlist:\n- 1\n- two words\nnone:\nt: |\n  l\n";
    struct yaml_doc *d = parse(text);
    const struct yaml_node *n = yaml_get(d->root, "k\xc3\xa9y");
    ck_assert_int_eq(n->key_line, 2);
    ck_assert_int_eq(n->key_column, 1);
    ck_assert_int_eq(n->column, 8); /* in characters */
    assert_span(text, n, "v\xc3\xa4l");
    n = yaml_get(d->root, "map");
    ck_assert(!n->flow && n->n == 2 && n->line == 4 && n->column == 3);
    assert_span(text, n, "a: 1\n  b: {x: 'q', y: [1, 2]}"); /* and not the comments behind it */
    n = yaml_get(n, "b");
    ck_assert(n->flow && n->n == 2);
    assert_span(text, n, "{x: 'q', y: [1, 2]}");
    ck_assert(yaml_get(n, "x")->quoted && !yaml_get(n, "y")->quoted);
    assert_span(text, yaml_get(n, "x"), "'q'");
    n = yaml_get(d->root, "list");
    ck_assert_int_eq(n->kind, YAML_SEQUENCE);
    ck_assert_str_eq(n->first->next->text, "two words");
    ck_assert_ptr_null(n->first->key);
    ck_assert(yaml_is_null(yaml_get(d->root, "none")));
    ck_assert_str_eq(yaml_get(d->root, "t")->text, "l\n");
    ck_assert_ptr_null(yaml_get(d->root, "absent"));
    yaml_doc_free(d);
    d = parse("# nothing\n");
    ck_assert(d->root->kind == YAML_MAPPING && d->root->n == 0);
    yaml_doc_free(d);
    d = parse("\xef\xbb\xbf"
              "a: b");
    ck_assert_uint_eq(d->root->first->key_begin, 3);
    yaml_doc_free(d);
    yaml_doc_free(NULL);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"a: 1\nb: 2\na: 3\n", "f:3:1: a is here twice (the first is in line 1)"},
    {"{a: 1, b: 2, \"a\": 3, b: 4}", "f:1:14: a is here twice"},
    {"a: &x 1\n", "f:1:4: anchors (&name) are not understood"},
    {"a: *x\n", "f:1:4: aliases (*name) are not understood"},
    {"a: !!str 1\n", "f:1:4: tags (!name) are not understood"},
    {"<<: {a: 1}\n", "f:1:1: merge keys (<<) are not understood"},
    {"? [a]\n: 1\n", "f:1:3: a key must be plain text"},
    {"a: 1\n---\nb: 1\n", "f:2:1: a second document"},
    {"a: [1, 2\nb: 1", "f:2:"},
    {"a: \"x\n", "f:2:1: "},
    {"a:\n\tb: 1\n", "f:2:1: "},
    {"a: \x01\n", "f:1:"},
    {"a: \xff\n", "f:1:"},
    {"a: \"\\0\"\n", "f:1:4: a zero byte in text"},
};

START_TEST(bad_texts_say_where)
{
    struct err e;
    ck_assert_ptr_null(yaml_doc_parse("f", bad[_i].text, &e));
    ck_assert_msg(!strncmp(e.text, bad[_i].says, strlen(bad[_i].says)) && !strchr(e.text, '\n'), "%s: %s", bad[_i].text,
                  e.text);
}
END_TEST

START_TEST(limits)
{
    struct err e;
    struct text t = {0};
    for (int i = 0; i < 32; i++)
        text_put(&t, "[");
    text_put(&t, "x");
    for (int i = 0; i < 32; i++)
        text_put(&t, "]");
    yaml_doc_free(parse(t.s));
    char *deeper = mem_printf("[%s]", t.s);
    ck_assert_ptr_null(yaml_doc_parse("f", deeper, &e));
    ck_assert_str_eq(e.text, "f:1:33: nested deeper than 32 levels");
    mem_free(deeper);
    text_done(&t);
    for (int i = 0; i < 99999; i++)
        text_put(&t, "- 1\n");
    yaml_doc_free(parse(t.s));
    text_put(&t, "- 1\n");
    ck_assert_ptr_null(yaml_doc_parse("f", t.s, &e));
    ck_assert_str_eq(e.text, "f:100000:3: more than 100000 nodes in one file");
    text_done(&t);
}
END_TEST

START_TEST(getters)
{
    static const char *const keys[] = {"bits", "seed", "rate", "lock", NULL};
    struct err e;
    int64_t i;
    uint64_t u;
    double v;
    bool b;
    struct yaml_doc *d = parse("bits: 12\nseed: 18446744073709551615\nrate: -2.5e1\nlock: true\nbist: []\nnull: ~\n");
    const struct yaml_node *r = d->root, *bits = yaml_get(r, "bits");
    ck_assert_int_eq(yaml_int(d, bits, 1, 8, &i, &e), -1);
    ck_assert_str_eq(e.text, "f:1:7: bits must be 1..8, not 12");
    ck_assert_int_eq(yaml_int(d, bits, -5, 12, &i, &e), 0);
    ck_assert_int_eq(i, 12);
    ck_assert_int_eq(yaml_u64(d, yaml_get(r, "seed"), &u, &e), 0);
    ck_assert_uint_eq(u, UINT64_MAX);
    ck_assert_int_eq(yaml_double(d, yaml_get(r, "rate"), -100, 0, &v, &e), 0);
    ck_assert(v == -25);
    ck_assert_int_eq(yaml_double(d, yaml_get(r, "rate"), 0, HUGE_VAL, &v, &e), -1);
    ck_assert_str_eq(e.text, "f:3:7: rate must be a number from 0, not -2.5e1");
    ck_assert(!yaml_bool(d, yaml_get(r, "lock"), &b, &e) && b);
    ck_assert_int_eq(yaml_bool(d, bits, &b, &e), -1);
    ck_assert_str_eq(e.text, "f:1:7: bits must be true or false, not 12");
    ck_assert_ptr_null(yaml_text(d, yaml_get(r, "bist"), &e));
    ck_assert_str_eq(e.text, "f:5:7: bist must be text, not a list");
    ck_assert_int_eq(yaml_check_mapping(d, r, "a thing", keys, &e), -1);
    ck_assert_str_eq(e.text, "f:5:1: unknown key bist in a thing; did you mean bits?");
    ck_assert_int_eq(yaml_check_mapping(d, yaml_get(r, "null"), "it", keys, &e), 0);
    ck_assert_int_eq(yaml_check_mapping(d, bits, "it", NULL, &e), -1);
    ck_assert_int_eq(yaml_check_sequence(d, bits, "it", &e), -1);
    yaml_doc_free(d);
    static const char *const no_number[] = {"0x10", "inf", ".inf", "nan", "1e", "1e999", "--1", "", "1 2", ".", "1,5"};
    for (size_t k = 0; k < sizeof no_number / sizeof *no_number; k++) {
        char *text = mem_printf("a: \"%s\"\n", no_number[k]);
        d = parse(text);
        ck_assert_msg(yaml_double(d, d->root->first, -HUGE_VAL, HUGE_VAL, &v, &e) == -1, "%s", no_number[k]);
        ck_assert_int_eq(yaml_int(d, d->root->first, INT64_MIN, INT64_MAX, &i, &e), -1);
        ck_assert_int_eq(yaml_u64(d, d->root->first, &u, &e), -1);
        yaml_doc_free(d);
        mem_free(text);
    }
}
END_TEST

START_TEST(scalars_come_back)
{
    static const char *const special[] = {"",
                                          " ",
                                          "a ",
                                          " a",
                                          "null",
                                          "~",
                                          "true",
                                          "No",
                                          "12",
                                          "0x1F",
                                          "1.5e3",
                                          "-",
                                          "- a",
                                          "a: b",
                                          "a #b",
                                          "#",
                                          "[",
                                          "{}",
                                          "&a",
                                          "*",
                                          "!x",
                                          "%x",
                                          "@",
                                          "`",
                                          "'",
                                          "\"\\",
                                          "a\nb",
                                          "\t",
                                          "---",
                                          "...",
                                          "<<",
                                          "=",
                                          "a:",
                                          ":a",
                                          "?",
                                          "? a",
                                          "a,b",
                                          "2024-01-01",
                                          "\x7f",
                                          "\x01",
                                          "gr\xc3\xbc\xc3\x9fn",
                                          "\xe2\x80\xa8",
                                          "\xc2\x85",
                                          "\xef\xbb\xbf",
                                          "\xf0\x9f\x8e\x9b",
                                          "/layer1/conv:0",
                                          "../x.onnx",
                                          "a  b",
                                          "\xc2\xa0"};
    struct rng r;
    rng_init(&r, 6);
    for (int i = 0; i < 3000; i++) {
        char word[16] = "";
        const char *s = word;
        if (i < (int)(sizeof special / sizeof *special)) {
            s = special[i];
        } else {
            uint32_t n = rng_below(&r, 8);
            for (uint32_t k = 0; k < n; k++)
                word[k] = (char)(1 + rng_below(&r, 127));
        }
        struct text t = {0};
        yaml_put_scalar(&t, s);
        char *text = mem_printf("%s: {%s: [%s, x]}\n", t.s, t.s, t.s);
        struct yaml_doc *d = parse(text);
        const struct yaml_node *outer = d->root->first, *inner = outer->first;
        ck_assert_str_eq(outer->key, s);
        ck_assert_str_eq(inner->key, s);
        ck_assert_str_eq(inner->first->text, s);
        ck_assert(!yaml_is_null(inner->first));
        yaml_doc_free(d);
        mem_free(text);
        text_done(&t);
    }
    struct text t = {0};
    yaml_put_scalar(&t, "layer1.0.conv1");
    yaml_put_scalar(&t, "/a/b");
    ck_assert_str_eq(t.s, "layer1.0.conv1/a/b"); /* plain where that is safe */
    text_done(&t);
}
END_TEST

START_TEST(doubles_come_back)
{
    struct rng r;
    rng_init(&r, 7);
    for (int i = 0; i < 5000; i++) {
        double v = ldexp(rng_unit(&r), (int)rng_below(&r, 120) - 60);
        if (i < 1000)
            v = i * 0.1;
        struct text t = {0};
        yaml_put_double(&t, v);
        ck_assert(strtod(t.s, NULL) == v);
        text_done(&t);
    }
    struct text t = {0};
    yaml_put_double(&t, 91.2);
    text_put(&t, " ");
    yaml_put_double(&t, 300);
    ck_assert_str_eq(t.s, "91.2 300");
    text_done(&t);
}
END_TEST

Suite *check_yaml_suite(void)
{
    Suite *s = suite_create("yaml");
    TCase *t = tcase_create("yaml");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, places);
    tcase_add_loop_test(t, bad_texts_say_where, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, limits);
    tcase_add_test(t, getters);
    tcase_add_test(t, scalars_come_back);
    tcase_add_test(t, doubles_come_back);
    suite_add_tcase(s, t);
    return s;
}
