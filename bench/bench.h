/* SPDX-License-Identifier: MIT
 *
 * Benchmarks: each prints a table to standard output, with ratios to a peer that was measured in the same run. One
 * thread. 0, or -1 with a message on standard error.
 */
#ifndef BITFADER_BENCH_BENCH_H
#define BITFADER_BENCH_BENCH_H

int bench_kernels(void);  /* layer shapes x widths, against OpenBLAS sgemm */
int bench_matmul(void);   /* products of two activations, against OpenBLAS sgemm */
int bench_networks(void); /* the bundled models at uniform widths, against the same network in fp32 */
/* Runs one model when told to on standard input: for comparisons with other programs. argv: MODEL fp32|w8a8. */
int bench_serve(int argc, char **argv);

#endif
