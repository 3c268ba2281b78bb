/* `not`, `if` and dependencies as alternatives between subschemas.
 *
 * The negation of a schema is the list of ways in which one of its keywords can fail. Ways that
 * can't be written as a schema are stood in for by a guard: anything that does not satisfy the
 * negated schema when it closes.
 */
#include <string.h>

#include "engine/schema_part.h"

enum { MAX_WAYS = 256, MAX_NUMBERS = 8, MAX_PAIRS = 4, MAX_PREFIX = 16 };

struct negation {
    struct schema *schema;
    const struct json *ways[MAX_WAYS];
    uint32_t n;
    bool failed;     /* error is set */
    uint8_t partial; /* types of whose values some ways are left out */
};

static void add_way(struct negation *out, const struct json *way) {
    if (!way)
        out->failed = true;
    else if (out->n == MAX_WAYS)
        out->partial = TYPE_ALL;
    else
        out->ways[out->n++] = way;
}

/* ---- small schemas ---- */

static const struct json *with(struct schema *schema, const char *key, const struct json *value) {
    return schema_make_object(schema, &key, &value, 1);
}

static const struct json *make_not(struct schema *schema, const struct json *value) {
    return with(schema, "not", value);
}

static const struct json *make_text(struct schema *schema, const char *text) {
    return schema_make_string(schema, text, (uint32_t)strlen(text));
}

/* {"type": TYPE, KEY: VALUE} */
static const struct json *typed(struct schema *schema, const char *type, const char *key,
                                const struct json *value) {
    const char *keys[] = {"type", key};
    const struct json *values[] = {make_text(schema, type), value};
    return schema_make_object(schema, keys, values, 2);
}

static const struct json *both(struct schema *schema, const struct json *a, const struct json *b) {
    const struct json *list[] = {a, b};
    if (!a || !b) return NULL;
    return with(schema, "allOf", schema_make_array(schema, list, 2));
}

static const struct json *make_name(struct schema *schema, const struct json_key *key) {
    return schema_make_string(schema, key->text, key->len);
}

/* {"type": "object", "required": [KEY]} */
static const struct json *having(struct schema *schema, const struct json_key *key) {
    const struct json *name = make_name(schema, key);
    return name ? typed(schema, "object", "required", schema_make_array(schema, &name, 1)) : NULL;
}

/* {"type": "object", "properties": {KEY: VALUE}} */
static const struct json *property(struct schema *schema, const struct json_key *key,
                                   const struct json *value) {
    return typed(schema, "object", "properties", schema_make_member(schema, key, value));
}

static struct json_key key_of(const struct json *name) {
    return (struct json_key){.text = name->text, .len = name->len};
}

/* ---- how a keyword fails ---- */

static const struct {
    const char *name;
    uint8_t bits;
} type_names[] = {{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN},
                  {"string", TYPE_STRING}, {"number", TYPE_INTEGER | TYPE_NUMBER},
                  {"array", TYPE_ARRAY},   {"object", TYPE_OBJECT}};

/* The names of the types, as a list. */
static const struct json *name_types(struct schema *schema, uint8_t types) {
    const struct json *names[8];
    uint32_t n = 0;
    bool fraction = types & TYPE_NUMBER && !(types & TYPE_INTEGER);
    if (fraction && (names[n] = make_text(schema, SCHEMA_FRACTION)) != NULL) n++;
    types &= fraction ? (uint8_t)~TYPE_NUMBER : TYPE_ALL;
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (types & type_names[i].bits)
            if ((names[n++] = make_text(schema, type_names[i].name)) == NULL) n--;
    return schema_make_array(schema, names, n);
}

static void other_types(struct negation *out, uint8_t types) {
    uint8_t others = types & TYPE_INTEGER ? ~types & ~TYPE_NUMBER & TYPE_ALL : ~types & TYPE_ALL;
    if ((types & TYPE_INTEGER) && !(types & TYPE_NUMBER))
        out->partial |= out->schema->draft > 4 ? TYPE_NUMBER : TYPE_INTEGER | TYPE_NUMBER;
    if (others) add_way(out, with(out->schema, "type", name_types(out->schema, others)));
}

static uint8_t type_of(const struct json *value) {
    switch (value->type) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return TYPE_BOOLEAN;
    case JSON_STRING: return TYPE_STRING;
    case JSON_NUMBER: return TYPE_INTEGER | TYPE_NUMBER;
    case JSON_ARRAY: return TYPE_ARRAY;
    default: return TYPE_OBJECT;
    }
}

static void other_strings(struct negation *out, const struct json *const *values, uint32_t n) {
    struct buf text = {0};
    bool some = false;
    buf_add_str(&text, "^(?:");
    for (uint32_t i = 0; i < n; i++) {
        if (values[i]->type != JSON_STRING) continue;
        if (some) buf_add_char(&text, '|');
        some = true;
        for (uint32_t k = 0; k < values[i]->len; k++) {
            char c = values[i]->text[k];
            if (c && strchr("^$\\.*+?()[]{}|/", c)) buf_add_char(&text, '\\');
            buf_add_char(&text, c);
        }
    }
    buf_add_str(&text, ")$");
    if (some && !text.failed)
        add_way(out, typed(out->schema, "string", schema_keyword_name(KW_NOT_PATTERN),
                           schema_make_string(out->schema, text.bytes, (uint32_t)text.len)));
    if (text.failed) out->failed = !schema_fail(out->schema, RULES_MEMORY);
    buf_free(&text);
}

/* Below, between and above the numbers. */
static void other_numbers(struct negation *out, const struct json *const *values, uint32_t n) {
    const struct json *sorted[MAX_NUMBERS];
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (values[i]->type != JSON_NUMBER) continue;
        if (found == MAX_NUMBERS) {
            out->partial |= TYPE_INTEGER | TYPE_NUMBER;
            return;
        }
        uint32_t at = found++;
        for (; at > 0 && json_number_compare(sorted[at - 1]->text, sorted[at - 1]->len,
                                             values[i]->text, values[i]->len) > 0;
             at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    for (uint32_t i = 0; found && i <= found; i++) {
        const struct json *number = make_text(out->schema, "number");
        const char *keys[] = {"type", i ? "exclusiveMinimum" : "exclusiveMaximum",
                              "exclusiveMaximum"};
        const struct json *parts[] = {number, i ? sorted[i - 1] : sorted[0],
                                      i < found ? sorted[i] : NULL};
        add_way(out, schema_make_object(out->schema, keys, parts, i && i < found ? 3 : 2));
    }
}

static void other_values(struct negation *out, const struct json *const *values, uint32_t n) {
    uint8_t types = 0;
    bool yes = false, no = false;
    for (uint32_t i = 0; i < n; i++) {
        types |= type_of(values[i]);
        yes |= values[i]->type == JSON_TRUE;
        no |= values[i]->type == JSON_FALSE;
        if (values[i]->type >= JSON_ARRAY) out->partial |= type_of(values[i]);
    }
    other_types(out, types);
    other_strings(out, values, n);
    other_numbers(out, values, n);
    if (yes != no) add_way(out, with(out->schema, "const", schema_make_boolean(no)));
}

static uint32_t count_of(const struct json *number) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < number->len; i++) {
        if (number->text[i] < '0' || number->text[i] > '9' || value > 100000000) return RULES_NONE;
        value = value * 10 + (uint32_t)(number->text[i] - '0');
    }
    return (uint32_t)value;
}

static bool other_count(struct negation *out, enum schema_keyword keyword,
                        const struct json *value) {
    static const struct {
        uint8_t keyword, opposite;
        bool least;
        const char *type;
    } counts[] = {{KW_MIN_LENGTH, KW_MAX_LENGTH, true, "string"},
                  {KW_MAX_LENGTH, KW_MIN_LENGTH, false, "string"},
                  {KW_MIN_ITEMS, KW_MAX_ITEMS, true, "array"},
                  {KW_MAX_ITEMS, KW_MIN_ITEMS, false, "array"},
                  {KW_MIN_PROPERTIES, KW_MAX_PROPERTIES, true, "object"},
                  {KW_MAX_PROPERTIES, KW_MIN_PROPERTIES, false, "object"}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].keyword != keyword) continue;
        uint32_t count = count_of(value);
        if (count == RULES_NONE)
            out->partial = TYPE_ALL;
        else if (count > 0 || !counts[i].least)
            add_way(out, typed(out->schema, counts[i].type, schema_keyword_name(counts[i].opposite),
                               schema_make_number(out->schema,
                                                  counts[i].least ? count - 1 : count + 1)));
        return true;
    }
    return false;
}

static bool other_bound(struct negation *out, uint32_t part, enum schema_keyword keyword,
                        const struct json *value) {
    bool low = keyword == KW_MINIMUM || keyword == KW_EXCLUSIVE_MINIMUM;
    if (!low && keyword != KW_MAXIMUM && keyword != KW_EXCLUSIVE_MAXIMUM) return false;
    if (value->type != JSON_NUMBER) return true; /* draft 4: goes with the bound */
    const struct json *flag =
        schema_get(out->schema, part, low ? KW_EXCLUSIVE_MINIMUM : KW_EXCLUSIVE_MAXIMUM);
    bool strict = keyword == KW_EXCLUSIVE_MINIMUM || keyword == KW_EXCLUSIVE_MAXIMUM ||
                  (flag && flag->type == JSON_TRUE);
    enum schema_keyword opposite = low ? (strict ? KW_MAXIMUM : KW_EXCLUSIVE_MAXIMUM)
                                       : (strict ? KW_MINIMUM : KW_EXCLUSIVE_MINIMUM);
    add_way(out, typed(out->schema, "number", schema_keyword_name(opposite), value));
    return true;
}

static void other_properties(struct negation *out, const struct json *map) {
    for (uint32_t i = 0; i < map->len; i++) {
        const struct json *bad = make_not(out->schema, map->items[i]);
        add_way(out, both(out->schema, having(out->schema, &map->keys[i]),
                          property(out->schema, &map->keys[i], bad)));
    }
}

/* Some member whose name matches one of the patterns fails: one of a certain name does. */
static void other_pattern_properties(struct negation *out, uint32_t part, const struct json *map) {
    const struct json *names[SCHEMA_NAMES];
    out->partial |= TYPE_OBJECT;
    for (uint32_t i = 0; i < map->len && i < MAX_PAIRS; i++) {
        uint32_t n =
            schema_names(out->schema, part, false, map->keys[i].text, map->keys[i].len, names);
        for (uint32_t k = 0; k < n; k++) {
            struct json_key key = key_of(names[k]);
            add_way(out, both(out->schema, having(out->schema, &key),
                              property(out->schema, &key, make_not(out->schema, map->items[i]))));
        }
    }
}

/* A name that the schema of names does not allow: there is such a member. */
static void add_named(struct negation *out, uint32_t owner, const struct json *name) {
    struct schema *schema = out->schema;
    struct json_key key = key_of(name);
    uint32_t part = schema_part_of(schema, schema_get(schema, owner, KW_PROPERTY_NAMES));
    out->failed |= part == RULES_NONE;
    if (out->failed || name->type != JSON_STRING) return;
    enum schema_verdict verdict = schema_allows(schema, part, name);
    if (verdict == VERDICT_NO) add_way(out, having(schema, &key));
    out->failed |= verdict == VERDICT_UNKNOWN;
}

/* Does the subschema say nothing but this, and what of a name is no more? */
static bool says_only(struct schema *schema, uint32_t part, uint64_t keywords) {
    return part != RULES_NONE && schema->parts[part].types & TYPE_STRING &&
           (schema->parts[part].present & ~(1ull << KW_TYPE)) == keywords;
}

/* Some name is not allowed. Those that are listed are ways; of those that a pattern tells, some
 * are. */
static void other_names(struct negation *out, uint32_t part, const struct json *value) {
    struct schema *schema = out->schema;
    const struct json *names[SCHEMA_NAMES];
    uint32_t rule = schema_part_of(schema, value), listed;
    const struct json *refused = rule == RULES_NONE ? NULL : schema_get(schema, rule, KW_NOT);
    listed = refused ? schema_part_of(schema, refused) : rule;
    out->failed |= listed == RULES_NONE;
    if (out->failed) return;
    const struct json *pattern = schema_get(schema, listed, KW_PATTERN);
    const struct json *list = refused ? schema_get(schema, listed, KW_ENUM) : NULL;
    const struct json *single = refused ? schema_get(schema, listed, KW_CONST) : NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; list && i < list->len; i++) add_named(out, part, list->items[i]);
    if (single) add_named(out, part, single);
    if (pattern) n = schema_names(schema, part, !refused, pattern->text, pattern->len, names);
    for (uint32_t i = 0; i < n; i++) add_named(out, part, names[i]);
    bool all =
        says_only(schema, rule, 1ull << KW_NOT) &&
        (says_only(schema, listed, 1ull << KW_ENUM) || says_only(schema, listed, 1ull << KW_CONST));
    if (!all) out->partial |= TYPE_OBJECT;
}

static void missing(struct negation *out, const struct json *names) {
    for (uint32_t i = 0; i < names->len; i++) {
        struct json_key key = key_of(names->items[i]);
        add_way(out, property(out->schema, &key, schema_make_boolean(false)));
    }
}

static void other_dependencies(struct negation *out, const struct json *map) {
    struct schema *schema = out->schema;
    for (uint32_t i = 0; i < map->len; i++) {
        const struct json *value = map->items[i];
        const struct json *there = having(schema, &map->keys[i]);
        if (value->type != JSON_ARRAY) add_way(out, both(schema, there, make_not(schema, value)));
        for (uint32_t k = 0; value->type == JSON_ARRAY && k < value->len; k++) {
            struct json_key key = key_of(value->items[k]);
            add_way(out, both(schema, there, property(schema, &key, schema_make_boolean(false))));
        }
    }
}

/* Some item fails: the first that the schema is for does. */
static void other_items(struct negation *out, uint32_t part, const struct json *items) {
    struct schema *schema = out->schema;
    const struct json *prefix = schema_get(schema, part, KW_PREFIX_ITEMS), *places[MAX_PREFIX + 1];
    uint32_t n = prefix ? prefix->len : 0;
    out->partial |= TYPE_ARRAY;
    if (items->type == JSON_ARRAY || n > MAX_PREFIX) return;
    for (uint32_t i = 0; i < n; i++) places[i] = schema_make_boolean(true);
    places[n] = make_not(schema, items);
    if (!places[n]) return;
    add_way(out, both(schema, typed(schema, "array", "minItems", schema_make_number(schema, n + 1)),
                      with(schema, "items", schema_make_array(schema, places, n + 1))));
}

static const struct json *none_of(struct schema *schema, const struct json *list) {
    const struct json *nots[MAX_WAYS];
    if (list->len > MAX_WAYS) return schema_fail(schema, RULES_TOO_LARGE), NULL;
    for (uint32_t i = 0; i < list->len; i++)
        if (!(nots[i] = make_not(schema, list->items[i]))) return NULL;
    return with(schema, "allOf", schema_make_array(schema, nots, list->len));
}

static void other_choice(struct negation *out, enum schema_keyword keyword,
                         const struct json *list) {
    if (keyword == KW_ALL_OF) {
        for (uint32_t i = 0; i < list->len; i++)
            add_way(out, make_not(out->schema, list->items[i]));
        return;
    }
    add_way(out, none_of(out->schema, list));
    if (keyword == KW_ANY_OF) return;
    if (list->len > MAX_PAIRS) out->partial = TYPE_ALL;
    for (uint32_t i = 0; i < list->len && i < MAX_PAIRS; i++)
        for (uint32_t k = 0; k < i; k++)
            add_way(out, both(out->schema, list->items[i], list->items[k]));
}

static void other_condition(struct negation *out, uint32_t part) {
    struct schema *schema = out->schema;
    const struct json *test = schema_get(schema, part, KW_IF);
    const struct json *then = schema_get(schema, part, KW_THEN);
    const struct json *otherwise = schema_get(schema, part, KW_ELSE);
    if (then) add_way(out, both(schema, test, make_not(schema, then)));
    if (otherwise) add_way(out, both(schema, make_not(schema, test), make_not(schema, otherwise)));
}

/* No item satisfies it. With counts there are other ways, or none. */
static void other_contents(struct negation *out, uint32_t part, const struct json *value) {
    const struct json *least = schema_get(out->schema, part, KW_MIN_CONTAINS);
    bool most = schema_get(out->schema, part, KW_MAX_CONTAINS);
    if (least && schema_count(least) == 0 && !most) return; /* it never fails */
    if (least || most) out->partial |= TYPE_ARRAY;
    if (least && schema_count(least) == 0) return;
    add_way(out, typed(out->schema, "array", "items", make_not(out->schema, value)));
}

static void fail_by(struct negation *out, uint32_t part, enum schema_keyword keyword,
                    const struct json *value) {
    struct schema *schema = out->schema;
    if (other_count(out, keyword, value) || other_bound(out, part, keyword, value)) return;
    switch (keyword) {
    case KW_TYPE: other_types(out, schema->parts[part].types); break;
    case KW_ENUM: other_values(out, (const struct json *const *)value->items, value->len); break;
    case KW_CONST: other_values(out, &value, 1); break;
    case KW_PATTERN:
        add_way(out, typed(schema, "string", schema_keyword_name(KW_NOT_PATTERN), value));
        break;
    case KW_PROPERTIES: other_properties(out, value); break;
    case KW_REQUIRED: missing(out, value); break;
    case KW_DEPENDENCIES:
    case KW_DEPENDENT_REQUIRED:
    case KW_DEPENDENT_SCHEMAS: other_dependencies(out, value); break;
    case KW_ITEMS: other_items(out, part, value); break;
    case KW_ALL_OF:
    case KW_ANY_OF:
    case KW_ONE_OF: other_choice(out, keyword, value); break;
    case KW_NOT:
    case KW_GUARD: add_way(out, value); break;
    case KW_IF: other_condition(out, part); break;
    case KW_REF: {
        uint32_t target = schema_resolve(schema, part);
        if (target == RULES_NONE)
            out->failed = true;
        else
            add_way(out, make_not(schema, schema->parts[target].json));
        break;
    }
    case KW_CONTAINS: other_contents(out, part, value); break;
    case KW_NOT_PATTERN: add_way(out, typed(schema, "string", "pattern", value)); break;
    case KW_FORMAT:
        /* for a guard to see: the validator, who judges all but this one */
        if (schema_format(value, &(uint32_t){0}) && !json_is_string(value, "idn-hostname"))
            out->partial |= TYPE_STRING;
        break;
    case KW_CONTENT_ENCODING:
    case KW_CONTENT_MEDIA_TYPE: out->partial |= TYPE_STRING; break;
    case KW_MULTIPLE_OF: out->partial |= TYPE_INTEGER | TYPE_NUMBER; break;
    case KW_UNIQUE_ITEMS:
    case KW_PREFIX_ITEMS:
    case KW_ADDITIONAL_ITEMS:
    case KW_UNEVALUATED_ITEMS: out->partial |= TYPE_ARRAY; break;
    case KW_PATTERN_PROPERTIES: other_pattern_properties(out, part, value); break;
    case KW_PROPERTY_NAMES: other_names(out, part, value); break;
    case KW_ADDITIONAL_PROPERTIES:
    case KW_UNEVALUATED_PROPERTIES: out->partial |= TYPE_OBJECT; break;
    case KW_DYNAMIC_REF:
    case KW_RECURSIVE_REF: out->partial = TYPE_ALL; break;
    default: break; /* annotations never fail */
    }
}

/* Any value of these types that does not satisfy the schema. */
static const struct json *guarded_way(struct schema *schema, uint8_t types,
                                      const struct json *value) {
    const char *keys[] = {schema_keyword_name(KW_GUARD), "type"};
    const struct json *values[] = {value, name_types(schema, types)};
    return schema_make_object(schema, keys, values, 2);
}

const struct json *schema_negation(struct schema *schema, uint32_t part) {
    struct negation out = {.schema = schema};
    if (schema->parts[part].negation) return schema->parts[part].negation;
    const struct json *value = schema_get(schema, part, KW_NOT);
    uint32_t negated = schema_part_of(schema, value);
    if (negated == RULES_NONE) return NULL;
    if (value->type == JSON_FALSE) add_way(&out, schema_make_boolean(true));
    struct schema_part at = schema->parts[negated];
    for (uint32_t i = 0; i < at.n && !out.failed; i++) {
        struct schema_member member = schema->members[at.first + i];
        fail_by(&out, negated, member.keyword, member.value);
    }
    if (out.partial && !out.failed && schema_can_guard(schema, value))
        add_way(&out, guarded_way(schema, out.partial, value));
    if (out.failed) return NULL;
    if (out.n == 0 && out.partial)
        return schema_refuse(schema, part, KW_NOT, "what it negates can't be negated"), NULL;
    const struct json *list = schema_make_array(schema, out.ways, out.n);
    if (list) schema->parts[part].negation = list;
    return list;
}

/* What is stated as a double negation restricts without declaring members (see expand_choice). */
static const struct json *restricting(struct schema *schema, const struct json *value) {
    const struct json *negated = make_not(schema, value);
    return negated ? make_not(schema, negated) : NULL;
}

const struct json *schema_condition(struct schema *schema, uint32_t part) {
    const struct json *test = schema_get(schema, part, KW_IF);
    const struct json *then = schema_get(schema, part, KW_THEN);
    const struct json *otherwise = schema_get(schema, part, KW_ELSE);
    const struct json *holds = restricting(schema, test), *fails = make_not(schema, test);
    const struct json *list[2] = {then ? both(schema, holds, then) : holds,
                                  otherwise ? both(schema, fails, otherwise) : fails};
    return list[0] && list[1] ? schema_make_array(schema, list, 2) : NULL;
}

/* Either the member is not there, or what depends on it holds. */
const struct json *schema_dependency(struct schema *schema, const struct json_key *key,
                                     const struct json *value) {
    const struct json *absent =
        with(schema, "properties", schema_make_member(schema, key, schema_make_boolean(false)));
    const struct json *there = absent ? make_not(schema, absent) : NULL;
    const struct json *needs = value;
    if (value->type == JSON_ARRAY) needs = with(schema, "required", value);
    if (needs && value->type == JSON_ARRAY) needs = restricting(schema, needs);
    const struct json *list[2] = {absent, both(schema, there, needs)};
    return list[0] && list[1] ? schema_make_array(schema, list, 2) : NULL;
}
