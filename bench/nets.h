/* SPDX-License-Identifier: MIT
 *
 * Networks for measuring: their published shapes with random weights, as float ONNX files in memory.
 */
#ifndef BITFADER_BENCH_NETS_H
#define BITFADER_BENCH_NETS_H

#include "base/mem.h"
#include "base/text.h"

/* Write the network as lines of tests/onnx_make.h. */
void net_resnet20(struct text *t);     /* 32x32, ten classes (He et al. 2016, shortcuts by convolution) */
void net_resnet18(struct text *t);     /* 224x224, 1000 classes */
void net_mobilenet_v2(struct text *t); /* 224x224, 1000 classes (Sandler et al. 2018) */

/* The ONNX file of such lines, with random weights that keep the size of activations. In the arena. */
unsigned char *net_bytes(void (*net)(struct text *), struct arena *a, size_t *size);

#endif
