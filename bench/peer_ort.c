/* SPDX-License-Identifier: MIT */
#include "bench/peer_ort.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* OrtApi is a table of functions; these are their places. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION_FROM_ARRAY = 8,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_OPTIMIZED_MODEL_FILE_PATH = 11,
    SET_GRAPH_OPTIMIZATION_LEVEL = 23,
    SET_INTRA_OP_NUM_THREADS = 24,
    SET_INTER_OP_NUM_THREADS = 25,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_STATUS = 93,
    RELEASE_MEMORY_INFO = 94,
    RELEASE_SESSION = 95,
    RELEASE_VALUE = 96,
    RELEASE_SESSION_OPTIONS = 100,
    API_FUNCTIONS = 101
};
enum { API_VERSION = 1, LOG_ERROR = 3, OPTIMIZE_ALL = 99, ARENA_ALLOCATOR = 1, MEMORY_DEFAULT = 0, FLOATS = 1 };

struct api_base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
};

struct ort_session {
    void *session, *in, *out;
    const char *in_name, *out_name;
};

static const void *const *api;
static void *env;

/* The function at a place, as a pointer to a function that gives a status. A status is NULL or a message. */
#define CALL(place, types)     ((void *(*)types)(uintptr_t)api[place])
#define RELEASE(place, object) ((void (*)(void *))(uintptr_t)api[place])(object)

static int failed(void *status, struct err *e)
{
    if (!status)
        return 0;
    err_set(e, "ONNX Runtime: %s", ((const char *(*)(void *))(uintptr_t)api[GET_ERROR_MESSAGE])(status));
    RELEASE(RELEASE_STATUS, status);
    return -1;
}

static void *open_library(struct err *e)
{
    char here[4096] = "", pattern[4200];
    glob_t found;
    void *library = NULL;
    ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
    char *slash = n > 0 ? strrchr(here, '/') : NULL;
    if (slash)
        *slash = '\0';
    snprintf(pattern, sizeof pattern, "%s/ort/node_modules/onnxruntime-node/bin/napi-v*/linux/%s/libonnxruntime.so.1",
             here,
#if defined(__aarch64__)
             "arm64"
#else
             "x64"
#endif
    );
    if (glob(pattern, 0, NULL, &found))
        return err_set(e, "no onnxruntime-node in the ort folder beside bench_all"), NULL;
    library = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_LOCAL);
    globfree(&found);
    if (!library)
        err_set(e, "ONNX Runtime: %s", dlerror());
    return library;
}

const char *ort_load(struct err *e)
{
    static const char *version;
    if (version)
        return version;
    void *library = open_library(e);
    if (!library)
        return NULL;
    const struct api_base *(*get_base)(void) =
        (const struct api_base *(*)(void))(uintptr_t)dlsym(library, "OrtGetApiBase");
    if (!get_base || !(api = get_base()->get_api(API_VERSION)))
        return err_set(e, "ONNX Runtime: no C interface"), NULL;
    if (failed(CALL(CREATE_ENV, (int, const char *, void **))(LOG_ERROR, "bench", &env), e))
        return NULL;
    return version = get_base()->get_version();
}

static int make_options(const char *optimized, void **options, struct err *e)
{
    if (failed(CALL(CREATE_SESSION_OPTIONS, (void **))(options), e) ||
        failed(CALL(SET_GRAPH_OPTIMIZATION_LEVEL, (void *, int))(*options, OPTIMIZE_ALL), e) ||
        failed(CALL(SET_INTRA_OP_NUM_THREADS, (void *, int))(*options, 1), e) ||
        failed(CALL(SET_INTER_OP_NUM_THREADS, (void *, int))(*options, 1), e))
        return -1;
    return optimized ? failed(CALL(SET_OPTIMIZED_MODEL_FILE_PATH, (void *, const char *))(*options, optimized), e) : 0;
}

static int make_value(const struct ort_value *v, void **value, struct err *e)
{
    void *memory = NULL;
    size_t bytes = sizeof(float);
    for (size_t i = 0; i < v->n_dims; i++)
        bytes *= (size_t)v->shape[i];
    if (failed(CALL(CREATE_CPU_MEMORY_INFO, (int, int, void **))(ARENA_ALLOCATOR, MEMORY_DEFAULT, &memory), e))
        return -1;
    int status =
        failed(CALL(CREATE_TENSOR_WITH_DATA, (const void *, void *, size_t, const int64_t *, size_t, int, void **))(
                   memory, v->data, bytes, v->shape, v->n_dims, FLOATS, value),
               e);
    RELEASE(RELEASE_MEMORY_INFO, memory);
    return status;
}

static void *run_once(const struct ort_session *s)
{
    void *out = s->out;
    return CALL(RUN, (void *, const void *, const char *const *, const void *const *, size_t, const char *const *,
                      size_t, void **))(s->session, NULL, &s->in_name, (const void *const *)&s->in, 1, &s->out_name, 1,
                                        &out);
}

struct ort_session *ort_open(const void *model, size_t size, const struct ort_value *in, const struct ort_value *out,
                             const char *optimized, struct err *e)
{
    void *options = NULL;
    struct ort_session *s = mem_new(1, sizeof *s);
    *s = (struct ort_session){.in_name = in->name, .out_name = out->name};
    if (!ort_load(e) || make_options(optimized, &options, e) ||
        failed(CALL(CREATE_SESSION_FROM_ARRAY,
                    (void *, const void *, size_t, const void *, void **))(env, model, size, options, &s->session),
               e) ||
        make_value(in, &s->in, e) || make_value(out, &s->out, e) || failed(run_once(s), e)) {
        ort_close(s);
        s = NULL;
    }
    if (options)
        RELEASE(RELEASE_SESSION_OPTIONS, options);
    return s;
}

void ort_run(void *session)
{
    void *status = run_once(session);
    if (status)
        RELEASE(RELEASE_STATUS, status);
}

void ort_close(struct ort_session *s)
{
    if (!s)
        return;
    if (s->session)
        RELEASE(RELEASE_SESSION, s->session);
    if (s->in)
        RELEASE(RELEASE_VALUE, s->in);
    if (s->out)
        RELEASE(RELEASE_VALUE, s->out);
    mem_free(s);
}
