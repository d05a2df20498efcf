/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "data/dataset.h"
#include "kernels/float_conv.h"
#include "kernels/isa.h"
#include "kernels/kernels.h"

static const struct column check_columns[] = {
    {"part", NULL, COLUMN_TEXT},
    {"what", NULL, COLUMN_TEXT},
    {"state", NULL, COLUMN_TEXT},
    {"detail", NULL, COLUMN_TEXT, .hide = true},
};

static const struct column kernel_columns[] = {
    {"kernel", NULL, COLUMN_TEXT},
    {"family", NULL, COLUMN_TEXT},
    {"w_bits", "W", COLUMN_TEXT},
    {"a_bits", "A", COLUMN_TEXT},
    {"schemes", NULL, COLUMN_TEXT, .drop = 2},
    {"tile", NULL, COLUMN_TEXT, .drop = 1},
    {"isa", NULL, COLUMN_TEXT},
    {"usable", NULL, COLUMN_TEXT, READER_HUMAN},
    {"supported", NULL, COLUMN_BOOL, READER_MACHINE},
    {"enabled", NULL, COLUMN_BOOL, READER_MACHINE},
};

static void add(struct table *t, const char *part, const char *what, const char *state, const char *detail)
{
    table_add_text(t, part);
    table_add_text(t, what);
    table_add_text(t, state);
    table_add_text(t, detail);
}

static void check_processor(struct table *t)
{
    char name[256], n[32];
    host_processor(name, sizeof name);
    add(t, "processor", "name", *name ? name : "not known", NULL);
    for (int i = 0; i < ISA_COUNT; i++)
        if (isa_name((enum isa)i))
            add(t, "processor", isa_name((enum isa)i),
                isa_enabled((enum isa)i)     ? "used"
                : isa_supported((enum isa)i) ? "not used (--isa)"
                                             : "not there",
                NULL);
    snprintf(n, sizeof n, "%d", parallel_threads());
    add(t, "processor", "threads", n, NULL);
}

static void check_terminal(struct table *t)
{
    const char *term = getenv("TERM"), *locale = setlocale(LC_CTYPE, NULL), *colorless = getenv("NO_COLOR");
    add(t, "terminal", "TERM", term && *term ? term : "not set", NULL);
    add(t, "terminal", "standard output", isatty(STDOUT_FILENO) ? "a terminal" : "no terminal", NULL);
    add(t, "terminal", "locale", locale ? locale : "not known", nl_langinfo(CODESET));
    add(t, "terminal", "NO_COLOR", colorless && *colorless ? "set: no colours" : "not set", NULL);
}

static void check_paths(struct table *t, const char *config)
{
    char *cache = file_cache_dir(), *state = file_state_dir();
    add(t, "paths", "cache", cache ? cache : "none: nothing is kept", cache ? NULL : "set XDG_CACHE_HOME or HOME");
    add(t, "paths", "state", state ? state : "none", NULL);
    add(t, "paths", "configs", config, "configs/datasets/NAME.yaml in these");
    add(t, "libraries", "cJSON", cJSON_Version(), NULL);
    add(t, "libraries", "zlib", zlibVersion(), NULL);
    mem_free(cache);
    mem_free(state);
}

static int is_yaml(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 5 && !strcmp(d->d_name + n - 5, ".yaml");
}

/* Loads one dataset, to say what it has or what it lacks. */
static void check_dataset(struct table *t, const char *directory, const char *file)
{
    struct err e;
    char *path = mem_printf("%s/%s", directory, file);
    char *name = mem_printf("%.*s", (int)strlen(file) - 5, file);
    struct dataset *d = dataset_load(path, NULL, &e);
    if (d) {
        char *parts = mem_printf("%d to calibrate, %d to evaluate, %dx%dx%d, %d classes", d->calibrate.n, d->evaluate.n,
                                 d->c, d->h, d->w, d->n_classes);
        add(t, "datasets", name, "ok", parts);
        mem_free(parts);
    } else {
        add(t, "datasets", name, "missing", e.text);
    }
    dataset_free(d);
    mem_free(name);
    mem_free(path);
}

/* Every description that the config path has; a name counts where it is found first, as in dataset_load. */
static void check_datasets(struct table *t, const char *config)
{
    struct text seen = {0};
    text_put(&seen, "/");
    for (const char *at = config; *at;) {
        size_t n = strcspn(at, ":");
        struct dirent **entries;
        char *directory = mem_printf("%.*s/configs/datasets", (int)n, at);
        int count = scandir(directory, &entries, is_yaml, alphasort);
        for (int i = 0; i < count; i++) {
            char *mark = mem_printf("/%s/", entries[i]->d_name);
            if (!strstr(seen.s, mark)) {
                check_dataset(t, directory, entries[i]->d_name);
                text_put(&seen, mark + 1);
            }
            mem_free(mark);
            free(entries[i]);
        }
        if (count >= 0)
            free(entries);
        mem_free(directory);
        at += n + (at[n] == ':');
    }
    text_done(&seen);
}

/* "1-8", "4". */
static void add_range(struct table *t, const int bits[2])
{
    if (bits[0] == bits[1])
        table_add_format(t, "%d", bits[0]);
    else
        table_add_format(t, "%d-%d", bits[0], bits[1]);
}

static void add_isa(struct table *t, enum isa isa)
{
    table_add_text(t, isa_name(isa));
    table_add_text(t, isa_enabled(isa) ? "yes" : isa_supported(isa) ? "masked" : "lacking");
    table_add_bool(t, isa_supported(isa));
    table_add_bool(t, isa_enabled(isa));
}

/* The rows that layers run on: on codes, then in float. */
static struct table *list_kernels(void)
{
    struct table *t = table_new("kernels", kernel_columns, sizeof kernel_columns / sizeof *kernel_columns);
    for (int i = 0; i < conv_kernel_count; i++) {
        const struct conv_kernel *k = conv_kernels[i];
        table_add_text(t, k->name);
        table_add_text(t, kernel_family_name(k->family));
        add_range(t, k->w_bits);
        add_range(t, k->a_bits);
        table_add_text(t, k->schemes);
        table_add_text(t, k->tile);
        add_isa(t, k->isa);
    }
    for (int i = 0; i < float_conv_kernel_count; i++) {
        table_add_text(t, float_conv_kernels[i]->name);
        table_add_text(t, "float");
        for (int k = 0; k < 2; k++)
            table_add_text(t, "32");
        for (int k = 0; k < 2; k++)
            table_add_text(t, NULL);
        add_isa(t, float_conv_kernels[i]->isa);
    }
    for (int i = 0; i < matmul_kernel_count; i++) {
        table_add_text(t, matmul_kernels[i]->name);
        table_add_text(t, "matmul");
        for (int k = 0; k < 2; k++)
            table_add_text(t, "1-8");
        for (int k = 0; k < 2; k++)
            table_add_text(t, NULL);
        add_isa(t, matmul_kernels[i]->isa);
    }
    return t;
}

static int start(const struct options *o)
{
    struct err e;
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    if (options_apply(o, &e))
        return report_fail(EXIT_USAGE, &e);
    struct report r;
    report_init(&r, "doctor", NULL, NULL);
    cJSON_AddStringToObject(r.json, "version", BITFADER_VERSION);
    char *config = paths_config();
    struct table *checks = table_new("checks", check_columns, sizeof check_columns / sizeof *check_columns);
    check_processor(checks);
    check_terminal(checks);
    check_paths(checks, config);
    check_datasets(checks, config);
    mem_free(config);
    struct table *kernels = list_kernels();
    report_add(&r, checks, 0);
    report_add(&r, kernels, 0);
    status = report_write(&r, o);
    report_done(&r);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "",
    .help = "processor, kernels, terminal, paths, datasets",
    .about = "Tables: checks, kernels.\n",
    .min_arguments = 0,
    .max_arguments = 0,
    .takes = TAKES_MACHINE | TAKES_TABLES,
    .run = start,
};
