/* SPDX-License-Identifier: MIT
 *
 * One runner for all suites. Arguments name the suites to run; none means all. Ends with Check's summary line.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITES(X)   \
    X(base)         \
    X(team)         \
    X(yaml)         \
    X(isa)          \
    X(vec)          \
    X(kernels)      \
    X(matmul)       \
    X(float_conv)   \
    X(ops)          \
    X(opsets)       \
    X(import)       \
    X(wire)         \
    X(inputs)       \
    X(control)      \
    X(constants)    \
    X(passes)       \
    X(layout)       \
    X(dataset)      \
    X(images)       \
    X(npy)          \
    X(compare)      \
    X(quant)        \
    X(engine)       \
    X(kernel_times) \
    X(split)        \
    X(layers)       \
    X(quantized)    \
    X(profile)      \
    X(solve)        \
    X(estimate)     \
    X(cache)        \
    X(session)      \
    X(session_data) \
    X(ui_layout)    \
    X(ui_desk)      \
    X(ui_jobs)      \
    X(ui_pty)       \
    X(cli)          \
    X(bad_input)

#define DECLARE(name) Suite *check_##name##_suite(void);
SUITES(DECLARE)

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
#define ROW(name) {#name, check_##name##_suite},
    SUITES(ROW)};

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    SRunner *runner = NULL;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (!wanted(suites[i].name, argc, argv))
            continue;
        if (!runner)
            runner = srunner_create(suites[i].make());
        else
            srunner_add_suite(runner, suites[i].make());
    }
    if (!runner) {
        fprintf(stderr, "check_all: no suite of that name\n");
        return 2;
    }
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
