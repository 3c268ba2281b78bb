#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/json_write.h"
#include "engine/schema_part.h"
#include "engine/vector.h"

struct name {
    const char *text;
    uint32_t len;
    bool required;
    uint64_t groups; /* that declare or require it */
    uint32_t first, last; /* of `declarations`; RULES_NONE */
};

/* What an entry of the bundle declares a name to be. */
struct declaration {
    const struct json *value;
    uint32_t at, next;
};

struct names {
    struct name *list;
    uint32_t n, cap;
    const struct json *base; /* the first list of members: its names come first, in its order */
    struct schema_map map;   /* of the other names */
    struct declaration *declarations;
    uint32_t n_declarations, cap_declarations;
    struct prop *props; /* of those that the cell will have, and which they are */
    uint32_t *kept;
    uint32_t cap_props, cap_kept;
    uint8_t speaking[BUNDLE_PARTS], n_speaking; /* entries that say something of members */
};

enum { FEW_SLOTS = 256 };

/* One after the other use the same memory. */
static struct names *names_begin(struct schema *schema) {
    struct names *names = schema->names;
    if (!names) names = schema->names = calloc(1, sizeof *names);
    if (!names) return schema_fail(schema, RULES_MEMORY), NULL;
    names->n = names->n_declarations = names->n_speaking = 0;
    names->base = NULL;
    if (names->map.cap > FEW_SLOTS) {
        free(names->map.slots);
        names->map = (struct schema_map){0};
    }
    if (names->map.n) schema_map_clear(&names->map);
    return names;
}

void schema_names_free(struct schema *schema) {
    struct names *names = schema->names;
    if (!names) return;
    free(names->list);
    free(names->map.slots);
    free(names->declarations);
    free(names->props);
    free(names->kept);
    free(names);
    schema->names = NULL;
}

static uint32_t add_name(struct schema *schema, struct names *names, const char *text,
                         uint32_t len) {
    if (!vector_reserve((void **)&names->list, &names->cap, names->n + 1, sizeof *names->list))
        return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    names->list[names->n] =
        (struct name){.text = text, .len = len, .first = RULES_NONE, .last = RULES_NONE};
    return names->n++;
}

static uint32_t name_of(struct schema *schema, struct names *names, const char *text,
                        uint32_t len) {
    uint32_t probe = 0, known = json_index(names->base, text, len);
    if (known != JSON_ABSENT) return known;
    uint64_t hash = hash_bytes(2, text, len);
    struct schema_slot *slot;
    const struct name *at;
    do {
        slot = schema_map_slot(&names->map, hash, &probe);
        if (!slot) return schema_fail(schema, RULES_MEMORY), RULES_NONE;
        at = slot->value == RULES_NONE ? NULL : &names->list[slot->value];
    } while (at && (at->len != len || memcmp(at->text, text, len) != 0));
    if (!at) slot->value = add_name(schema, names, text, len);
    return slot->value;
}

static bool declare(struct schema *schema, struct names *names, uint32_t name, uint32_t at,
                    const struct json *value) {
    uint32_t n = names->n_declarations;
    if (name == RULES_NONE) return false;
    if (!vector_reserve((void **)&names->declarations, &names->cap_declarations, n + 1,
                        sizeof *names->declarations))
        return schema_fail(schema, RULES_MEMORY);
    struct name *of = &names->list[name];
    *(of->last == RULES_NONE ? &of->first : &names->declarations[of->last].next) = n;
    of->last = names->n_declarations++;
    names->declarations[n] = (struct declaration){.value = value, .at = at, .next = RULES_NONE};
    return true;
}

/* The parts that a subschema leads to in place form a group with it: one object schema, which may
 * be closed. As a bit; 0 for a part that declares nothing. Decided parts are one group. */
static uint64_t group_of(const struct bundle *bundle, uint32_t i) {
    if (bundle->terms[i] & TERM_EXTRA) return 0;
    if (bundle->terms[i] & TERM_DECIDED) return 1ull << 63;
    while (bundle->via[i] < BUNDLE_PARTS) i = bundle->via[i];
    return 1ull << i;
}

/* Names that only alternatives declare which are not in the bundle, but may hold as well: they matter
 * where members must be evaluated. */
static bool collect_evaluated(struct schema *schema, const struct bundle *bundle, uint32_t at,
                              struct names *names) {
    struct schema_openness around;
    if (!schema_unsure(schema, bundle, at, KW_UNEVALUATED_PROPERTIES)) return true;
    around = (struct schema_openness){.n = 0};
    schema_look_around(schema, term_part(bundle->terms[at]), &around);
    for (uint32_t i = 0; i < around.n; i++) {
        const struct json *declared = schema_get(schema, around.parts[i], KW_PROPERTIES);
        for (uint32_t k = 0; declared && k < declared->len; k++) {
            uint32_t name = name_of(schema, names, declared->keys[k].text, declared->keys[k].len);
            if (name == RULES_NONE) return false;
            names->list[name].groups |= group_of(bundle, at);
        }
    }
    return true;
}

/* The names that entry `at` declares. Of a made up list only the first of equal ones counts. */
static bool collect_declared(struct schema *schema, const struct bundle *bundle, uint32_t at,
                             struct names *names) {
    const struct json *declared = schema_get(schema, term_part(bundle->terms[at]), KW_PROPERTIES);
    bool base = declared && names->n == 0 && declared->raw;
    if (!declared) return true;
    for (uint32_t k = 0; k < declared->len; k++) {
        const struct json_key *key = &declared->keys[k];
        uint32_t name = base ? add_name(schema, names, key->text, key->len)
                             : name_of(schema, names, key->text, key->len);
        if (name == RULES_NONE) return false;
        names->list[name].groups |= group_of(bundle, at);
        uint32_t last = names->list[name].last;
        if (last != RULES_NONE && names->declarations[last].at == at) continue;
        if (!declare(schema, names, name, at, declared->items[k])) return false;
    }
    if (base) names->base = declared;
    return true;
}

static void note_speaking(const struct schema *schema, const struct bundle *bundle,
                          struct names *names) {
    const uint64_t keywords = 1ull << KW_PROPERTIES | 1ull << KW_PATTERN_PROPERTIES |
                              1ull << KW_ADDITIONAL_PROPERTIES | 1ull << KW_UNEVALUATED_PROPERTIES;
    for (uint32_t i = 0; i < bundle->n; i++)
        if (schema->parts[term_part(bundle->terms[i])].present & keywords)
            names->speaking[names->n_speaking++] = (uint8_t)i;
}

/* Declared names in schema order, then those that are only required. */
static bool collect_names(struct schema *schema, const struct bundle *bundle, struct names *names) {
    note_speaking(schema, bundle, names);
    for (uint32_t i = 0; i < bundle->n; i++)
        if (!collect_declared(schema, bundle, i, names)) return false;
    for (uint32_t i = 0; i < bundle->n; i++)
        if (!collect_evaluated(schema, bundle, i, names)) return false;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *required = schema_get(schema, term_part(bundle->terms[i]), KW_REQUIRED);
        for (uint32_t k = 0; required && k < required->len; k++) {
            uint32_t name =
                name_of(schema, names, required->items[k]->text, required->items[k]->len);
            if (name == RULES_NONE) return false;
            names->list[name].required = true;
            names->list[name].groups |= group_of(bundle, i);
        }
    }
    return true;
}

/* Adds the term of a subschema to a conjunction. */
static bool add_term(struct schema *schema, uint32_t *terms, uint32_t *n,
                     const struct json *subschema, uint32_t owner) {
    uint32_t part = schema_part_of(schema, subschema);
    if (part == RULES_NONE) return false;
    terms[(*n)++] = term_of(part, owner & (TERM_EXTRA | TERM_LOOSE));
    return true;
}

/* The subschemas of one part's patternProperties whose pattern the label holds. */
static bool add_matching(struct schema *schema, const struct schema_keys *keys, uint32_t label,
                         uint32_t term, uint32_t *terms, uint32_t *n) {
    const struct json *patterns = schema_get(schema, term_part(term), KW_PATTERN_PROPERTIES);
    for (uint32_t i = 0; patterns && i < patterns->len; i++) {
        if (!schema_keys_hold(keys, label, patterns->keys[i].text, patterns->keys[i].len)) continue;
        if (*n == BUNDLE_PARTS) return schema_fail(schema, RULES_TOO_LARGE);
        if (!add_term(schema, terms, n, patterns->items[i], term)) return false;
    }
    return true;
}

static const struct json *unevaluated(struct schema *schema, const struct bundle *bundle,
                                      uint32_t at, const struct schema_keys *keys,
                                      const struct name *name, uint32_t label) {
    struct json_key key = {.text = name ? name->text : NULL, .len = name ? name->len : 0};
    uint64_t present = schema->parts[term_part(bundle->terms[at])].present;
    if (!(present >> KW_UNEVALUATED_PROPERTIES & 1)) return NULL;
    return schema_unevaluated_member(schema, bundle, at, keys, name ? &key : NULL, label);
}

/* The node of a member: what each part says about this name; name NULL: about one that is not
 * declared and carries the label. */
static uint32_t member_node(struct schema *schema, const struct bundle *bundle,
                            const struct schema_keys *keys, const struct names *names,
                            const struct name *name, uint32_t label) {
    uint32_t terms[BUNDLE_PARTS], n = 0, next = name ? name->first : RULES_NONE;
    for (uint32_t k = 0; k < names->n_speaking; k++) {
        uint32_t i = names->speaking[k], part = term_part(bundle->terms[i]), before = n;
        const struct declaration *own = next == RULES_NONE ? NULL : &names->declarations[next];
        const struct json *value = own && own->at == i ? own->value : NULL;
        if (value) next = own->next;
        if (keys->used && !add_matching(schema, keys, label, bundle->terms[i], terms, &n))
            return RULES_NONE;
        if (!value && n == before) value = schema_get(schema, part, KW_ADDITIONAL_PROPERTIES);
        if (value && n == BUNDLE_PARTS) return schema_fail(schema, RULES_TOO_LARGE), RULES_NONE;
        if (value && !add_term(schema, terms, &n, value, bundle->terms[i])) return RULES_NONE;
        value = unevaluated(schema, bundle, i, keys, name, label);
        if (value && n == BUNDLE_PARTS) return schema_fail(schema, RULES_TOO_LARGE), RULES_NONE;
        if (value && !add_term(schema, terms, &n, value, bundle->terms[i])) return RULES_NONE;
    }
    return schema_node(schema, terms, n);
}

/* Keys that propertyNames rejects have no value at all. */
static uint32_t property_node(struct schema *schema, const struct bundle *bundle,
                              const struct schema_keys *keys, const struct names *names,
                              const struct name *name) {
    uint32_t label = 0;
    if (keys->used) {
        label = language_label(&keys->language, name->text, name->len);
        if (label == LANGUAGE_INFINITE || (label & keys->names) != keys->names_wanted)
            return schema_nothing(schema);
    }
    return member_node(schema, bundle, keys, names, name, label);
}

/* ---- which further members there may be ---- */

/* A group is open where one of its parts says what further members may be. */
static bool closes(struct schema *schema, const struct bundle *bundle, uint64_t group) {
    struct schema_openness is = {.n = 0};
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        if (group_of(bundle, i) != group) continue;
        if (schema_get(schema, part, KW_ADDITIONAL_PROPERTIES)) return false;
        schema_look_around(schema, part, &is);
    }
    return schema_closes(&is);
}

/* The groups that are closed. */
static uint64_t closed_groups(struct schema *schema, const struct bundle *bundle) {
    uint64_t closed = 0, seen = 0;
    if (!schema->options.closed) return 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint64_t group = group_of(bundle, i);
        if (!group || seen & group) continue;
        seen |= group;
        if (closes(schema, bundle, group)) closed |= group;
    }
    return closed;
}

/* An undeclared member of a closed object must match a pattern that declares it, in every closed
 * group. */
static bool declared_by_pattern(const struct schema *schema, const struct bundle *bundle,
                                const struct schema_keys *keys, uint32_t label, uint64_t closed) {
    for (uint32_t i = 0; i < bundle->n && closed; i++) {
        const struct json *patterns =
            schema_get(schema, term_part(bundle->terms[i]), KW_PATTERN_PROPERTIES);
        for (uint32_t k = 0; patterns && k < patterns->len; k++)
            if (schema_keys_hold(keys, label, patterns->keys[k].text, patterns->keys[k].len))
                closed &= ~group_of(bundle, i);
    }
    return closed == 0;
}

/* Do all closed groups declare the name, outright or by a pattern? */
static bool declared_by_all(const struct schema *schema, const struct bundle *bundle,
                            const struct schema_keys *keys, const struct name *name,
                            uint64_t closed) {
    closed &= ~name->groups;
    if (!closed || !keys->used) return closed == 0;
    uint32_t label = language_label(&keys->language, name->text, name->len);
    return label != LANGUAGE_INFINITE && declared_by_pattern(schema, bundle, keys, label, closed);
}

static bool same_label(uint32_t label, const void *user) {
    return label == *(const uint32_t *)user;
}

enum { MAX_KINDS = 64 };

/* Every label that keys can carry, with the node of its members. */
static bool add_kinds(struct schema *schema, const struct bundle *bundle,
                      const struct schema_keys *keys, const struct names *names, uint64_t closed,
                      struct cell_object *object) {
    uint32_t kinds[MAX_KINDS * KIND_FIELDS], n = 0;
    for (uint32_t state = 0; state < keys->language.n_states; state++) {
        uint32_t label = keys->language.labels[state], i = 0;
        while (i < n && kinds[i * KIND_FIELDS + KIND_LABEL] != label) i++;
        if (i < n || (label & keys->names) != keys->names_wanted) continue;
        if (!declared_by_pattern(schema, bundle, keys, label, closed)) continue;
        if (n == MAX_KINDS) return schema_fail(schema, RULES_TOO_LARGE);
        kinds[n * KIND_FIELDS + KIND_LABEL] = label;
        kinds[n * KIND_FIELDS + KIND_NODE] = member_node(schema, bundle, keys, names, NULL, label);
        if (kinds[n * KIND_FIELDS + KIND_NODE] == RULES_NONE) return false;
        kinds[n++ * KIND_FIELDS + KIND_COUNT] =
            object->min > 0 ? language_count(&keys->language, same_label, &label) : 0;
    }
    object->n_kinds = n;
    enum rules_status status =
        rules_add_refs(schema->rules, kinds, n * KIND_FIELDS, &object->kinds);
    return status == RULES_OK || schema_fail(schema, status);
}

static bool add_further(struct schema *schema, const struct bundle *bundle,
                        struct schema_keys *keys, const struct names *names, uint64_t closed,
                        struct cell_object *object) {
    if (keys->used) {
        if (!add_kinds(schema, bundle, keys, names, closed, object)) return false;
        enum rules_status status =
            rules_add_language(schema->rules, &keys->language, "", 0, &object->language);
        return status == RULES_OK || schema_fail(schema, status);
    }
    if (closed) return true;
    object->additional = member_node(schema, bundle, keys, names, NULL, 0);
    return object->additional != RULES_NONE;
}

/* ---- keywords not honoured yet, where they would matter ---- */

static bool refuse(struct schema *schema, const struct bundle *bundle, enum schema_keyword keyword,
                   const char *reason) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *value = schema_get(schema, term_part(bundle->terms[i]), keyword);
        if (!value || value->type == JSON_TRUE || (value->type == JSON_OBJECT && !value->len))
            continue;
        return schema_refuse(schema, term_part(bundle->terms[i]), keyword, reason);
    }
    return true;
}

static bool refuse_unsupported(struct schema *schema, const struct bundle *bundle,
                               const struct cell_object *object) {
    return object->min <= object->n_props + 200 || /* further keys are remembered one by one */
           refuse(schema, bundle, KW_MIN_PROPERTIES, "too many members");
}

/* ---- the cell ---- */

/* The members' keys as JSON text without the opening quote; *same: cut off the closing quote, and they
 * are the names, in the same order. */
static bool add_keys(struct schema *schema, const struct names *names, const uint32_t *kept,
                     struct cell_object *object, struct prop *props, bool *same) {
    struct words *words = &schema->rules->words;
    *same = true;
    object->keys = words->n;
    for (uint32_t i = 0; i < object->n_props; i++) {
        const struct name *name = &names->list[kept[i]];
        schema->text.len = 0;
        json_write_string(&schema->text, (struct text){name->text, name->len});
        if (schema->text.failed || schema->text.len > UINT32_MAX / 4)
            return schema_fail(schema, RULES_MEMORY);
        props[i].key_len = (uint32_t)schema->text.len;
        *same &= name->len + 2 == schema->text.len;
        for (uint32_t k = 0; k < name->len && *same; k++)
            *same = (unsigned char)name->text[k] > '"';
        if (!words_add(words, schema->text.bytes + 1, (uint32_t)schema->text.len - 1, i))
            return schema_fail(schema, RULES_TOO_LARGE);
    }
    return words_sort(words, object->keys) == object->n_props || schema_fail(schema, RULES_MEMORY);
}

/* The two lists of the members' keys: as JSON text without the opening quote, and decoded. */
static bool add_key_lists(struct schema *schema, const struct names *names, const uint32_t *kept,
                          struct prop *props, struct cell_object *object) {
    struct words *words = &schema->rules->words;
    bool same;
    if (!add_keys(schema, names, kept, object, props, &same)) return false;
    object->names = words->n;
    if (same)
        return words_cut(words, object->keys, object->n_props) || schema_fail(schema, RULES_MEMORY);
    for (uint32_t i = 0; i < object->n_props; i++)
        if (!words_add(words, names->list[kept[i]].text, names->list[kept[i]].len, i))
            return schema_fail(schema, RULES_TOO_LARGE);
    return words_sort(words, object->names) == object->n_props || schema_fail(schema, RULES_MEMORY);
}

/* ---- the same names again: most objects of a oneOf or anyOf have those of others ---- */

static bool same_names(const struct schema *schema, const struct schema_key_list *list,
                       const struct names *names, const uint32_t *kept, uint32_t n) {
    const struct json_key *known = schema->key_names + list->first;
    if (list->n != n) return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct name *name = &names->list[kept[i]];
        if (known[i].text != name->text || known[i].len != name->len) return false;
    }
    return true;
}

/* The slot of the list of these names, which are told apart by where they stand. */
static struct schema_slot *find_key_list(struct schema *schema, const struct names *names,
                                         const uint32_t *kept, uint32_t n) {
    uint64_t hash = n;
    uint32_t probe = 0;
    struct schema_slot *slot;
    for (uint32_t i = 0; i < n; i++)
        hash = hash_mix(hash, (uint64_t)(uintptr_t)names->list[kept[i]].text);
    do slot = schema_map_slot(&schema->key_map, hash, &probe);
    while (slot && slot->value != RULES_NONE &&
           (slot->hash != hash ||
            !same_names(schema, &schema->key_lists[slot->value], names, kept, n)));
    return slot;
}

static bool note_key_list(struct schema *schema, const struct names *names, const uint32_t *kept,
                          const struct cell_object *object, struct schema_slot *slot) {
    struct schema_key_list list = {.first = schema->n_key_names,
                                   .n = object->n_props,
                                   .keys = object->keys,
                                   .names = object->names,
                                   .props = object->props};
    if (!vector_reserve((void **)&schema->key_names, &schema->cap_key_names,
                        schema->n_key_names + list.n + 1, sizeof *schema->key_names) ||
        !vector_reserve((void **)&schema->key_lists, &schema->cap_key_lists,
                        schema->n_key_lists + 1, sizeof *schema->key_lists))
        return schema_fail(schema, RULES_MEMORY);
    for (uint32_t i = 0; i < list.n; i++) {
        const struct name *name = &names->list[kept[i]];
        schema->key_names[schema->n_key_names++] =
            (struct json_key){.text = name->text, .len = name->len};
    }
    slot->value = schema->n_key_lists;
    schema->key_lists[schema->n_key_lists++] = list;
    return true;
}

/* The properties with the lists of their keys. */
static bool add_props(struct schema *schema, const struct names *names, const uint32_t *kept,
                      struct prop *props, struct cell_object *object) {
    struct rules *rules = schema->rules;
    uint32_t n = object->n_props;
    struct schema_slot *slot = find_key_list(schema, names, kept, n);
    if (!slot) return schema_fail(schema, RULES_MEMORY);
    bool known = slot->value != RULES_NONE;
    if (known) {
        const struct schema_key_list *list = &schema->key_lists[slot->value];
        object->keys = list->keys;
        object->names = list->names;
        for (uint32_t i = 0; i < n; i++) props[i].key_len = rules->props[list->props + i].key_len;
    } else if (!add_key_lists(schema, names, kept, props, object)) {
        return false;
    }
    enum rules_status status = rules_add_props(rules, props, n + 1, &object->props);
    if (status != RULES_OK) return schema_fail(schema, status);
    return known || note_key_list(schema, names, kept, object, slot);
}

/* One list of members all of which are required: its order is part of what is asked for (reasons
 * before the answer), and nothing is lost by it. One that was made up here asks for no order. */
static bool is_record(const struct schema *schema, const struct bundle *bundle,
                      const struct names *names) {
    uint32_t lists = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *list = schema_get(schema, term_part(bundle->terms[i]), KW_PROPERTIES);
        if (list && !list->raw) return false;
        lists += list != NULL;
    }
    for (uint32_t i = 0; i < names->n; i++)
        if (!names->list[i].required) return false;
    return lists == 1;
}

/* Is it enough to look at the members that are required? */
static bool is_least(const struct bundle *bundle, const struct names *names,
                     const struct cell_object *object) {
    uint32_t required = 0;
    for (uint32_t i = 0; i < names->n; i++) required += names->list[i].required;
    return object->min <= required && schema_only_judged(bundle);
}

/* Of the members' names, how many could be further keys if they were not declared? */
static uint32_t own_keys(const struct schema_keys *keys, const struct names *names,
                         const uint32_t *kept, uint32_t n) {
    uint32_t own = 0;
    for (uint32_t i = 0; keys->used && i < n; i++) {
        const struct name *name = &names->list[kept[i]];
        uint32_t label = language_label(&keys->language, name->text, name->len);
        own += label != LANGUAGE_INFINITE && (label & keys->names) == keys->names_wanted;
    }
    return own;
}

static bool fill_object(struct schema *schema, const struct bundle *bundle, struct names *names,
                        struct schema_keys *keys, struct prop *props, uint32_t *kept,
                        struct cell_object *object) {
    uint64_t closed = closed_groups(schema, bundle);
    uint32_t n = 0;
    object->ordered = schema->options.canonical || is_record(schema, bundle, names);
    object->min = schema_max_of(schema, bundle, KW_MIN_PROPERTIES);
    object->max = schema_min_of(schema, bundle, KW_MAX_PROPERTIES);
    bool least = is_least(bundle, names, object);
    for (uint32_t i = 0; i < names->n; i++) {
        const struct name *name = &names->list[i];
        if (least && !name->required) continue;
        bool allowed = declared_by_all(schema, bundle, keys, name, closed);
        if (!allowed && !name->required) continue;
        struct prop prop = {.required = name->required};
        prop.node =
            allowed ? property_node(schema, bundle, keys, names, name) : schema_nothing(schema);
        if (prop.node == RULES_NONE) return false;
        kept[n] = i;
        props[n++] = prop;
    }
    props[n] = (struct prop){.node = RULES_NONE};
    object->n_props = n;
    object->own = own_keys(keys, names, kept, n);
    if (!refuse_unsupported(schema, bundle, object)) return false;
    object->language = object->additional = RULES_NONE;
    if (!least && !add_further(schema, bundle, keys, names, closed, object)) return false;
    return add_props(schema, names, kept, props, object);
}

bool schema_object(struct schema *schema, const struct bundle *bundle, struct cell *cell) {
    struct names *names = names_begin(schema);
    struct schema_keys keys = {.used = false};
    *cell = (struct cell){.kind = CELL_OBJECT};
    if (!names || !collect_names(schema, bundle, names)) return false;
    if (!vector_reserve((void **)&names->props, &names->cap_props, names->n + 1,
                        sizeof *names->props) ||
        !vector_reserve((void **)&names->kept, &names->cap_kept, names->n + 1, sizeof *names->kept))
        return schema_fail(schema, RULES_MEMORY);
    bool done = schema_keys_build(schema, bundle, &keys) &&
                fill_object(schema, bundle, names, &keys, names->props, names->kept, &cell->object);
    schema_keys_free(&keys);
    return done;
}
