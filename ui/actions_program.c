/* SPDX-License-Identifier: MIT
 *
 * What one does with the profile as a whole and with the program: work, files, screens.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ui/actions.h"
#include "ui/arguments.h"
#include "ui/desk_edit.h"
#include "ui/desk_results.h"
#include "ui/preview.h"

static void run(struct desk *d, const char *arg)
{
    (void)arg;
    job_run_ask(d);
}

static void analyze(struct desk *d, const char *arg)
{
    (void)arg;
    job_analyze_ask(d);
}

static void stop(struct desk *d, const char *arg)
{
    (void)arg;
    if (!d->job.kind)
        desk_say(d, ROLE_TEXT, "nothing is running");
    else
        d->request = REQUEST_STOP;
}

static void budget(struct desk *d, const char *arg)
{
    struct budgets b = d->profile->budgets;
    struct err e;
    char text[128];
    if (!*arg) {
        desk_open_prompt(d, ':', "budget ");
        return;
    }
    if (arguments_budgets(arg, &b, &e)) {
        desk_say(d, ROLE_OVER, "budget: %s", e.text);
        return;
    }
    snprintf(text, sizeof text, "budget %.80s", arg);
    desk_set_budgets(d, &b, text);
}

static void search(struct desk *d, const char *arg)
{
    (void)arg;
    if (budgets_any(&d->profile->budgets)) {
        job_search_ask(d);
        return;
    }
    desk_open_prompt(d, ':', "budget ");
    snprintf(d->prompt.note, sizeof d->prompt.note, "a search needs a budget first: size=120KiB  acc-drop=0.5pp");
}

static void take(struct desk *d, const char *arg)
{
    (void)arg;
    if (!d->offer) {
        desk_say(d, ROLE_NEAR, "there is nothing to take: S searches");
        return;
    }
    desk_take_found(d, d->offer, "search result taken");
    profile_free(d->offer);
    d->offer = NULL;
}

/* Where to: what was named, else where it came from, else a question. */
static void save_to(struct desk *d, const char *arg, const char *command, enum desk_request request)
{
    char line[256];
    if (!*arg && !d->path) {
        snprintf(line, sizeof line, "%s %.200s", command, d->suggested ? d->suggested : "");
        desk_open_prompt(d, ':', line);
        return;
    }
    mem_free(d->target);
    d->target = mem_strdup(*arg ? arg : d->path);
    d->request = request;
}

static void save(struct desk *d, const char *arg)
{
    if (*arg && file_exists(arg) && (!d->path || strcmp(arg, d->path))) {
        desk_say(d, ROLE_OVER, "%.120s is there already; :w! %.60s replaces it and keeps it as .bak", arg, arg);
        return;
    }
    save_to(d, arg, "w", REQUEST_SAVE);
}

static void save_over(struct desk *d, const char *arg)
{
    save_to(d, arg, "w!", REQUEST_SAVE);
}

static void save_quit(struct desk *d, const char *arg)
{
    save_to(d, arg, "wq", REQUEST_SAVE_QUIT);
}

static void quit(struct desk *d, const char *arg)
{
    (void)arg;
    if (desk_unsaved(d) || (d->job.kind && d->job.kind->quit))
        d->mode = MODE_QUIT;
    else
        d->request = REQUEST_QUIT;
}

static void quit_now(struct desk *d, const char *arg)
{
    (void)arg;
    d->request = REQUEST_QUIT;
}

static void command(struct desk *d, const char *arg)
{
    (void)arg;
    desk_open_prompt(d, ':', "");
}

static void help(struct desk *d, const char *arg)
{
    d->help = (struct desk_help){0};
    snprintf(d->help.text, sizeof d->help.text, "%.60s", arg);
    d->mode = MODE_HELP;
}

static void view(struct desk *d, const char *arg)
{
    const struct screen *s = screen_find(arg);
    if (s)
        desk_show(d, s);
    else if (*arg)
        desk_say(d, ROLE_OVER, "no screen \"%.40s\"; Tab completes their names", arg);
    else
        desk_open_prompt(d, ':', "view ");
}

static const char *screen_word(int i)
{
    return screens[i] ? screens[i]->name : NULL;
}

static void redraw(struct desk *d, const char *arg)
{
    (void)arg;
    desk_sort_rows(d);
    d->request = REQUEST_REDRAW;
}

static void suspend(struct desk *d, const char *arg)
{
    (void)arg;
    d->request = REQUEST_SUSPEND;
}

static void cancel(struct desk *d, const char *arg)
{
    (void)arg;
    desk_say(d, ROLE_TEXT, d->job.kind ? "q quits, X stops what runs" : "q quits");
}

static const struct action rows[] = {
    {"budget", {"B"}, ON_ALL, "WORK", "size=120KiB", "limits; acc-drop=0.5pp", budget, .preview = preview_budget},
    {"search", {"S"}, ON_ALL, "WORK", NULL, "find a profile for them", search, {{NULL, "search", 13, 3}}},
    {"take", {NULL}, ON_ALL, "WORK", NULL, "take what a search found", take},
    {"run", {"r"}, ON_ALL, "WORK", NULL, "measure on real kernels", run, {{NULL, "run", 12, 2}}},
    {"analyze", {"R"}, ON_ALL, "WORK", NULL, "measure what is unknown", analyze},
    {"stop", {"X"}, ON_ALL, "WORK", NULL, "stop, keep the results", stop, {{NULL, "stop", 14, 15}}},
    {"save", {"^S", ":w"}, ON_ALL, "FILES", "[FILE]", "save the profile", save, {{NULL, "save", 15, 10}}, preview_save},
    {"save-over", {"Z W", ":w!"}, ON_ALL, "FILES", "[FILE]", "save over another file", save_over},
    {"save-quit", {"Z Z", ":wq", ":x"}, ON_ALL, "FILES", "[FILE]", "save and quit", save_quit},
    {"quit", {"q", ":q"}, ON_ALL, "FILES", NULL, "quit, asks to save", quit, {{NULL, "quit", 17, 0}}},
    {"quit!", {"Z Q", ":q!"}, ON_ALL, "FILES", NULL, "quit without saving", quit_now},
    {"command", {":"}, ON_ALL, "PROGRAM", NULL, "command line (Tab)", command, {{NULL, "command", 16, 13}}},
    {"help", {"?", "F1"}, ON_ALL, "PROGRAM", "[WORD]", "this list", help, {{NULL, "help", 18, 0}}},
    {"redraw", {"^L"}, ON_ALL, "PROGRAM", NULL, "redraw, sort again", redraw},
    {"suspend", {"^Z"}, ON_ALL, "PROGRAM", NULL, "suspend; fg comes back", suspend},
    {"cancel", {"^C"}, ON_ALL, "PROGRAM", NULL, "cancel what is typed", cancel},
    {"view", {NULL}, ON_ALL, "PROGRAM", "NAME", "another screen", view, .preview = preview_view, .word = screen_word},
};
const struct action_list actions_program = {rows, sizeof rows / sizeof *rows};
