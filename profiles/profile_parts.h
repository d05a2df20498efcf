/* SPDX-License-Identifier: MIT
 *
 * What reading, writing and editing of profiles share. Private to profiles/.
 */
#ifndef BITFADER_PROFILES_PROFILE_PARTS_H
#define BITFADER_PROFILES_PROFILE_PARTS_H

#include "base/text.h"
#include "base/yaml_doc.h"
#include "profiles/profile.h"
#include "profiles/setting.h"

/* What every struct profile really is: rules speak of kinds, so that a text with rules can only be resolved with them.
 */
struct profile_record {
    struct profile p;            /* first: a struct profile pointer is a pointer to its record */
    char **kinds;                /* [n_layers], entries may be NULL */
    const char **names;          /* [n_layers] the names of p.layers, as an array */
    const char *const **aliases; /* [n_layers] copies, each list in one piece of memory */
};

/* Layer i is the one with this short name, else the only one with this alias; LAYER_UNKNOWN, or LAYER_SHARED when more
 * than one has it. */
enum { LAYER_UNKNOWN = -1, LAYER_SHARED = -2 };
int layer_find(const struct profile_model *m, const char *name);
/* "op=KIND", a name, or a pattern on any of a layer's names. */
struct layer_pattern {
    const char *expression;
    int named; /* what layer_find says: a name means one layer, though it may look like a pattern that fits others */
};
struct layer_pattern layer_pattern(const struct profile_model *m, const char *expression);
bool layer_matches(const struct layer_pattern *p, const struct profile_model *m, int i);
/* "conv1 and conv2" for a name that several have; in the arena. */
const char *layer_sharers(const struct profile_model *m, const char *name, struct arena *a);
/* Why an expression matches nothing, for messages. */
const char *layer_no_match(const struct profile_model *m, const char *expression, struct arena *a);
/* The entry of layer i in a mapping whose keys are names of layers, by whichever name it stands there; NULL. */
const struct yaml_node *layer_entry(const struct profile_model *m, const struct yaml_node *map, int i);
const char *layer_nearest(const struct profile_model *m, const char *name);

/* A profile's own model: names and kinds as it knows them. names and kinds live as long as the profile. */
struct profile_model profile_own_model(const struct profile *p);

/* True when both say the same: everything but the source text. */
bool profile_equal(const struct profile *a, const struct profile *b);

/* The layers as defaults and rules alone make them (in base) and with their own entries (in whole), both [n_layers];
 * contradictions between scheme and bits are left in. For editing a text that was valid before. */
void profile_resolve_text(const struct yaml_doc *doc, const struct profile_model *m, struct profile_layer *base,
                          struct profile_layer *whole);

/* One key of a section and its value as flow text; text is NULL when the key should not be there. */
struct field {
    const char *key, *text;
};
enum { FIELDS_MAX = 5 + CHOICE_COUNT };
struct section {
    const char *key;
    int n;
    struct field fields[FIELDS_MAX];
    int n_executed; /* measurement only: its nested map */
    struct field *executed;
};
enum {
    SECTION_MODEL,
    SECTION_BUDGETS,
    SECTION_DEFAULTS,
    SECTION_METHOD,
    SECTION_ESTIMATE,
    SECTION_MEASUREMENT,
    SECTION_COUNT
};
/* What the sections of a profile should say; texts in the arena. */
void profile_sections(const struct profile *p, struct arena *a, struct section out[SECTION_COUNT]);
bool section_is_empty(const struct section *s);
/* "{w: 4, a: 8}" of the fields that have text. */
void put_fields(struct text *t, const struct field *f, int n);
/* The lines of a section: "key: {...}", or a block with a line for each kernel that ran. Nothing when it is empty. */
void put_section(struct text *t, const struct section *s);
/* What a layer must say so that base becomes l: fields w, a, those of precision_choices, lock. Returns their number. */
int layer_fields(const struct profile_layer *base, const struct profile_layer *l, struct arena *a,
                 struct field out[FIELDS_MAX]);

/* The source with only what differs changed; NULL when that cannot be done. The caller frees. */
char *profile_edit_source(const struct profile *p);

#endif
