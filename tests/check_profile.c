/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "profiles/profile.h"
#include "tests/scratch.h"

Suite *check_profile_suite(void);

/* --- a model ------------------------------------------------------------------------------------------------------ */

static const char *const names[] = {"conv1", "layer1.0.conv1", "layer1.0.conv2", "dw1", "dw2", "fc", "odd: name #1"};
static const char *const kinds[] = {"Conv", "Conv", "PWConv", "DWConv", "DWConv", "Gemm", "Conv"};
static const int groups[] = {0, 1, 2, 1, 3, 4, 5};
enum { N = 7 };
/* Names of fused nodes and of tensors. Two layers share one, and one is the short name of another layer. */
static const char *const *const aliases[] = {
    (const char *const[]){"/conv1/Conv", "/relu/Relu", "shared", NULL},
    (const char *const[]){"/layer1/layer1.0/bn1/BatchNormalization", "out.1", NULL},
    (const char *const[]){"fc", "45", NULL},
    (const char *const[]){"shared", "r*x", NULL},
    (const char *const[]){NULL},
    (const char *const[]){"/fc/Gemm", "logits", NULL},
    (const char *const[]){NULL},
};
static const struct profile_model model = {
    .file = "net.onnx", .fingerprint = "xxh3-00000000000000000000000000000001", N, names, kinds, groups, aliases};

#define HEAD                       \
    "schema: bitfader/profile/1\n" \
    "model: {file: net.onnx, fingerprint: xxh3-00000000000000000000000000000001}\n"

static struct profile *parse(const char *text)
{
    struct err e = {""};
    struct profile *p = profile_parse("p.yaml", text, &model, false, &e);
    ck_assert_msg(p != NULL, "%s\n%s", e.text, text);
    return p;
}

static bool same_double(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_string(const char *a, const char *b)
{
    return (!a && !b) || (a && b && !strcmp(a, b));
}

static void assert_same_result(const struct profile_result *a, const struct profile_result *b)
{
    ck_assert_int_eq(a->known, b->known);
    if (!a->known)
        return;
    ck_assert(same_double(a->accuracy, b->accuracy));
    ck_assert(same_double(a->accuracy_error, b->accuracy_error));
    ck_assert(same_double(a->fp32_accuracy, b->fp32_accuracy));
    ck_assert(same_double(a->latency_us, b->latency_us));
    ck_assert_int_eq(a->bytes, b->bytes);
    ck_assert_int_eq(a->images, b->images);
}

/* Field by field, and not with the code's own comparison. */
static void assert_same(const struct profile *a, const struct profile *b)
{
    ck_assert_int_eq(a->n_layers, b->n_layers);
    for (int i = 0; i < a->n_layers; i++) {
        const struct precision *x = &a->layers[i].precision, *y = &b->layers[i].precision;
        ck_assert_str_eq(a->layers[i].name, b->layers[i].name);
        ck_assert_int_eq(x->w_bits, y->w_bits);
        ck_assert_int_eq(x->a_bits, y->a_bits);
        ck_assert_int_eq(x->scheme, y->scheme);
        ck_assert_int_eq(x->granularity, y->granularity);
        ck_assert_int_eq(x->range, y->range);
        ck_assert_int_eq(a->layers[i].lock, b->layers[i].lock);
        ck_assert(same_string(a->executed ? a->executed[i] : NULL, b->executed ? b->executed[i] : NULL));
    }
    ck_assert(precision_equal(&a->defaults, &b->defaults));
    ck_assert_str_eq(a->target, b->target);
    ck_assert_str_eq(a->model_fingerprint, b->model_fingerprint);
    ck_assert(same_string(a->model_file, b->model_file));
    ck_assert(same_string(a->search, b->search));
    ck_assert(same_string(a->sensitivity, b->sensitivity));
    ck_assert_uint_eq(a->seed, b->seed);
    ck_assert_int_eq(a->budgets.bytes, b->budgets.bytes);
    ck_assert(a->budgets.latency_ns == b->budgets.latency_ns);
    ck_assert(same_double(a->budgets.accuracy_drop, b->budgets.accuracy_drop));
    ck_assert(same_double(a->budgets.accuracy_min, b->budgets.accuracy_min));
    assert_same_result(&a->estimate, &b->estimate);
    assert_same_result(&a->measurement, &b->measurement);
}

/* --- random profiles ---------------------------------------------------------------------------------------------- */

static struct precision random_precision(struct rng *r)
{
    struct precision p = precision_default();
    precision_set_w(&p, (int)rng_below(r, BITS_MAX + 1));
    precision_set_a(&p, (int)rng_below(r, BITS_MAX + 1));
    p.granularity = (uint8_t)rng_below(r, GRANULARITY_COUNT);
    p.range = (uint8_t)rng_below(r, RANGE_COUNT);
    return p;
}

static double random_number(struct rng *r, double scale)
{
    switch (rng_below(r, 4)) {
    case 0:
        return NAN;
    case 1:
        return rng_below(r, (uint32_t)scale);
    default:
        return rng_unit(r) * scale;
    }
}

static void set_string(struct rng *r, char **s)
{
    static const char *const words[] = {NULL,  "exact", "kl", "a b: c # d", "12", "true", "\"", "gr\xc3\xbc\xc3\x9f",
                                        "x\ny"};
    const char *w = words[rng_below(r, sizeof words / sizeof *words)];
    mem_free(*s);
    *s = w ? mem_strdup(w) : NULL;
}

static void random_result(struct rng *r, struct profile_result *q, bool measured)
{
    *q = (struct profile_result){.known = rng_below(r, 3) > 0, .accuracy_error = NAN};
    q->accuracy = 1 + rng_unit(r); /* one field is always there: nothing known is not known */
    q->fp32_accuracy = random_number(r, 100);
    q->latency_us = random_number(r, 1e5) + 1e-3;
    q->bytes = rng_below(r, 1 << 30);
    if (measured)
        q->images = (int)rng_below(r, 10000);
    else
        q->accuracy_error = random_number(r, 3);
}

/* Changes about `share` of 8 of everything that can change. */
static void shuffle(struct rng *r, struct profile *p, uint32_t share)
{
#define SOMETIMES if (rng_below(r, 8) < share)
    for (int i = 0; i < p->n_layers; i++) {
        SOMETIMES p->layers[i].precision = rng_below(r, 3) ? random_precision(r) : p->defaults;
        SOMETIMES p->layers[i].lock = rng_below(r, 2);
    }
    SOMETIMES p->defaults = random_precision(r);
    SOMETIMES p->budgets.bytes = (int64_t)rng_below(r, 3) * rng_below(r, 1 << 24);
    SOMETIMES p->budgets.bytes &= ~(int64_t)1023;
    SOMETIMES p->budgets.latency_ns = rng_below(r, 3) ? rng_unit(r) * 1e8 : rng_below(r, 5) * 1e5;
    SOMETIMES p->budgets.accuracy_drop = random_number(r, 5);
    SOMETIMES p->budgets.accuracy_min = random_number(r, 100);
    SOMETIMES set_string(r, &p->search);
    SOMETIMES set_string(r, &p->sensitivity);
    SOMETIMES p->seed = p->search || p->sensitivity ? rng_next(r) : 0;
    SOMETIMES random_result(r, &p->estimate, false);
    SOMETIMES random_result(r, &p->measurement, true);
    SOMETIMES
    {
        if (!p->executed)
            p->executed = mem_new((size_t)p->n_layers, sizeof *p->executed);
        for (int i = 0; i < p->n_layers; i++)
            set_string(r, &p->executed[i]);
    }
    if (p->executed && !p->measurement.known)
        for (int i = 0; i < p->n_layers; i++) {
            mem_free(p->executed[i]);
            p->executed[i] = NULL;
        }
    SOMETIMES
    {
        mem_free(p->target);
        p->target = mem_strdup(rng_below(r, 2) ? "host" : "cortex m: 7");
    }
#undef SOMETIMES
}

START_TEST(random_profiles_come_back)
{
    struct rng r;
    rng_init(&r, 1);
    for (int i = 0; i < 200; i++) {
        struct precision d = random_precision(&r);
        struct profile *p = profile_new(&model, &d);
        shuffle(&r, p, 1 + rng_below(&r, 8));
        char *text = profile_text(p);
        struct profile *q = parse(text);
        assert_same(p, q);
        char *again = profile_text(q);
        ck_assert_str_eq(text, again);
        struct profile *c = profile_copy(q);
        assert_same(q, c);
        profile_free(c);
        profile_free(p);
        profile_free(q);
        mem_free(text);
        mem_free(again);
    }
}
END_TEST

/* --- texts that users write --------------------------------------------------------------------------------------- */

static const char block_text[] = HEAD "# gr\xc3\xbc\xc3\x9f"
                                      "e, a comment at the top\n"
                                      "target: host # this machine\n"
                                      "budgets:\n"
                                      "  size: 120KiB # of flash\n"
                                      "  accuracy_drop: 0.5\n"
                                      "notes: |\n"
                                      "  free text\n"
                                      "  in two lines\n"
                                      "defaults: {w: 8, a: 8}\n"
                                      "rules:\n"
                                      "  - {match: \"op=DWConv\", w: 6} # depthwise is touchy\n"
                                      "layers: # by hand\n"
                                      "  # the first one\n"
                                      "  conv1:\n"
                                      "    w: 5 # tried 4\n"
                                      "    lock: true\n"
                                      "  fc: {a: 4, range: minmax} # last\n"
                                      "# between\n"
                                      "method: {search: exact}\n"
                                      "estimate: {accuracy: 91.2, bytes: 118204} # guess\n"
                                      "measurement:\n"
                                      "  # on Tuesday\n"
                                      "  accuracy: 91\n"
                                      "  executed:\n"
                                      "    conv1: w4a4-x # fast\n"
                                      "# the end\n";

static const char flow_text[] =
    "{schema: bitfader/profile/1, # JSON-like\n"
    " \"model\": {\"file\": \"net.onnx\", \"fingerprint\": \"xxh3-00000000000000000000000000000001\"},\n"
    " defaults: {w: 4}, # four\n"
    " layers: {conv1: {w: 5}, # one\n"
    "          fc: {a: 4, lock: true}}, # two\n"
    " estimate: {accuracy: 91.2}}\n";

/* Every comment of before is in after, and in the same order. */
static void assert_comments_kept(const char *before, const char *after)
{
    for (const char *at = strchr(before, '#'); at; at = strchr(at + 1, '#')) {
        char *comment = mem_printf("%.*s", (int)strcspn(at, "\n"), at);
        const char *found = strstr(after, comment);
        ck_assert_msg(found != NULL, "lost %s from\n%s\nin\n%s", comment, before, after);
        after = found + strlen(comment);
        at += strlen(comment) - 1;
        mem_free(comment);
    }
}

START_TEST(random_edits_keep_the_rest)
{
    static const char *const sources[] = {block_text,
                                          flow_text,
                                          HEAD,
                                          HEAD "layers:\nestimate: ~\n",
                                          HEAD "layers: {}",
                                          HEAD "layers:\n    conv1: ~\n    fc: {w: 3}"};
    struct rng r;
    rng_init(&r, 2);
    for (int i = 0; i < 240; i++) {
        const char *source = sources[i % 6];
        struct profile *p = parse(source);
        for (int round = 0; round < 3; round++) {
            shuffle(&r, p, 1 + rng_below(&r, 4));
            char *text = profile_text(p);
            struct profile *q = parse(text);
            assert_same(p, q);
            ck_assert_msg(!strstr(text, "could not be edited"), "%s", text);
            assert_comments_kept(source, text);
            char *again = profile_text(q);
            ck_assert_str_eq(text, again);
            mem_free(again);
            mem_free(text);
            profile_free(p);
            p = q;
        }
        profile_free(p);
    }
}
END_TEST

/* The text after one --set is the text before with one piece replaced. */
static void assert_edit(const char *source, const char *set, const char *old, const char *new)
{
    struct err e;
    struct profile *p = parse(source);
    ck_assert_int_eq(profile_set(p, &model, set, &e), 1);
    char *text = profile_text(p);
    const char *at = strstr(source, old);
    ck_assert_ptr_nonnull(at);
    char *expected = mem_printf("%.*s%s%s", (int)(at - source), source, new, at + strlen(old));
    ck_assert_str_eq(text, expected);
    mem_free(expected);
    mem_free(text);
    profile_free(p);
}

START_TEST(one_edit_changes_one_place)
{
    assert_edit(block_text, "conv1:w3", "w: 5 # tried", "w: 3 # tried");
    assert_edit(block_text, "conv1:a2", "lock: true\n", "lock: true\n    a: 2\n");
    assert_edit(block_text, "conv1:w8", "w: 5 # tried", "w: 8 # tried");
    assert_edit(block_text, "fc:a6", "{a: 4,", "{a: 6,");
    assert_edit(block_text, "fc:w1", "range: minmax}", "range: minmax, w: 1}");
    assert_edit(block_text, "dw1:w2", "  fc:", "  dw1: {w: 2}\n  fc:");
    assert_edit(block_text, "odd*:w2", "# last\n", "# last\n  \"odd: name #1\": {w: 2}\n");
    assert_edit(flow_text, "conv1:w3", "{w: 5}", "{w: 3}");
    assert_edit(flow_text, "dw1:lock", "{w: 5}", "{w: 5}, dw1: {lock: true}");
    assert_edit(flow_text, "fc:w4,a8,unlock", "fc: {a: 4, lock: true}", "fc: {a: 8, lock: false}");
    assert_edit(HEAD "layers:\n  conv1: {w: 4}\n  fc: {a: 4}\n", "conv1:w8", "  conv1: {w: 4}\n", "");
    assert_edit(HEAD "layers: {conv1: {w: 4}, fc: {a: 4}}\n", "conv1:w8", "conv1: {w: 4}, ", "");
    assert_edit(HEAD "layers: {conv1: {w: 4}, fc: {a: 4}}\n", "fc:a8", ", fc: {a: 4}", "");
    assert_edit(HEAD "layers:\n  conv1: {w: 4}\n", "conv1:w8", "layers:\n  conv1: {w: 4}\n", "");
    assert_edit(HEAD "rules: [{match: fc, w: 4}]\nlayers:\n  fc: {w: 3}\n# end\n", "fc:w8", "{w: 3}", "{w: 8}");
    assert_edit(HEAD "target: host", "fc:w2", "target: host", "target: host\nlayers:\n  fc: {w: 2}\n");
    assert_edit(HEAD "layers:\n  # of fc\n  fc: {w: 3}\n", "dw1:a3", "layers:\n", "layers:\n  dw1: {a: 3}\n");
    /* the user's own name for a layer stays; a new entry has the short one */
    assert_edit(HEAD "layers:\n  /relu/Relu: {w: 3} # mine\n", "conv1:w2", "{w: 3}", "{w: 2}");
    assert_edit(HEAD "layers: {logits: {w: 3}, 45: {a: 2}}\n", "layer1.0.conv2:a3", "{a: 2}", "{a: 3}");
    assert_edit(HEAD "layers:\n  logits: {w: 3}\n  out.1: {w: 2}\n", "logits:w8", "  logits: {w: 3}\n", "");
    assert_edit(HEAD "layers:\n  /conv1/Conv: {w: 3}\n", "out.1:a2", "w: 3}\n", "w: 3}\n  layer1.0.conv1: {a: 2}\n");
    assert_edit("--- # start\n" HEAD "...\n", "fc:w2", "...", "layers:\n  fc: {w: 2}\n...");
}
END_TEST

START_TEST(results_are_replaced)
{
    struct profile *p = parse(block_text);
    p->estimate = (struct profile_result){true, 90.5, 0.25, NAN, 12, 0, 0};
    p->measurement.known = false;
    mem_free(p->executed[0]);
    p->executed[0] = NULL;
    char *text = profile_text(p);
    ck_assert_ptr_nonnull(strstr(text, "estimate: {accuracy: 90.5, accuracy_error: 0.25, latency_us: 12} # guess\n"));
    ck_assert_ptr_nonnull(strstr(text, "measurement:\n  # on Tuesday\n"));
    ck_assert_ptr_null(strstr(text, "w4a4-x"));
    struct profile *q = parse(text);
    assert_same(p, q);
    profile_free(q);
    mem_free(text);
    profile_free(p);
}
END_TEST

START_TEST(untouched_text_stays)
{
    const char *texts[] = {block_text, flow_text};
    for (int i = 0; i < 2; i++) {
        struct profile *p = parse(texts[i]);
        char *text = profile_text(p);
        ck_assert_str_eq(text, texts[i]);
        mem_free(text);
        profile_free(p);
    }
}
END_TEST

START_TEST(text_that_cannot_be_edited_is_kept_as_comment)
{
    /* A rule that insists on uniform codes does not go with 1-bit defaults. */
    struct profile *p = parse(HEAD "rules: [{match: \"*\", scheme: uniform}] # gr\xc3\xbc\xc3\x9f"
                                   "e\n");
    struct precision one = precision_default();
    precision_set_w(&one, 1);
    p->defaults = one;
    char *text = profile_text(p);
    struct profile *q = parse(text);
    assert_same(p, q);
    ck_assert_ptr_nonnull(strstr(text, "\n# rules: [{match: \"*\", scheme: uniform}] # gr\xc3\xbc\xc3\x9f"
                                       "e\n"));
    mem_free(text);
    profile_free(p);
    profile_free(q);
}
END_TEST

START_TEST(precedence)
{
    struct profile *p = parse(HEAD "defaults: {w: 6, a: 7}\n"
                                   "rules: [{match: \"layer1.*\", w: 5, lock: true}, {match: \"*.conv2\", w: 1},\n"
                                   "        {match: op=DWConv, w: fp32, a: 0}]\n"
                                   "layers: {dw2: {w: 3}, layer1.0.conv1: {lock: false}}\n");
    static const int w[N] = {6, 5, 1, 0, 3, 6, 6}, a[N] = {7, 7, 7, 0, 0, 7, 7}, lock[N] = {0, 0, 1, 0, 0, 0, 0};
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(p->layers[i].precision.w_bits, w[i]);
        ck_assert_int_eq(p->layers[i].precision.a_bits, a[i]);
        ck_assert_int_eq(p->layers[i].precision.scheme, w[i] == 1 ? SCHEME_BINARY : SCHEME_UNIFORM);
        ck_assert_int_eq(p->layers[i].lock, lock[i]);
    }
    profile_free(p);
}
END_TEST

/* --- errors ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *says; /* says: how the message begins */
} bad[] = {
    {"", "p.yaml:1:1: schema: bitfader/profile/1 is missing"},
    {"- 1\n", "p.yaml:1:1: a profile must be a mapping"},
    {"schema: bitfader/profile/2\n", "p.yaml:1:9: schema must be bitfader/profile/1, not bitfader/profile/2"},
    {HEAD "layer: {}\n", "p.yaml:3:1: unknown key layer in a profile; did you mean layers?"},
    {HEAD "layers: [1]\n", "p.yaml:3:9: layers must be a mapping"},
    {HEAD "layers: {conv1: 4}\n", "p.yaml:3:17: a layer must be a mapping"},
    {HEAD "layers:\n  conf1: {w: 4}\n", "p.yaml:4:3: layer conf1 is not in net.onnx (7 layers; nearest name conv1)"},
    {HEAD "layers:\n  conv1: {w: 4}\n  /relu/Relu: {a: 4}\n",
     "p.yaml:5:3: /relu/Relu is layer conv1, which already has an entry as conv1"},
    {HEAD "layers:\n  logits: {w: 4}\n  45: {w: 4}\n  /fc/Gemm: {a: 4}\n",
     "p.yaml:6:3: /fc/Gemm is layer fc, which already has an entry as logits"},
    {HEAD "layers: {shared: {w: 4}}\n", "p.yaml:3:10: shared is a name of conv1 and dw1; write the one that is meant"},
    {HEAD "rules:\n  - {match: shared, w: 4}\n", "p.yaml:4:13: shared is a name of conv1 and dw1; write the one"},
    {HEAD "layers: {/layer1/layer1.0/bn1/BatchNormalisation: {w: 4}}\n",
     "p.yaml:3:10: layer /layer1/layer1.0/bn1/BatchNormalisation is not in net.onnx (7 layers; nearest name "
     "/layer1/layer1.0/bn1/BatchNormalization)"},
    {HEAD "layers:\n  conv1: {w: 12}\n", "p.yaml:4:14: w must be 1..8 bits, or 0 or fp32 for float, not 12"},
    {HEAD "layers:\n  conv1: {a: -1}\n", "p.yaml:4:14: a must be 1..8 bits"},
    {HEAD "layers:\n  conv1: {a: }\n", "p.yaml:4:14: a must be 1..8 bits, or 0 or fp32 for float, not empty"},
    {HEAD "layers:\n  conv1: {w: [4]}\n", "p.yaml:4:14: w must be 1..8 bits, or 0 or fp32 for float, not a list"},
    {HEAD "layers: {conv1: {wb: 4}}\n", "p.yaml:3:18: unknown key wb in a layer; did you mean w?"},
    {HEAD "layers: {conv1: {scheme: lsq}}\n", "p.yaml:3:26: scheme must be uniform"},
    {HEAD "layers: {conv1: {range: x}}\n", "p.yaml:3:25: range must be minmax, percentile or mse, not x"},
    {HEAD "layers: {conv1: {granularity: x}}\n", "p.yaml:3:31: granularity must be tensor or channel, not x"},
    {HEAD "layers: {conv1: {lock: yes}}\n", "p.yaml:3:24: lock must be true or false, not yes"},
    {HEAD "layers: {conv1: {w: 1, scheme: uniform}}\n",
     "p.yaml:3:32: layer conv1: 1-bit weights cannot be uniform (that has 2 to 8 bits)"},
    {HEAD "layers: {conv1: {scheme: binary}}\n",
     "p.yaml:3:26: layer conv1: 8-bit weights cannot be binary (that has 1 bit)"},
    {HEAD "defaults: {w: 0, scheme: binary}\n", "p.yaml:3:26: fp32 weights cannot be binary"},
    {HEAD "defaults: {lock: true}\n", "p.yaml:3:12: unknown key lock in defaults"},
    {HEAD "rules: {}\n", "p.yaml:3:8: rules must be a list"},
    {HEAD "rules:\n  - 4\n", "p.yaml:4:5: a rule must be a mapping"},
    {HEAD "rules:\n  - {w: 4}\n", "p.yaml:4:5: a rule needs match"},
    {HEAD "rules:\n  - {match: \"op=LSTM\", w: 4}\n", "p.yaml:4:13: op=LSTM matches none of the 7 layers"},
    {HEAD "rules:\n  - {match: \"dw?x\", w: 4}\n", "p.yaml:4:13: dw?x matches none of the 7 layers (nearest name dw1)"},
    {HEAD "rules:\n  - {match: fc, scheme: binary}\n",
     "p.yaml:4:25: layer fc: 8-bit weights cannot be binary (that has 1 bit)"},
    {HEAD "budgets: {size: 120}\n", "p.yaml:3:17: size must be a number with its unit"},
    {HEAD "budgets: {latency: 3}\n", "p.yaml:3:20: latency must be a number with its unit"},
    {HEAD "budgets: {accuracy_drop: -1}\n", "p.yaml:3:26: accuracy_drop must be a number in 0..100, not -1"},
    {HEAD "budgets: {accuracy_min: 101}\n", "p.yaml:3:25: accuracy_min must be a number in 0..100, not 101"},
    {HEAD "budgets: {energy: 1}\n", "p.yaml:3:11: unknown key energy in budgets"},
    {HEAD "method: {seed: -4}\n", "p.yaml:3:16: seed must be a whole number"},
    {HEAD "method: {seed: 18446744073709551616}\n", "p.yaml:3:16: seed must be a whole number"},
    {HEAD "method: {search: [a]}\n", "p.yaml:3:18: search must be text, not a list"},
    {HEAD "estimate: {accuracy: nan}\n", "p.yaml:3:22: accuracy must be a number in 0..100, not nan"},
    {HEAD "estimate: {images: 3}\n", "p.yaml:3:12: unknown key images in estimate"},
    {HEAD "measurement: {executed: {fd: x}}\n", "p.yaml:3:26: layer fd is not in net.onnx (7 layers; nearest name fc)"},
    {HEAD "target: {a: 1}\n", "p.yaml:3:9: target must be text, not a mapping"},
    {HEAD "notes: [1]\n", "p.yaml:3:8: notes must be text"},
    {HEAD "target: a\ntarget: b\n", "p.yaml:4:1: target is here twice (the first is in line 3)"},
    {HEAD "layers: {conv1: &x {w: 4}, fc: *x}\n", "p.yaml:3:17: anchors (&name) are not understood"},
    {HEAD "layers: {conv1: {w: 4}\n", "p.yaml:"},
    {HEAD "\ttarget: x\n", "p.yaml:3:1: "},
    {"schema: bitfader/profile/1\nmodel: {fingerprint: xxh3-2}\n",
     "p.yaml:2:22: profile is for model xxh3-2, net.onnx is xxh3-00000000000000000000000000000001; --rebind matches"},
};

START_TEST(bad_profiles_say_where)
{
    struct err e = {""};
    ck_assert_ptr_null(profile_parse("p.yaml", bad[_i].text, &model, false, &e));
    ck_assert_msg(!strncmp(e.text, bad[_i].says, strlen(bad[_i].says)), "%s\nsays      %s\nshould say %s", bad[_i].text,
                  e.text, bad[_i].says);
}
END_TEST

START_TEST(rebind_takes_layers_not_results)
{
    static const char text[] = "schema: bitfader/profile/1\n"
                               "model: {file: old.onnx, fingerprint: xxh3-2} # was it\n"
                               "layers: {conv1: {w: 3}}\n"
                               "measurement: {accuracy: 90}\n";
    struct err e;
    struct profile *p = profile_parse("p.yaml", text, &model, true, &e);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(p->layers[0].precision.w_bits, 3);
    ck_assert_str_eq(p->model_fingerprint, model.fingerprint);
    ck_assert(!p->measurement.known);
    char *saved = profile_text(p);
    ck_assert_str_eq(saved, "schema: bitfader/profile/1\n"
                            "model: {file: net.onnx, fingerprint: xxh3-00000000000000000000000000000001} # was it\n"
                            "layers: {conv1: {w: 3}}\n");
    struct profile *q = parse(saved);
    assert_same(p, q);
    profile_free(q);
    profile_free(p);
    ck_assert_ptr_null(profile_parse(
        "p.yaml", "schema: bitfader/profile/1\nmodel: {fingerprint: xxh3-2}\nlayers: {x: }\n", &model, true, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "nearest name"));
    mem_free(saved);
}
END_TEST

START_TEST(line_ends_and_marks)
{
    struct profile *p = parse("\xef\xbb\xbfschema: bitfader/profile/1\r\nlayers:\r\n  fc: {w: 3} # a\r\n");
    char *text = profile_text(p);
    ck_assert_str_eq(text, "schema: bitfader/profile/1\nmodel: {file: net.onnx, fingerprint: "
                           "xxh3-00000000000000000000000000000001}\nlayers:\n  fc: {w: 3} # a\n");
    mem_free(text);
    profile_free(p);
}
END_TEST

/* --- loading, saving, settings, budgets --------------------------------------------------------------------------- */

START_TEST(save_keeps_backup_and_is_idempotent)
{
    struct err e;
    char path[128], bak[128];
    snprintf(path, sizeof path, "%s/p.yaml", scratch_dir);
    snprintf(bak, sizeof bak, "%s/p.yaml.bak", scratch_dir);
    ck_assert_int_eq(file_write(path, block_text, strlen(block_text), false, &e), 0);
    struct profile *p = profile_load(path, &model, false, &e);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(profile_set(p, &model, "fc:w2", &e), 1);
    ck_assert_int_eq(profile_save(p, path, &e), 0);
    size_t n;
    char *first = file_read(path, 1 << 20, &n, &e), *old = file_read(bak, 1 << 20, &n, &e);
    ck_assert_str_eq(old, block_text);
    ck_assert_str_eq(first, p->source);
    ck_assert_int_eq(profile_save(p, path, &e), 0);
    char *second = file_read(path, 1 << 20, &n, &e);
    ck_assert_str_eq(first, second);
    mem_free(first);
    mem_free(second);
    mem_free(old);
    profile_free(p);
    ck_assert_ptr_null(profile_load(scratch_dir, &model, false, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "is a directory"));
}
END_TEST

START_TEST(builtin_profiles)
{
    static const struct {
        const char *name;
        int w, a;
    } row[] = {{"fp32", 0, 0}, {"w8a8", 8, 8}, {"w4a8", 4, 8}, {"w1a1", 1, 1}, {"w4a32", 4, 0}, {"w32a8", 0, 8}};
    struct err e;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct profile *p = profile_load(row[i].name, &model, false, &e);
        ck_assert_ptr_nonnull(p);
        for (int k = 0; k < N; k++) {
            ck_assert_int_eq(p->layers[k].precision.w_bits, row[i].w);
            ck_assert_int_eq(p->layers[k].precision.a_bits, row[i].a);
            ck_assert(precision_valid(&p->layers[k].precision));
        }
        profile_free(p);
    }
    static const char *const not_builtin[] = {"w9a8", "w4", "w4a8x", "fp3", "w0a8", "a8w4"};
    for (int i = 0; i < 6; i++) {
        ck_assert_ptr_null(profile_load(not_builtin[i], &model, false, &e));
        ck_assert_msg(strstr(e.text, "no name of a profile"), "%s", e.text);
    }
}
END_TEST

START_TEST(standard_input)
{
    struct err e;
    char path[128];
    snprintf(path, sizeof path, "%s/in", scratch_dir);
    ck_assert_int_eq(file_write(path, flow_text, strlen(flow_text), false, &e), 0);
    int saved = dup(0), fd = open(path, O_RDONLY);
    dup2(fd, 0);
    struct profile *p = profile_load("-", &model, false, &e);
    dup2(saved, 0);
    close(saved);
    close(fd);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(p->layers[0].precision.w_bits, 5);
    profile_free(p);
}
END_TEST

START_TEST(settings)
{
    struct err e;
    struct precision d = precision_default();
    struct profile *p = profile_new(&model, &d);
    ck_assert_int_eq(profile_set(p, &model, "op=DWConv:w4a8,tensor,percentile,lock", &e), 2);
    ck_assert_int_eq(p->layers[3].precision.w_bits, 4);
    ck_assert_int_eq(p->layers[4].precision.granularity, GRANULARITY_TENSOR);
    ck_assert_int_eq(p->layers[4].precision.range, RANGE_PERCENTILE);
    ck_assert(p->layers[4].lock && !p->layers[0].lock);
    ck_assert_int_eq(profile_set(p, &model, "op=DWConv:w4", &e), 0);
    ck_assert_int_eq(profile_set(p, &model, "odd: name #1:fp32", &e), 1);
    ck_assert_int_eq(profile_set(p, &model, "/relu/Relu:w3", &e), 1);
    ck_assert_int_eq(p->layers[0].precision.w_bits, 3);
    ck_assert_int_eq(profile_set(p, &model, "*BatchNorm*:w2", &e), 1);
    ck_assert_int_eq(p->layers[1].precision.w_bits, 2);
    ck_assert_int_eq(profile_set(p, &model, "fc:w5", &e), 1); /* a short name, though another layer's alias too */
    ck_assert_int_eq(p->layers[5].precision.w_bits, 5);
    ck_assert_int_eq(p->layers[2].precision.w_bits, 8);
    ck_assert_int_eq(profile_set(p, &model, "/*:a5", &e), 3);
    ck_assert_int_eq(p->layers[2].precision.a_bits, 8);
    ck_assert_int_eq(profile_set(p, &model, "share?:a6", &e), 2); /* a pattern may mean both */
    ck_assert_int_eq(profile_set(p, &model, "r*x:w6", &e), 1);    /* a name, not a pattern that fits /relu... */
    ck_assert_int_eq(profile_set(p, &model, "*:w1", &e), N);
    ck_assert_int_eq(p->layers[5].precision.scheme, SCHEME_BINARY);
    static const char *const wrong[][2] = {{"conv1", "EXPR:SETTING"},
                                           {"conv1:", "EXPR:SETTING"},
                                           {":w4", "EXPR:SETTING"},
                                           {"conv1:w9", "\"w9\" is no setting"},
                                           {"conv1:w4,", "last comma"},
                                           {"conv1:w4,,a8", "\"\" is no setting"},
                                           {"conv9:w4", "nearest name conv1"},
                                           {"op=LSTM:w4", "op=LSTM matches none"},
                                           {"shared:w4", "shared is a name of conv1 and dw1; write the one"},
                                           {"/relu/Relo:w4", "nearest name /relu/Relu"},
                                           {"*:uniform", "1-bit weights cannot be uniform"},
                                           {"*:w4,binary", "4-bit weights cannot be binary"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(profile_set(p, &model, wrong[i][0], &e), -1);
        ck_assert_msg(strstr(e.text, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], e.text);
    }
    ck_assert_int_eq(p->layers[0].precision.w_bits, 1); /* nothing was changed on the way to an error */
    ck_assert_int_eq(profile_set(p, &model, "*:a8", &e), 5);
    ck_assert_int_eq(profile_check_groups(p, &model, &e), 0);
    ck_assert_int_eq(profile_set(p, &model, "dw1:a3", &e), 1);
    ck_assert_int_eq(profile_check_groups(p, &model, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "layers layer1.0.conv1 and dw1"));
    profile_free(p);
}
END_TEST

START_TEST(budget_words)
{
    struct err e;
    struct budgets b = budgets_none();
    ck_assert_int_eq(budgets_parse(&b, "size=1.5KiB", &e), 0);
    ck_assert_int_eq(budgets_parse(&b, "lat=3.4ms", &e), 0);
    ck_assert_int_eq(budgets_parse(&b, "acc-drop=0.5pp", &e), 0);
    ck_assert_int_eq(budgets_parse(&b, "acc=91.5%", &e), 0);
    ck_assert_int_eq(b.bytes, 1536);
    ck_assert(b.latency_ns == 3.4e6 && b.accuracy_drop == 0.5 && b.accuracy_min == 91.5);
    static const char *const wrong[] = {"size=112", "size=KiB", "lat=3", "acc-drop=0.5", "acc=pp",   "acc=101",
                                        "x=1",      "size",     "",      "acc=",         "acc=1.2.3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(budgets_parse(&b, wrong[i], &e) == -1, "%s", wrong[i]);
    ck_assert_int_eq(b.bytes, 1536);
}
END_TEST

Suite *check_profile_suite(void)
{
    Suite *s = suite_create("profile");
    TCase *t = tcase_create("text");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, random_profiles_come_back);
    tcase_add_test(t, random_edits_keep_the_rest);
    tcase_add_test(t, one_edit_changes_one_place);
    tcase_add_test(t, results_are_replaced);
    tcase_add_test(t, untouched_text_stays);
    tcase_add_test(t, text_that_cannot_be_edited_is_kept_as_comment);
    tcase_add_test(t, precedence);
    tcase_add_loop_test(t, bad_profiles_say_where, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, rebind_takes_layers_not_results);
    tcase_add_test(t, line_ends_and_marks);
    tcase_add_test(t, builtin_profiles);
    tcase_add_test(t, settings);
    tcase_add_test(t, budget_words);
    suite_add_tcase(s, t);
    t = tcase_create("files");
    tcase_add_checked_fixture(t, scratch_make, scratch_drop);
    tcase_add_test(t, save_keeps_backup_and_is_idempotent);
    tcase_add_test(t, standard_input);
    suite_add_tcase(s, t);
    return s;
}
