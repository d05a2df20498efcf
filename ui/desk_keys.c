/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ui/actions.h"
#include "ui/desk_help.h"
#include "ui/prompt.h"

/* Does this sequence of keys ("w 4") stand in the table as that one ("w #")? Where it is only the start of it, partly
 * is set. The digit, if any, goes to arg. */
static bool sequence_is(const char *typed, const char *key, char arg[2], bool *partly)
{
    if (key[0] == ':' && key[1])
        return false;
    while (*typed && *key) {
        if (*key == '#' && *typed >= '0' && *typed <= '8')
            arg[0] = *typed;
        else if (*key != *typed)
            return false;
        key++;
        typed++;
    }
    if (!*typed && *key == ' ')
        *partly = true;
    return !*typed && !*key;
}

static void key_at_screen(struct desk *d, const char *key)
{
    char typed[32], arg[2] = "";
    bool partly = false, had_pending = d->pending[0];
    const struct action *a;
    d->message[0] = '\0';
    if (!had_pending && d->screen->key && d->screen->key(d, key))
        return;
    snprintf(typed, sizeof typed, "%.15s%s%.8s", d->pending, had_pending ? " " : "", key);
    d->pending[0] = '\0';
    for (int i = 0; (a = action_at(i)); i++)
        for (int k = 0; k < ACTION_KEYS && a->keys[k] && action_is_here(a, d); k++) {
            arg[0] = arg[1] = '\0';
            if (sequence_is(typed, a->keys[k], arg, &partly)) {
                a->run(d, arg);
                return;
            }
        }
    if (partly)
        snprintf(d->pending, sizeof d->pending, "%.15s", typed);
    else if (!had_pending || (strcmp(key, "Esc") && strcmp(key, "^C")))
        desk_say(d, ROLE_NEAR, "%s does nothing here; ? lists the keys", typed);
}

static void key_at_quit(struct desk *d, const char *key)
{
    d->mode = MODE_SCREEN;
    if (!strcmp(key, "d"))
        d->request = REQUEST_QUIT;
    else if (!strcmp(key, "s") && desk_unsaved(d))
        action_find("save-quit")->run(d, "");
    else if (strcmp(key, "Esc") && strcmp(key, "^C") && strcmp(key, "q"))
        d->mode = MODE_QUIT;
}

void desk_key(struct desk *d, const char *key)
{
    char line[256];
    switch (d->mode) {
    case MODE_SCREEN:
        key_at_screen(d, key);
        break;
    case MODE_PROMPT:
        if (prompt_key(d, key, line) && *line)
            desk_command(d, line);
        break;
    case MODE_QUIT:
        key_at_quit(d, key);
        break;
    case MODE_HELP:
        help_key(d, key);
        break;
    }
    if (d->mode == MODE_PROMPT && !*d->prompt.note) /* it was opened */
        prompt_note(d);
}

static void say_where(struct desk *d, const struct action *a)
{
    for (int i = 0; screens[i]; i++)
        if (a->on & screens[i]->bit) {
            desk_say(d, ROLE_NEAR, ":%s is not for this screen; :view %s has it", a->name, screens[i]->name);
            return;
        }
}

void desk_command(struct desk *d, const char *line)
{
    char name[64];
    line += strspn(line, " ");
    size_t n = strcspn(line, " ");
    const char *arg = line + n + strspn(line + n, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n < 60 ? n : 60), line);
    if (!*name)
        return;
    const struct action *a = action_find(name);
    if (!a && strspn(name, "0123456789") == strlen(name)) {
        a = action_find("goto");
        arg = name;
    }
    if (!a)
        desk_say(d, ROLE_OVER, "no command \":%s\"; did you mean :%s?", name, action_nearest(name));
    else if (!action_is_here(a, d))
        say_where(d, a);
    else if (*arg && !a->args)
        desk_say(d, ROLE_OVER, ":%s takes nothing after it", name);
    else
        a->run(d, arg);
}
