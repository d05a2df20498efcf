/* SPDX-License-Identifier: MIT
 *
 * Benchmarks, one thread. The targets print the table of bench/report.h, whose peers are measured by turns in the same
 * run; the others print details of their own. Functions that return a number give 0, or -1 with a message on standard
 * error.
 */
#ifndef BITFADER_BENCH_BENCH_H
#define BITFADER_BENCH_BENCH_H

void targets_gemm(void);      /* matrix products at all widths */
void targets_conv(void);      /* 3x3 convolutions, 4 bits against 8 */
void targets_depthwise(void); /* against oneDNN */
void targets_stream(void);    /* matrix times vector from memory */
void targets_networks(void);  /* against ONNX Runtime */

int bench_kernels(void);  /* layer shapes x widths, against OpenBLAS sgemm */
int bench_matmul(void);   /* products of two activations, against OpenBLAS sgemm */
int bench_networks(void); /* the bundled models at uniform widths, against the same network in fp32 */
/* Runs one model when told to on standard input: for comparisons with other programs. argv: MODEL fp32|wNaM. */
int bench_serve(int argc, char **argv);

#endif
