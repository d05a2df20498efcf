/* SPDX-License-Identifier: MIT */
#include "ui/prompt.h"

#include <stdio.h>
#include <string.h>

#include "ui/actions.h"
#include "ui/format.h"

static void note_command(struct desk *d)
{
    char name[64];
    const char *text = d->prompt.text;
    size_t n = strcspn(text, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n < 60 ? n : 60), text);
    const char *arg = text + n + strspn(text + n, " ");
    const struct action *a = action_find(name);
    if (!a) {
        if (*text && text[n])
            snprintf(d->prompt.note, sizeof d->prompt.note, "no such command; Tab completes");
        return;
    }
    if (a->preview)
        a->preview(d, arg);
    if (!*d->prompt.note)
        snprintf(d->prompt.note, sizeof d->prompt.note, "%s%s%s", a->args ? a->args : "", a->args ? "  " : "", a->help);
}

void prompt_note(struct desk *d)
{
    struct err e;
    d->prompt.note[0] = '\0';
    d->prompt.wrong = false;
    if (d->prompt.sign == ':')
        note_command(d);
    else if (desk_set_filter(d, d->prompt.text, &e))
        desk_prompt_wrong(d, &e);
    else
        snprintf(d->prompt.note, sizeof d->prompt.note, "%d of %d rows match   Enter keep  Esc drop", d->n_order,
                 d->model->n);
}

static void cut(struct desk_prompt *p, int from, int to)
{
    memmove(p->text + from, p->text + to, (size_t)(p->n - to) + 1);
    p->n -= to - from;
    p->at = from;
}

static void insert(struct desk_prompt *p, const char *text)
{
    int n = (int)strlen(text);
    if (p->n + n >= (int)sizeof p->text - 1)
        return;
    memmove(p->text + p->at + n, p->text + p->at, (size_t)(p->n - p->at) + 1);
    memcpy(p->text + p->at, text, (size_t)n);
    p->n += n;
    p->at += n;
}

static int before(const struct desk_prompt *p)
{
    int at = p->at;
    while (at > 0 && ((unsigned char)p->text[--at] & 0xc0) == 0x80)
        ;
    return at;
}

static int word_start(const struct desk_prompt *p)
{
    int at = p->at;
    while (at > 0 && p->text[at - 1] == ' ')
        at--;
    while (at > 0 && p->text[at - 1] != ' ')
        at--;
    return at;
}

/* The i-th word that may stand there: a command of this screen ("" where it is another's), or what this command takes.
 * NULL after the last. */
static const char *candidate(const struct desk *d, const struct action *taking, int i)
{
    if (taking)
        return taking->word ? taking->word(i) : NULL;
    const struct action *a = action_at(i);
    return !a ? NULL : action_is_here(a, d) ? a->name : "";
}

/* Where the word at the cursor starts, and whose argument it is (NULL: it is a command). -1: nothing completes it. */
static int word_at_cursor(const struct desk_prompt *p, const struct action **taking)
{
    char name[64];
    int n = (int)strcspn(p->text, " "), from = n + (int)strspn(p->text + n, " ");
    *taking = NULL;
    if (p->sign != ':')
        return -1;
    if (p->at <= n)
        return 0;
    snprintf(name, sizeof name, "%.*s", n < 60 ? n : 60, p->text);
    *taking = action_find(name);
    return *taking && from <= p->at ? from : -1;
}

/* The word at the cursor: as far as all that start with it agree. */
static void complete(struct desk *d)
{
    struct desk_prompt *p = &d->prompt;
    char common[64] = "";
    const struct action *taking;
    const char *word;
    int found = 0, from = word_at_cursor(p, &taking);
    for (int i = 0; from >= 0 && (word = candidate(d, taking, i)); i++) {
        if (!*word || strncmp(word, p->text + from, (size_t)(p->at - from)))
            continue;
        if (!found++)
            snprintf(common, sizeof common, "%s", word);
        size_t same = 0;
        while (common[same] && common[same] == word[same])
            same++;
        common[same] = '\0';
    }
    if (!found)
        return;
    cut(p, from, p->at);
    insert(p, common);
    if (found == 1 && !taking && !p->text[p->at])
        insert(p, " ");
}

static void edit_key(struct desk *d, const char *key)
{
    struct desk_prompt *p = &d->prompt;
    uint32_t code;
    if (!strcmp(key, "Left"))
        p->at = before(p);
    else if (!strcmp(key, "Right"))
        p->at += p->at < p->n ? format_next(p->text + p->at, &code) : 0;
    else if (!strcmp(key, "Home") || !strcmp(key, "^A"))
        p->at = 0;
    else if (!strcmp(key, "End") || !strcmp(key, "^E"))
        p->at = p->n;
    else if (!strcmp(key, "Bksp"))
        cut(p, before(p), p->at);
    else if (!strcmp(key, "Del") && p->at < p->n)
        cut(p, p->at, p->at + format_next(p->text + p->at, &code));
    else if (!strcmp(key, "^W"))
        cut(p, word_start(p), p->at);
    else if (!strcmp(key, "^U"))
        cut(p, 0, p->at);
    else if (!strcmp(key, "Tab"))
        complete(d);
    else if (!strcmp(key, "Space"))
        insert(p, " ");
    else if (format_cells(key) == 1)
        insert(p, key);
}

bool prompt_key(struct desk *d, const char *key, char out[256])
{
    struct desk_prompt *p = &d->prompt;
    out[0] = '\0';
    if (!strcmp(key, "Enter")) {
        if (p->sign == '/' && p->wrong) /* the line stays, to be put right */
            return false;
        if (p->sign == ':')
            snprintf(out, 256, "%s", p->text);
        d->mode = MODE_SCREEN;
        return true;
    }
    if (!strcmp(key, "Esc") || !strcmp(key, "^C") || (!strcmp(key, "Bksp") && !p->n)) {
        if (p->sign == '/') {
            char old[sizeof p->before];
            snprintf(old, sizeof old, "%s", p->before);
            desk_set_filter(d, old, NULL);
        }
        d->mode = MODE_SCREEN;
        return false;
    }
    edit_key(d, key);
    prompt_note(d);
    return false;
}
