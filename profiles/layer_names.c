/* SPDX-License-Identifier: MIT
 *
 * What layers are called: by short names, which are unique, and by aliases, which need not be.
 */
#include <string.h>

#include "profiles/profile_parts.h"

static bool has_alias(const struct profile_model *m, int i, const char *name)
{
    for (const char *const *a = m->aliases ? m->aliases[i] : NULL; a && *a; a++)
        if (!strcmp(*a, name))
            return true;
    return false;
}

int layer_find(const struct profile_model *m, const char *name)
{
    int found = LAYER_UNKNOWN;
    for (int i = 0; i < m->n_layers; i++)
        if (!strcmp(m->names[i], name))
            return i;
    for (int i = 0; i < m->n_layers; i++)
        if (has_alias(m, i, name))
            found = found == LAYER_UNKNOWN ? i : LAYER_SHARED;
    return found;
}

struct layer_pattern layer_pattern(const struct profile_model *m, const char *expression)
{
    return (struct layer_pattern){expression, layer_find(m, expression)};
}

bool layer_matches(const struct layer_pattern *p, const struct profile_model *m, int i)
{
    const char *expression = p->expression;
    if (!strncmp(expression, "op=", 3))
        return m->kinds && m->kinds[i] && text_match(expression + 3, m->kinds[i]);
    if (p->named != LAYER_UNKNOWN)
        return p->named == i;
    if (text_match(expression, m->names[i]))
        return true;
    for (const char *const *a = m->aliases ? m->aliases[i] : NULL; a && *a; a++)
        if (text_match(expression, *a))
            return true;
    return false;
}

const char *layer_sharers(const struct profile_model *m, const char *name, struct arena *a)
{
    const char *text = "";
    for (int i = 0; i < m->n_layers; i++)
        if (has_alias(m, i, name))
            text = arena_printf(a, "%s%s%s", text, *text ? " and " : "", m->names[i]);
    return text;
}

const char *layer_no_match(const struct profile_model *m, const char *expression, struct arena *a)
{
    if (layer_find(m, expression) == LAYER_SHARED)
        return arena_printf(a, "%s is a name of %s; write the one that is meant", expression,
                            layer_sharers(m, expression, a));
    return arena_printf(a, "%s matches none of the %d layers (nearest name %s)", expression, m->n_layers,
                        layer_nearest(m, expression));
}

const char *layer_nearest(const struct profile_model *m, const char *name)
{
    const char *best = "none";
    int least = 0;
    for (int i = 0; i < m->n_layers; i++) {
        int d = text_distance(name, m->names[i]);
        if (!i || d < least) {
            best = m->names[i];
            least = d;
        }
    }
    int far = least / 2; /* an alias says more than a short name when it is much nearer */
    for (int i = 0; m->aliases && i < m->n_layers; i++)
        for (const char *const *a = m->aliases[i]; *a; a++) {
            int d = text_distance(name, *a);
            if (d < far) {
                best = *a;
                far = d;
            }
        }
    return best;
}

const struct yaml_node *layer_entry(const struct profile_model *m, const struct yaml_node *map, int i)
{
    const struct yaml_node *n = map ? yaml_get(map, m->names[i]) : NULL;
    for (const char *const *a = m->aliases ? m->aliases[i] : NULL; !n && map && a && *a; a++) {
        n = yaml_get(map, *a);
        if (n && layer_find(m, *a) != i)
            n = NULL;
    }
    return n;
}
