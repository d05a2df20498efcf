/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "model/graph_load.h"
#include "tests/onnx_make.h"

struct graph *onnx_make_graph(const char *text)
{
    struct arena a = {0};
    struct err e = {""};
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, &a), &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s\n%s", text, e.text);
    arena_done(&a);
    return g;
}
