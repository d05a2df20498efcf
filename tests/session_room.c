/* SPDX-License-Identifier: MIT */
#include "tests/session_room.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

char session_room[64];
static char session_room_data[96];
const char *const session_models[] = {"zoo/mobilenet_fmnist.onnx", "zoo/resnet20_fmnist.onnx"};

void session_room_write(const char *path, const char *text)
{
    ck_assert_int_eq(file_write(path, text, strlen(text), false, NULL), 0);
}

/* The bundled description, with less images; a cache of our own. */
void session_room_open(void)
{
    strcpy(session_room, "/tmp/bitfader-session-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(session_room));
    setenv("XDG_CACHE_HOME", session_room, 1);
    snprintf(session_room_data, sizeof session_room_data, "%s/few.yaml", session_room);
    size_t n;
    char *whole = file_read("configs/datasets/fashion-mnist.yaml", 1 << 16, &n, NULL);
    const char *count = whole ? strstr(whole, "count: 4096") : NULL;
    ck_assert_msg(count, "configs/datasets/fashion-mnist.yaml has no \"count: 4096\" (run from the top folder)");
    char *few = mem_printf("%.*scount: %d%s  count: %d\n", (int)(count - whole), whole, CALIBRATE,
                           count + strlen("count: 4096"), EVALUATE);
    session_room_write(session_room_data, few);
    mem_free(few);
    mem_free(whole);
}

char *session_room_cache(void)
{
    char *dir = file_cache_dir();
    ck_assert_ptr_nonnull(dir);
    return dir;
}

/* Calls see with the path of each cache file; returns how many there are. */
int session_room_each(void (*see)(const char *path))
{
    char *dir = session_room_cache();
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *f; d && (f = readdir(d));) {
        if (f->d_name[0] == '.')
            continue;
        char *path = mem_printf("%s/%s", dir, f->d_name);
        see(path);
        mem_free(path);
        n++;
    }
    closedir(d);
    mem_free(dir);
    return n;
}

void session_room_remove(const char *path)
{
    unlink(path);
}

void session_room_close(void)
{
    setenv("XDG_CACHE_HOME", session_room, 1);
    session_room_each(session_room_remove);
    char *dir = session_room_cache();
    rmdir(dir);
    mem_free(dir);
    unlink(session_room_data);
    rmdir(session_room);
}

/* NULL, after saying why, when there is nothing to work with. */
struct session *session_room_model(const char *model, int images, bool cache)
{
    struct session_options o = session_defaults();
    struct err e = {""};
    int status;
    if (!file_exists(model)) {
        fprintf(stderr, "check_session: skipped, %s is not there\n", model);
        return NULL;
    }
    o.dataset = session_room_data;
    o.calibration_images = images;
    o.cache = cache;
    struct session *s = session_open(model, &o, &status, &e);
    if (!s && status == 4 && strstr(e.text, "t10k-images")) {
        fprintf(stderr, "check_session: skipped, %s\n", e.text);
        return NULL;
    }
    ck_assert_msg(s != NULL, "%s: %s", model, e.text);
    ck_assert_int_eq(status, 0);
    return s;
}

/* With every table; what an earlier test found comes from the cache. */
struct session *session_room_analyzed(const char *model)
{
    struct session *s = session_room_model(model, 32, true);
    struct err e = {""};
    if (s)
        ck_assert_msg(session_analyze(s, ANALYZE_ALL, NULL, &e) == 0, "%s", e.text);
    return s;
}

struct profile *session_room_profile(struct session *s, const char *name)
{
    struct err e = {""};
    struct profile *p = profile_load(name, session_model(s), false, &e);
    ck_assert_msg(p != NULL, "%s: %s", name, e.text);
    return p;
}
