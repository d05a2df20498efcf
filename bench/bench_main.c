/* SPDX-License-Identifier: MIT
 *
 * bench_all                    the targets, all of them
 * bench_all NAME..             some: gemm, conv, depthwise, stream, models; or details: networks, kernels, matmul
 * bench_all any-isa [NAME..]   the same, with peers that use whatever instructions they like
 * bench_all serve MODEL fp32|wNaM
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "bench/peer.h"
#include "bench/report.h"
#include "bench/turns.h"

static const struct {
    const char *name;
    void (*run)(void);
} targets[] = {{"gemm", targets_gemm},
               {"conv", targets_conv},
               {"depthwise", targets_depthwise},
               {"stream", targets_stream},
               {"models", targets_networks}};
static const struct {
    const char *name;
    int (*run)(void);
} details[] = {{"networks", bench_networks}, {"kernels", bench_kernels}, {"matmul", bench_matmul}};
enum { TARGETS = sizeof targets / sizeof *targets, DETAILS = sizeof details / sizeof *details };

static bool named(int argc, char **argv, const char *name)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return false;
}

static bool known(const char *name)
{
    for (int i = 0; i < TARGETS; i++)
        if (!strcmp(name, targets[i].name))
            return true;
    for (int i = 0; i < DETAILS; i++)
        if (!strcmp(name, details[i].name))
            return true;
    return false;
}

static void print_header(int cpu)
{
    char line[256], model[128] = "unknown processor";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    if (f)
        fclose(f);
    printf(
        "%s, one thread on processor %d. By turns in one run, the fastest of each one's turns, in time of the thread "
        "on the processor.\nA ratio is of speeds, ours to the peer's. ",
        model, cpu);
    if (peer_restricted())
        printf("Peers are held to AVX-512 with VNNI, as the targets are: oneDNN by its maximum ISA, ONNX Runtime by a "
               "process that is not granted AMX (ROWS=\"any-isa gemm models\": as they like).\n");
    else
        printf("Peers use whatever instructions they like, AMX too: for information, the targets are not for that.\n");
}

static void run_targets(int argc, char **argv)
{
    int64_t begin = clock_ns();
    print_header(turns_pin());
    for (int i = 0; i < TARGETS; i++)
        if (argc == 0 || named(argc, argv, targets[i].name))
            targets[i].run();
    if (peer_restricted() && peer_amx_allowed())
        printf("\nLinux granted AMX to this process all the same: ratios to ONNX Runtime are not for VNNI\n");
    report_summary();
    printf("(%.0f s)\n", (double)(clock_ns() - begin) / 1e9);
}

int main(int argc, char **argv)
{
    int status = 0;
    argv++, argc--;
    if (argc > 0 && !strcmp(argv[0], "serve"))
        return bench_serve(argc - 1, argv + 1) != 0;
    bool any_isa = argc > 0 && !strcmp(argv[0], "any-isa");
    argv += any_isa, argc -= any_isa;
    for (int i = 0; i < argc; i++)
        if (!known(argv[i])) {
            fprintf(stderr, "bench: no benchmark \"%s\"; there are", argv[i]);
            for (int k = 0; k < TARGETS; k++)
                fprintf(stderr, " %s,", targets[k].name);
            fprintf(stderr, " networks, kernels, matmul and serve\n");
            return 1;
        }
    bool wants_targets = argc == 0;
    for (int i = 0; i < TARGETS; i++)
        wants_targets = wants_targets || named(argc, argv, targets[i].name);
    for (int i = 0; i < DETAILS; i++)
        if (named(argc, argv, details[i].name))
            status |= details[i].run();
    if (wants_targets) {
        peer_restrict(!any_isa);
        run_targets(argc, argv);
    }
    return status || report_failed();
}
