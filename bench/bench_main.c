/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        int (*run)(void);
    } all[] = {{"networks", bench_networks}, {"kernels", bench_kernels}, {"matmul", bench_matmul}};
    int status = 0, ran = 0;
    if (argc > 1 && !strcmp(argv[1], "serve"))
        return bench_serve(argc - 2, argv + 2) != 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (argc < 2 || !strcmp(argv[1], all[i].name)) {
            status |= all[i].run();
            ran++;
        }
    if (!ran)
        fprintf(stderr, "bench: no benchmark \"%s\"; there are networks, kernels, matmul and serve\n", argv[1]);
    return status || !ran;
}
