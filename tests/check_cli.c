/* SPDX-License-Identifier: MIT
 *
 * The command line from outside: help, options, forms of output, pipes, signals. Loops over the tables of cli/, so that
 * a new command or option is tested without a new test.
 */
#include <check.h>
#include <cjson/cJSON.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "kernels/kernels.h"
#include "tests/onnx_make.h"
#include "tests/process.h"

Suite *check_cli_suite(void);

static int lines(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

/* Cells of the line that s begins with; all characters of tables are one cell wide. */
static int cells_in(const char *s)
{
    int n = 0;
    for (; *s && *s != '\n'; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static bool one_message(const struct process *p)
{
    return lines(p->err) == 1 && !strncmp(p->err, "bitfader: ", 10) && p->err[p->err_n - 1] == '\n';
}

/* Runs, and expects the status, one line on standard error with `part` in it, and nothing on standard output. */
static void expect_refusal(const struct room *r, const char *words, int status, const char *part)
{
    struct process p = process_run(r, NULL, words);
    ck_assert_msg(p.status == status, "%s: status %d, not %d: %s", words, p.status, status, p.err);
    ck_assert_msg(one_message(&p), "%s: not one line: %s", words, p.err);
    ck_assert_msg(strstr(p.err, part), "%s: no '%s' in %s", words, part, p.err);
    ck_assert_msg(!p.out_n, "%s: standard output has %s", words, p.out);
    process_done(&p);
}

START_TEST(help_of_every_command)
{
    struct room r;
    if (room_open(&r))
        return;
    for (int i = 0; i < commands_count; i++) {
        const struct command *c = commands_table[i];
        const char *const forms[] = {"%s --help", "-h %s", "help %s"};
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
            char words[64];
            if (!strcmp(c->name, "help") && k < 2)
                continue;
            snprintf(words, sizeof words, forms[k], c->name);
            struct process p = process_run(&r, NULL, words);
            ck_assert_int_eq(p.status, 0);
            ck_assert_uint_eq(p.err_n, 0);
            ck_assert_ptr_nonnull(strstr(p.out, c->help));
            for (int o = 0; o < option_count; o++) {
                char name[64];
                snprintf(name, sizeof name, " --%s ", option_table[o].name);
                ck_assert_msg(!strstr(p.out, name) == !commands_take(c, &option_table[o]), "%s: %s", words, name);
            }
            process_done(&p);
        }
    }
    room_close(&r);
}
END_TEST

START_TEST(no_argument_is_usage)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "");
    ck_assert_int_eq(p.status, 2);
    ck_assert_uint_eq(p.out_n, 0);
    ck_assert_int_le(lines(p.err), 10);
    process_done(&p);
    p = process_run(&r, NULL, "--version");
    ck_assert_int_eq(p.status, 0);
    ck_assert_str_eq(p.out, "bitfader " BITFADER_VERSION "\n");
    process_done(&p);
    room_close(&r);
}
END_TEST

START_TEST(typos_are_refused_with_the_nearest_name)
{
    struct room r;
    if (room_open(&r))
        return;
    for (int i = 0; i < commands_count; i++) { /* two letters swapped */
        char name[32], part[64];
        snprintf(name, sizeof name, "%s", commands_table[i]->name);
        char c = name[1];
        name[1] = name[2];
        name[2] = c;
        snprintf(part, sizeof part, "Did you mean '%s'?", commands_table[i]->name);
        expect_refusal(&r, name, 2, part);
    }
    for (int i = 0; i < option_count; i++) { /* one letter too many */
        char words[64], part[64];
        snprintf(words, sizeof words, "inspect $M --%sx", option_table[i].name);
        snprintf(part, sizeof part, "Did you mean '--%s'?", option_table[i].name);
        expect_refusal(&r, words, 2, part);
    }
    room_close(&r);
}
END_TEST

/* True when s is the name of an option or a command. */
static bool is_name(const char *s, bool option)
{
    for (int i = 0; option && i < option_count; i++)
        if (!strcmp(s, option_table[i].name))
            return true;
    return !option && commands_find(s);
}

START_TEST(abbreviations_are_refused)
{
    struct room r;
    if (room_open(&r))
        return;
    for (int i = 0; i < option_count; i++) {
        char shorter[32], words[64];
        snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(option_table[i].name) - 1, option_table[i].name);
        snprintf(words, sizeof words, "inspect $M --%s", shorter);
        if (!is_name(shorter, true))
            expect_refusal(&r, words, 2, "unknown option");
    }
    for (int i = 0; i < commands_count; i++) {
        char shorter[32];
        snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(commands_table[i]->name) - 1, commands_table[i]->name);
        if (!is_name(shorter, false))
            expect_refusal(&r, shorter, 2, "unknown command");
    }
    room_close(&r);
}
END_TEST

START_TEST(options_belong_to_commands)
{
    struct room r;
    if (room_open(&r))
        return;
    for (int o = 0; o < option_count; o++) {
        if (!option_table[o].argument && option_table[o].takes && !commands_take(&command_help, &option_table[o])) {
            char words[64];
            snprintf(words, sizeof words, "help --%s", option_table[o].name);
            expect_refusal(&r, words, 2, "takes no option");
        }
        if (option_table[o].argument) {
            char words[64];
            snprintf(words, sizeof words, "inspect $M --%s", option_table[o].name);
            expect_refusal(&r, words, 2, "needs a value");
        }
    }
    room_close(&r);
}
END_TEST

START_TEST(values_are_checked)
{
    static const struct {
        const char *words, *part;
        int status;
    } rows[] = {
        {"estimate $M --budget size=112", "unit", 2},
        {"estimate $M --budget lat=3.4", "unit", 2},
        {"estimate $M --budget", "needs a value", 2},
        {"estimate $M --budget speed=3ms", "speed", 2},
        {"estimate $M --budget size=1MiB --budget size=2MiB", "another limit", 2},
        {"estimate $M --budget acc-drop=1pp --budget acc-drop=1pp", "another limit", 2},
        {"search $M --minimize nonsense", "--minimize: 'nonsense' is none of loss, size, latency, energy", 2},
        {"demo $M --minimize nonsense", "--minimize: 'nonsense' is none of", 2},
        {"doctor --isa nonsense", "--isa: 'nonsense' is none of c, ", 2},
        {"inspect $M --json --plain", "one of --json, --csv and --plain at a time", 2},
        {"inspect $M --shape nothing:1x3", "no input \"nothing\"", 3},
        {"inspect $M --shape input", "INPUT:SHAPE", 2},
        {"inspect $M --shape input:1x", "INPUT:SHAPE", 2},
        {"inspect $M --shape input:1x0", "INPUT:SHAPE", 2},
        {"inspect $M --shape a:1 --shape a:2", "another shape", 2},
        {"inspect $M --shape input:1x1x29x29", "does not fit", 3},
        {"inspect $M --value input", "INPUT=NUMBER", 2},
        {"inspect $M --value input=", "INPUT=NUMBER", 2},
        {"inspect $M --value =1", "INPUT=NUMBER", 2},
        {"inspect $M --value a=1 --value a=2", "another value", 2},
        {"inspect $M --value nothing=1", "no input \"nothing\"", 3},
        {"inspect $M --value input=1,2", "--value has 2 numbers", 3},
        {"inspect $M --value input=many", "'many' is not of its type float", 3},
        {"estimate - -p w4a4", "standard input", 3},
        {"estimate $M --json --csv", "at a time", 2},
        {"estimate $M --json=yes", "takes no value", 2},
        {"estimate $M -n -3", "-3", 2},
        {"estimate $M -n 3x", "3x", 2},
        {"estimate $M -j 0", "0", 2},
        {"estimate $M --seed -1", "-1", 2},
        {"estimate $M -t phone", "host", 2},
        {"estimate $M --isa sse9", "sse9", 2},
        {"estimate $M --progress much", "auto, bar, lines, none", 2},
        {"estimate $M --set w4", "':'", 2},
        {"estimate $M --set nothing.like.this:w4", "nothing.like.this", 4},
        {"estimate $M --lock nothing.like.this", "nothing.like.this", 4},
        {"estimate $M -p w9a4", "w9a4", 4},
        {"search $M --minimize joy", "joy", 2},
        {"search $M", "-d", 2},
        {"run $M", "-d", 2},
        {"analyze $M", "-d", 2},
        {"shot $M --size 12", "COLUMNSxROWS", 2},
        {"profile chekc $M", "check, show, set", 2},
        {"profile set $M", "-o", 2},
        {"inspect", "usage", 2},
        {"inspect $M $M", "too many", 2},
        {"inspect $M -s nothing", "no column", 2},
        {"inspect $M -s name:up", ":desc", 2},
        {"inspect $M --table nothing", "layers", 2},
        {"inspect -Z $M", "-Z", 2},
        {"help me", "no help", 2},
    };
    struct room r;
    if (room_open(&r))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refusal(&r, rows[i].words, rows[i].status, rows[i].part);
    room_close(&r);
}
END_TEST

/* The page of the manual is what the program prints, and has what the manual promises. */
START_TEST(operators_page)
{
    static const char *const promised[] = {"Conv",
                                           "ConvTranspose",
                                           "Gemm",
                                           "MatMul",
                                           "BatchNormalization",
                                           "InstanceNormalization",
                                           "LayerNormalization",
                                           "GroupNormalization",
                                           "LRN",
                                           "Add",
                                           "Sub",
                                           "Mul",
                                           "Div",
                                           "Mod",
                                           "Equal",
                                           "Greater",
                                           "GreaterOrEqual",
                                           "Less",
                                           "LessOrEqual",
                                           "Relu",
                                           "Clip",
                                           "LeakyRelu",
                                           "PRelu",
                                           "Elu",
                                           "Selu",
                                           "Celu",
                                           "ThresholdedRelu",
                                           "Sigmoid",
                                           "HardSigmoid",
                                           "HardSwish",
                                           "Mish",
                                           "Softplus",
                                           "Softsign",
                                           "Tanh",
                                           "Erf",
                                           "Gelu",
                                           "Softmax",
                                           "LogSoftmax",
                                           "Hardmax",
                                           "Sqrt",
                                           "Exp",
                                           "Log",
                                           "Pow",
                                           "Reciprocal",
                                           "Abs",
                                           "Neg",
                                           "Floor",
                                           "Ceil",
                                           "Round",
                                           "Sign",
                                           "Sin",
                                           "Cos",
                                           "Not",
                                           "And",
                                           "Or",
                                           "Xor",
                                           "Where",
                                           "Min",
                                           "Max",
                                           "Mean",
                                           "Sum",
                                           "MaxPool",
                                           "AveragePool",
                                           "LpPool",
                                           "GlobalAveragePool",
                                           "GlobalMaxPool",
                                           "GlobalLpPool",
                                           "ReduceL1",
                                           "ReduceL2",
                                           "ReduceLogSum",
                                           "ReduceLogSumExp",
                                           "ReduceMax",
                                           "ReduceMean",
                                           "ReduceMin",
                                           "ReduceProd",
                                           "ReduceSum",
                                           "ReduceSumSquare",
                                           "ArgMax",
                                           "ArgMin",
                                           "TopK",
                                           "CumSum",
                                           "Resize",
                                           "Upsample",
                                           "Pad",
                                           "DepthToSpace",
                                           "SpaceToDepth",
                                           "Concat",
                                           "Split",
                                           "Slice",
                                           "Gather",
                                           "GatherElements",
                                           "GatherND",
                                           "Scatter",
                                           "ScatterElements",
                                           "ScatterND",
                                           "Transpose",
                                           "Reshape",
                                           "Flatten",
                                           "Squeeze",
                                           "Unsqueeze",
                                           "Expand",
                                           "Tile",
                                           "Shape",
                                           "Size",
                                           "Constant",
                                           "ConstantOfShape",
                                           "Range",
                                           "OneHot",
                                           "Cast",
                                           "CastLike",
                                           "Identity",
                                           "Dropout",
                                           "Einsum",
                                           "LSTM",
                                           "GRU",
                                           "RNN",
                                           "QuantizeLinear",
                                           "DequantizeLinear",
                                           "DynamicQuantizeLinear",
                                           "QLinearConv",
                                           "QLinearMatMul",
                                           "ConvInteger",
                                           "MatMulInteger"};
    struct room r;
    size_t n;
    struct err e;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "help operators");
    char *page = file_read("docs/operators.md", 1 << 20, &n, &e);
    ck_assert_msg(page != NULL, "%s", e.text);
    ck_assert_int_eq(p.status, 0);
    ck_assert_msg(strlen(p.out) == n && !memcmp(p.out, page, n), "docs/operators.md is out of date: make docs");
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        char *row = mem_printf("\n| %s | ai.onnx |", promised[i]);
        ck_assert_msg(strstr(p.out, row) != NULL, "%s is missing", promised[i]);
        mem_free(row);
    }
    static const char *const rows[] = {"| Quant | onnx.brevitas | 4 |",
                                       "| BipolarQuant | qonnx.custom_op.general | 2 |",
                                       "| Conv | ai.onnx | 2 to 3 | layer |",
                                       "| Relu | ai.onnx | 1 | codes |",
                                       "| Softmax | ai.onnx | 1 | float |",
                                       "| Flatten | ai.onnx | 1 | reshape |",
                                       "| Concat | ai.onnx | 1 or more | codes |",
                                       "| Shape | ai.onnx | 1 | import |",
                                       "| Tanh | ai.onnx | 1 | codes by table |"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(strstr(p.out, rows[i]) != NULL, "%s", rows[i]);
    mem_free(page);
    process_done(&p);
    room_close(&r);
}
END_TEST

START_TEST(a_model_from_standard_input)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process named = process_run(&r, NULL, "inspect $M --plain");
    struct process piped = process_run(&r, &(struct process_options){.in_path = r.model}, "inspect - --plain");
    ck_assert_int_eq(piped.status, 0);
    ck_assert_str_eq(piped.out, named.out);
    process_done(&named);
    process_done(&piped);
    room_close(&r);
}
END_TEST

/* One input needs no name; of several the header says which is which. */
START_TEST(inputs_have_names)
{
    static const struct {
        const char *model, *head;
    } rows[] = {{"in x 1,8\nconst w 8,6\nMatMul(x,w)->y\nout y", "   input 1x8   "},
                {"in x 1,8\nin state 2,1,6\nconst w 8,6\nMatMul(x,w)->m\nAdd(m,state)->y\nout y",
                 "   input x 1x8   input state 2x1x6   "}};
    struct room r;
    if (room_open(&r))
        return;
    for (int i = 0; i < 2; i++) {
        struct arena a = {0};
        size_t n;
        unsigned char *bytes = onnx_make_bytes(onnx_make_model(rows[i].model, &a), &a, &n);
        room_write(&r, "m.onnx", bytes, n);
        struct process p = process_run(&r, NULL, "inspect $D/m.onnx");
        ck_assert_msg(p.status == 0 && strstr(p.out, rows[i].head), "%s%s", p.err, p.out);
        process_done(&p);
        arena_done(&a);
    }
    room_close(&r);
}
END_TEST

/* One row a kernel, narrow enough for a plain terminal. */
START_TEST(doctor_lists_kernels)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "doctor --table kernels");
    for (const char *s = p.out; *s; s += strcspn(s, "\n") + 1)
        ck_assert_msg(cells_in(s) <= 80, "%.*s", (int)strcspn(s, "\n"), s);
    for (int i = 0; i < conv_kernel_count; i++) {
        const struct conv_kernel *k = conv_kernels[i];
        const char *row = strstr(p.out, k->name);
        ck_assert_msg(row && strstr(row, kernel_family_name(k->family)) && strstr(row, k->tile), "%s", k->name);
    }
    for (int i = 0; i < matmul_kernel_count; i++)
        ck_assert_msg(strstr(p.out, matmul_kernels[i]->name) != NULL, "%s", matmul_kernels[i]->name);
    process_done(&p);
    p = process_run(&r, NULL, "doctor --json --isa c");
    cJSON *json = cJSON_Parse(p.out), *row;
    int i = 0;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "kernels"))
    {
        if (i >= conv_kernel_count)
            break;
        const struct conv_kernel *k = conv_kernels[i++];
        ck_assert_str_eq(cJSON_GetObjectItem(row, "kernel")->valuestring, k->name);
        ck_assert_int_eq(cJSON_IsTrue(cJSON_GetObjectItem(row, "enabled")), k->isa == ISA_C);
    }
    ck_assert_int_eq(i, conv_kernel_count);
    cJSON_Delete(json);
    process_done(&p);
    room_close(&r);
}
END_TEST

/* --- forms of output ---------------------------------------------------------------------------------------------- */

static const char *const table_words[] = {"inspect $M",
                                          "estimate $M -p w4a4",
                                          "estimate $M --table layers",
                                          "profile show $M -p w4a8",
                                          "profile check $M -p w4a8",
                                          "doctor --table kernels"};
enum { TABLE_WORDS = sizeof table_words / sizeof *table_words };

static struct process run_form(const struct room *r, const char *words, const char *form)
{
    char *all = mem_printf("%s %s", words, form);
    struct process p = process_run(r, NULL, all);
    ck_assert_msg(p.status == 0, "%s: status %d: %s", all, p.status, p.err);
    mem_free(all);
    return p;
}

START_TEST(json_is_one_object_with_a_schema)
{
    struct room r;
    if (room_open(&r))
        return;
    for (int i = 0; i < TABLE_WORDS; i++) {
        struct process p = run_form(&r, table_words[i], "--json");
        const char *end = NULL;
        cJSON *json = cJSON_ParseWithOpts(p.out, &end, false);
        ck_assert_ptr_nonnull(json);
        ck_assert_str_eq(end, "\n");
        const char *schema = cJSON_GetStringValue(cJSON_GetObjectItem(json, "schema"));
        ck_assert_ptr_nonnull(schema);
        ck_assert(!strncmp(schema, "bitfader/", 9) && !strcmp(schema + strlen(schema) - 2, "/1"));
        for (const char *s = p.out; *s; s++)
            ck_assert(!(s[0] == 'n' && s[1] == 'a' && s[2] == 'n' && s[-1] != '"'));
        cJSON_Delete(json);
        process_done(&p);
    }
    room_close(&r);
}
END_TEST

/* One CSV record into cells; returns what follows it. Written against RFC 4180, not against the writer. */
static const char *read_record(const char *s, char cells[64][256], int *n)
{
    *n = 0;
    for (;;) {
        char *out = cells[(*n)++];
        size_t used = 0;
        if (*s == '"') {
            for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
                ck_assert_uint_lt(used, 255);
                out[used++] = *s;
                s += *s == '"';
            }
            ck_assert_int_eq(*s++, '"');
        } else {
            for (; *s && !strchr(",\"\r\n", *s) && used < 255; s++)
                out[used++] = *s;
        }
        out[used] = '\0';
        if (*s != ',')
            break;
        s++;
    }
    ck_assert_msg(s[0] == '\r' && s[1] == '\n', "a record ends in CR LF: %s", s);
    return s + 2;
}

/* cJSON writes 15 digits, and more only where they are missed. */
static bool close_to(double a, double b)
{
    return fabs(a - b) <= 1e-14 * fabs(b);
}

/* The same cell in JSON: numbers compare as numbers, null is empty. */
static bool same_cell(const cJSON *item, const char *cell)
{
    if (cJSON_IsNull(item))
        return !*cell;
    if (cJSON_IsBool(item))
        return !strcmp(cell, cJSON_IsTrue(item) ? "true" : "false");
    return cJSON_IsString(item) ? !strcmp(cell, item->valuestring) : close_to(strtod(cell, NULL), item->valuedouble);
}

/* What is timed differs from run to run; each cell of CSV is still the form that JSON has. */
static bool is_timed(const char *key)
{
    return strstr(key, "latency") || strstr(key, "energy");
}

START_TEST(csv_holds_what_json_holds)
{
    static const struct {
        const char *words, *table;
    } rows[] = {{"inspect $M", "layers"},
                {"profile show $M -p w4a8", "layers"},
                {"doctor --table kernels", "kernels"},
                {"estimate $M --table layers", "layers"}};
    static char heads[64][256], cells[64][256];
    struct room r;
    if (room_open(&r))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct process csv = run_form(&r, rows[i].words, "--csv"), json = run_form(&r, rows[i].words, "--json");
        cJSON *object = cJSON_Parse(json.out), *row;
        int columns, n;
        const char *s = read_record(csv.out, heads, &columns);
        cJSON_ArrayForEach(row, cJSON_GetObjectItem(object, rows[i].table))
        {
            s = read_record(s, cells, &n);
            ck_assert_int_eq(n, columns);
            ck_assert_int_eq(cJSON_GetArraySize(row), columns);
            for (int c = 0; c < columns; c++) {
                const cJSON *item = cJSON_GetObjectItem(row, heads[c]);
                ck_assert_msg(item && (is_timed(heads[c]) || same_cell(item, cells[c])), "%s: %s", heads[c], cells[c]);
            }
        }
        ck_assert_str_eq(s, "");
        cJSON_Delete(object);
        process_done(&csv);
        process_done(&json);
    }
    room_close(&r);
}
END_TEST

START_TEST(csv_quotes)
{
    static const struct column columns[] = {{"name", NULL, COLUMN_TEXT}, {"value", NULL, COLUMN_NUMBER}};
    static const char *const names[] = {"plain", "with, comma", "with \"quotes\"", "two\r\nlines", ""};
    static char cells[64][256];
    struct table *t = table_new("t", columns, 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        table_add_text(t, names[i]);
        table_add_number(t, 0.1 + (double)i / 3);
    }
    struct text out = {0};
    table_put_csv(t, &out);
    int n;
    const char *s = read_record(out.s, cells, &n);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        s = read_record(s, cells, &n);
        ck_assert_int_eq(n, 2);
        ck_assert_str_eq(cells[0], names[i]);
        ck_assert_double_eq(strtod(cells[1], NULL), 0.1 + (double)i / 3);
    }
    ck_assert_str_eq(s, "");
    text_done(&out);
    table_free(t);
}
END_TEST

START_TEST(tables_sort_and_cut)
{
    static const struct column columns[] = {{"name", NULL, COLUMN_TEXT}, {"value", "Value", COLUMN_NUMBER}};
    struct table *t = table_new("t", columns, 2);
    const double values[] = {3, NAN, 1, 3, 2};
    for (int i = 0; i < 5; i++) {
        table_add_format(t, "%c", 'a' + i);
        table_add_number(t, values[i]);
    }
    struct err e;
    struct text out = {0};
    ck_assert_int_eq(table_sort(t, "value:desc", &e), 0);
    table_put_plain(t, &out);
    ck_assert_str_eq(out.s, "name\tvalue\na\t3\nd\t3\ne\t2\nc\t1\nb\t\n");
    ck_assert_int_eq(table_sort(t, "Value", &e), 0);
    ck_assert_int_eq(table_limit(t, 2), 3);
    out.n = 0;
    table_put_plain(t, &out);
    ck_assert_str_eq(out.s, "name\tvalue\nc\t1\ne\t2\n");
    ck_assert_int_eq(table_sort(t, "nothing", &e), -1);
    text_done(&out);
    table_free(t);
}
END_TEST

START_TEST(people_get_aligned_columns)
{
    static const struct column columns[] = {{"name", NULL, COLUMN_TEXT},
                                            {"big", NULL, COLUMN_NUMBER, .group = true},
                                            {"x", "\u00b5s", COLUMN_NUMBER, .decimals = 1, .drop = 1},
                                            {"note", NULL, COLUMN_TEXT, .hide = true}};
    struct table *t = table_new("t", columns, 4);
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    table_add_text(t, "caf\u00e9");
    table_add_number(t, 1234567);
    table_add_number(t, -0.25);
    table_add_text(t, NULL);
    table_add_text(t, "a\033b");
    table_add_number(t, 12);
    table_add_number(t, NAN);
    table_add_text(t, NULL);
    struct text out = {0};
    table_put_human(t, GLYPHS_ASCII, 0, &out);
    ck_assert_str_eq(out.s, "name        big    us\n"
                            "----  ---------  ----\n"
                            "caf?  1,234,567  -0.2\n"
                            "a?b          12     .\n");
    out.n = 0;
    table_put_human(t, GLYPHS_BRAILLE, 16, &out);
    ck_assert_str_eq(out.s, "name        big\n"
                            "\u2500\u2500\u2500\u2500  \u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\n"
                            "caf\u00e9  1,234,567\n"
                            "a?b          12\n");
    text_done(&out);
    table_free(t);
}
END_TEST

START_TEST(plain_and_limits)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process p = run_form(&r, "inspect $M -s macs:desc -n 2", "--plain");
    ck_assert_int_eq(lines(p.out), 3);
    ck_assert_ptr_null(strstr(p.out, "  "));
    process_done(&p);
    p = run_form(&r, "inspect", "-- $M"); /* "--" ends the options */
    process_done(&p);
    p = run_form(&r, "--json", "-n 1 inspect $M"); /* options anywhere */
    process_done(&p);
    p = process_run(&r, &(struct process_options){.variable = "LC_ALL=C"}, "estimate $M");
    for (size_t i = 0; i < p.out_n; i++)
        ck_assert(p.out[i] == '\n' || (p.out[i] >= ' ' && p.out[i] < 127));
    process_done(&p);
    room_close(&r);
}
END_TEST

START_TEST(output_files)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "inspect $M --csv -o $D/layers.csv");
    ck_assert_int_eq(p.status, 0);
    ck_assert_uint_eq(p.out_n, 0);
    process_done(&p);
    expect_refusal(&r, "inspect $M --csv -o $D/layers.csv", 2, "-f");
    p = process_run(&r, NULL, "inspect $M --csv -f -o $D/layers.csv");
    ck_assert_int_eq(p.status, 0);
    process_done(&p);
    ck_assert_int_eq(room_files(&r), 1);
    p = process_run(&r, NULL, "profile set $M --set *:w4a4 -q -o $D/p.yaml");
    ck_assert_int_eq(p.status, 0);
    ck_assert_uint_eq(p.err_n, 0);
    process_done(&p);
    p = process_run(&r, NULL, "profile set $M -p $D/p.yaml --set *:w2 -q"); /* in place, the old one kept */
    ck_assert_int_eq(p.status, 0);
    process_done(&p);
    ck_assert_int_eq(room_files(&r), 3);
    p = process_run(&r, NULL, "profile show $M -p $D/p.yaml --plain -n 1");
    ck_assert_ptr_nonnull(strstr(p.out, "\t2\t4\tuniform"));
    process_done(&p);
    room_close(&r);
}
END_TEST

/* --- pipes and signals -------------------------------------------------------------------------------------------- */

START_TEST(output_that_cannot_be_written)
{
    static const char *const words[] = {"inspect $M", "help", "doctor", "inspect $M --json"};
    struct room r;
    if (room_open(&r))
        return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct process p = process_run(&r, &(struct process_options){.out_path = "/dev/full"}, words[i]);
        ck_assert_int_eq(p.status, 1);
        ck_assert_str_eq(p.err, "bitfader: cannot write to standard output: No space left on device\n");
        process_done(&p);
        p = process_run(&r, &(struct process_options){.out_closed = true}, words[i]);
        ck_assert_int_eq(p.status, 1);
        ck_assert(one_message(&p));
        process_done(&p);
    }
    room_close(&r);
}
END_TEST

START_TEST(a_reader_that_leaves)
{
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, &(struct process_options){.out_unread = true}, "inspect $M --json");
    ck_assert_int_eq(p.status, 141);
    ck_assert_uint_eq(p.err_n, 0);
    process_done(&p);
    room_close(&r);
}
END_TEST

/* Whatever was going on: the status, one line, and a report that says that it is not all. */
START_TEST(signals_stop_with_what_is_there)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const commands[] = {"analyze $M", "estimate $M -p w4a4", "run $M -p w4a4",
                                           "search $M --budget size=100KiB"};
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "doctor --plain");
    bool data = strstr(p.out, "\tfashion-mnist\tok\t");
    process_done(&p);
    if (!data)
        fprintf(stderr, "skipped: no fashion-mnist here, so nothing is slow\n");
    for (int i = 0; data && i < 12; i++) {
        int n = signals[i % 3];
        char *words = mem_printf("%s -d fashion-mnist --no-cache --progress=lines --json", commands[i / 3]);
        p = process_run(&r, &(struct process_options){.signal = n}, words);
        ck_assert_msg(p.status == 128 + n, "%s: status %d: %s", words, p.status, p.err);
        ck_assert_ptr_nonnull(strstr(p.err, n == SIGINT ? "bitfader: stopping; Ctrl-C again stops now\n"
                                                        : "bitfader: stopping; a second signal stops now\n"));
        cJSON *json = cJSON_Parse(p.out);
        ck_assert_msg(json != NULL, "%s: %s", words, p.out);
        ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(json, "partial")));
        cJSON_Delete(json);
        process_done(&p);
        mem_free(words);
    }
    room_close(&r);
}
END_TEST

Suite *check_cli_suite(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("cli");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, help_of_every_command);
    tcase_add_test(t, no_argument_is_usage);
    tcase_add_test(t, typos_are_refused_with_the_nearest_name);
    tcase_add_test(t, abbreviations_are_refused);
    tcase_add_test(t, options_belong_to_commands);
    tcase_add_test(t, values_are_checked);
    tcase_add_test(t, a_model_from_standard_input);
    tcase_add_test(t, inputs_have_names);
    tcase_add_test(t, operators_page);
    tcase_add_test(t, doctor_lists_kernels);
    tcase_add_test(t, json_is_one_object_with_a_schema);
    tcase_add_test(t, csv_holds_what_json_holds);
    tcase_add_test(t, csv_quotes);
    tcase_add_test(t, tables_sort_and_cut);
    tcase_add_test(t, people_get_aligned_columns);
    tcase_add_test(t, plain_and_limits);
    tcase_add_test(t, output_files);
    tcase_add_test(t, output_that_cannot_be_written);
    tcase_add_test(t, a_reader_that_leaves);
    tcase_add_test(t, signals_stop_with_what_is_there);
    suite_add_tcase(s, t);
    return s;
}
