/* validate_internal: what the validate_*.c files share.
 *
 * A schema text becomes `struct schema`s, one per subschema, each a list of
 * constraints in the order in which they are checked. A constraint is a keyword
 * of the table in validate_keywords.c, the keyword's value, and what was worked
 * out beforehand: subschemas, a number, a regex. All of it lives in the
 * validator's arena and never changes once validator_new returns.
 */
#ifndef ENGINE_VALIDATE_INTERNAL_H
#define ENGINE_VALIDATE_INTERNAL_H

#include "engine/json.h"
#include "engine/regex.h"
#include "engine/validate.h"

enum {
    VALIDATE_STEPS = 8 << 20,         /* of one validator_check */
    VALIDATE_DEPTH = 1500,            /* schemas being applied at a time: bounds the C stack */
    VALIDATE_SCHEMAS = 1 << 18,       /* of one validator */
    VALIDATE_PATTERN_STATES = 1 << 19 /* of all patterns of one validator */
};

/* Ordered; schemas that name none are read as the latest. */
enum draft { DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020 };

struct arena;
void *validate_take(struct arena **arena, size_t n); /* zeroed; NULL if out of memory */
void validate_arena_free(struct arena *arena);

struct validation;
struct compiler;
struct constraint;
struct schema;
struct marks;

/* ---- Keywords ---- */

/* Where a keyword's value holds subschemas. */
enum shape {
    SHAPE_NONE,
    SHAPE_SCHEMA,
    SHAPE_LIST,        /* array of schemas, not empty */
    SHAPE_MAP,         /* object of schemas */
    SHAPE_ITEMS,       /* schema or list */
    SHAPE_DEPENDENCIES /* object of schemas or lists of strings */
};

/* How its subschemas are applied: to the same instance (in place), or to others. */
enum reach { REACH_NONE, REACH_CHILDREN, REACH_IN_PLACE, REACH_TEST };

#define ON(type)  (1u << (type))
#define ON_OBJECT ON(JSON_OBJECT)
#define ON_ARRAY  ON(JSON_ARRAY)
#define ON_STRING ON(JSON_STRING)
#define ON_NUMBER ON(JSON_NUMBER)
#define ON_ANY    0x7Fu

struct keyword {
    const char *name;
    uint8_t since, until; /* drafts */
    uint8_t shape, reach;
    uint8_t applies; /* to instances of these types; others satisfy it */
    /* Checks the keyword's value and fills the constraint. NULL: nothing to check. */
    bool (*compile)(struct compiler *compiler, struct schema *schema,
                    struct constraint *constraint);
    /* NULL: no constraint, or judged with a sibling. */
    bool (*check)(struct validation *run, const struct schema *schema,
                  const struct constraint *constraint, const struct json *instance,
                  struct marks *marks);
};

/* The keyword of that name in a draft, or NULL. */
const struct keyword *validate_keyword(const char *name, size_t len, enum draft draft);

/* ---- Compiled schemas ---- */

struct validate_code; /* validate_content.c */
typedef bool format_check(const char *text, size_t len);

struct constraint {
    const struct keyword *keyword;
    const struct json *value;
    struct schema **schemas;
    uint32_t n_schemas;
    union {
        uint64_t count;
        unsigned types; /* ON() bits, and TYPE_INTEGER */
        struct regex *regex;
        format_check *format;
        const struct validate_code *code; /* NULL: as it is */
        bool exclusive;
        struct { /* properties first, then one schema a pattern, then additional if there is one */
            const struct json *properties; /* or NULL */
            struct regex **patterns;
            uint32_t n_properties, n_patterns;
            bool additional;
        } members;
        struct { /* the first n_prefix schemas, then that of the rest if there is one */
            uint32_t n_prefix;
        } items;
        struct {
            uint64_t min, max;
        } contains;
        struct { /* schemas: if, then the others that there are */
            struct schema *then_schema, *else_schema;
        } condition;
    };
};

#define TYPE_INTEGER 0x100u /* numbers, but only whole ones */

/* Becomes a 1004. */
struct refusal {
    const struct json *at;
    const char *keyword, *reason;
};

struct schema {
    const struct json *source;
    struct constraint *constraints;
    uint32_t n_constraints, id, resource;
    uint8_t draft;
    bool never;                    /* the schema `false` */
    bool unevaluated;              /* has unevaluatedProperties or unevaluatedItems */
    bool own_draft;                /* some $schema said so */
    const struct refusal *refusal; /* NULL if the schema can be judged */
};

/* ---- Resources: what $ref can name (validate_refs.c) ---- */

struct resource {
    const char *uri; /* absolute or as far as known, without fragment */
    const struct json *root;
    uint8_t draft;
    bool own_draft;
};

struct resource_name {
    const char *uri;
    uint32_t resource;
};

struct anchor {
    uint32_t resource;
    const char *name;
    uint32_t name_len;
    const struct json *target;
};

/* ---- The validator ---- */

struct validator {
    struct arena *arena;
    const struct json *source;
    unsigned flags;
    struct schema **schemas; /* by id */
    uint32_t n_schemas, cap_schemas;
    struct schema *root;
    struct regex **regexes;
    size_t n_regexes, cap_regexes, pattern_states;
};

/* While compiling: also who stands where. */
struct compiler {
    struct validator *v;
    struct schema **by_source; /* hashed by the address of the source */
    size_t n_slots;
    struct resource *resources;
    uint32_t n_resources, cap_resources;
    struct resource_name *names; /* sorted by uri, once the whole schema was walked */
    uint32_t n_resources_named;
    struct anchor *anchors; /* sorted then */
    uint32_t n_anchors, cap_anchors;
    const struct json *refused_at; /* of the last 1004 */
    struct error *error;
};

/* The JSON pointer of a value somewhere below root, or (member not NULL) of a member it lacks.
 * False (and "") if it is not there. */
bool validate_pointer(const struct json *root, const struct json *value,
                      const struct json_key *member, char *path, size_t size);

/* Errors of the schema; both return false. `at` is the value that is wrong. */
bool validate_malformed(struct compiler *c, const struct json *at, const char *what);
bool validate_refuse(struct compiler *c, const struct json *at, const char *keyword,
                     const char *reason);
bool validate_no_memory(struct compiler *c);

/* The schema at a value that the walk has seen, else NULL. */
struct schema *validate_schema_at(const struct compiler *c, const struct json *source);
/* Makes schemas of the value and of all below it. */
bool validate_walk(struct compiler *c, const struct json *source, uint32_t resource);
/* Room for n subschemas in the constraint; then they are set one by one. */
bool validate_room(struct compiler *c, struct constraint *constraint, size_t n);
bool validate_add(struct compiler *c, struct constraint *constraint, const struct json *source);
/* A keyword of the schema's own draft beside the one at hand, or NULL. */
const struct json *validate_sibling(const struct schema *schema, const char *name);
bool validate_regex(struct compiler *c, const struct json *at, const char *keyword,
                    const char *pattern, size_t len, struct regex **regex);
bool validate_count(struct compiler *c, const struct json *value, uint64_t *count);
bool validate_string_list(struct compiler *c, const struct json *value);

/* validate_refs.c */
bool validate_enter(struct compiler *c, const struct json *source, uint32_t *resource);
bool validate_resolve(struct compiler *c, const struct schema *schema, const struct json *ref,
                      struct schema **target);
bool validate_resources_sort(struct compiler *c);
bool validate_resource_add(struct compiler *c, struct resource resource, uint32_t *index);
/* base and reference as RFC 3986 5.2 joins them, without the fragment; from the arena. */
char *validate_uri(struct arena **arena, const char *base, const char *reference, size_t len);

/* validate_formats.c; NULL if unknown or not asserted with these flags. */
format_check *validate_format(const char *name, size_t len, unsigned flags);

/* ---- One validation ---- */

struct validation {
    const struct validator *validator;
    uint64_t steps_left;
    unsigned depth;
    unsigned quiet;   /* > 0: a failure is only one of several ways */
    bool closed;      /* VALIDATE_CLOSED, where it applies */
    bool too_complex; /* sticky; every check fails from then on */
    uint32_t *seen;   /* per schema id; with `cluster`, scratch of closed_check */
    uint32_t *cluster;
    uint32_t generation;
    const char *keyword; /* the first violation */
    const struct json *at;
    struct json_key missing; /* member of `at` that is not there; text NULL if none */
};

/* Which members or elements of one instance were evaluated. */
struct marks {
    uint64_t *bits, inline_bits;
    uint32_t n;
};

bool validation_spend(struct validation *run, uint64_t steps);
/* Notes the first violation; returns false. */
bool validation_violated(struct validation *run, const char *keyword, const struct json *at);

/* Applies a schema to a child, or in place to the instance at hand. marks: NULL or those of the
 * instance, to which is added what the schema evaluated (also when it fails: then drop them). */
bool validation_apply(struct validation *run, const struct schema *schema,
                      const struct json *instance);
bool validation_apply_in_place(struct validation *run, const struct schema *schema,
                               const struct json *instance, struct marks *marks);
/* As a question: failures are not noted, marks only change when it holds. open: by the schema's own
 * word, also when objects are closed. */
bool validation_try(struct validation *run, const struct schema *schema,
                    const struct json *instance, struct marks *marks);
bool validation_try_open(struct validation *run, const struct schema *schema,
                         const struct json *instance, struct marks *marks);
bool validation_matches(struct validation *run, const struct regex *regex, const char *text,
                        size_t len);

/* VALIDATE_CLOSED, for an object or array: no members but those that the schema, with all it applies in
 * place, declares. *spelled becomes true where an enum or const there spells the value, so that what is in
 * it is not closed either. */
bool validation_closed(struct validation *run, const struct schema *schema,
                       const struct json *instance, bool *spelled);

bool validate_marks_init(struct validation *run, struct marks *marks, const struct json *instance);
void validate_marks_free(struct marks *marks);
void validate_marks_set(struct marks *marks, uint32_t i); /* marks may be NULL */
void validate_marks_set_all(struct marks *marks);
bool validate_marks_has(const struct marks *marks, uint32_t i);
void validate_marks_merge(struct marks *into, const struct marks *from);

#define COMPILE(name) validate_compile_##name
#define CHECK(name)   validate_check_##name
#define KEYWORD_COMPILE(name)                                                                      \
    bool COMPILE(name)(struct compiler * c, struct schema * schema, struct constraint * constraint)
#define KEYWORD_CHECK(name)                                                                        \
    bool CHECK(name)(struct validation * run, const struct schema *schema,                         \
                     const struct constraint *constraint, const struct json *instance,             \
                     struct marks *marks)

/* Scalars (validate_scalars.c) */
KEYWORD_COMPILE(type);
KEYWORD_CHECK(type);
KEYWORD_COMPILE(enum);
KEYWORD_CHECK(enum);
KEYWORD_CHECK(const);
KEYWORD_COMPILE(count);
KEYWORD_CHECK(min_length);
KEYWORD_CHECK(max_length);
KEYWORD_COMPILE(pattern);
KEYWORD_CHECK(pattern);
KEYWORD_COMPILE(format);
KEYWORD_CHECK(format);

/* Contents (validate_content.c) */
KEYWORD_COMPILE(content_encoding);
KEYWORD_CHECK(content_encoding);
KEYWORD_COMPILE(content_media_type);
KEYWORD_CHECK(content_media_type);
KEYWORD_COMPILE(minimum);
KEYWORD_CHECK(minimum);
KEYWORD_COMPILE(maximum);
KEYWORD_CHECK(maximum);
KEYWORD_COMPILE(exclusive);
KEYWORD_CHECK(exclusive_minimum);
KEYWORD_CHECK(exclusive_maximum);
KEYWORD_COMPILE(multiple);
KEYWORD_CHECK(multiple);
/* Objects (validate_objects.c) */
KEYWORD_COMPILE(required);
KEYWORD_CHECK(required);
KEYWORD_CHECK(min_properties);
KEYWORD_CHECK(max_properties);
KEYWORD_COMPILE(members);
KEYWORD_CHECK(members);
KEYWORD_COMPILE(dependencies);
KEYWORD_COMPILE(dependent_required);
KEYWORD_CHECK(dependencies);
KEYWORD_CHECK(property_names);
KEYWORD_CHECK(unevaluated_properties);
/* Arrays (validate_arrays.c) */
KEYWORD_CHECK(min_items);
KEYWORD_CHECK(max_items);
KEYWORD_COMPILE(items);
KEYWORD_CHECK(items);
KEYWORD_COMPILE(contains);
KEYWORD_CHECK(contains);
KEYWORD_COMPILE(boolean);
KEYWORD_CHECK(unique);
KEYWORD_CHECK(unevaluated_items);
/* Logic (validate_logic.c) */
KEYWORD_COMPILE(ref);
KEYWORD_CHECK(ref);
KEYWORD_COMPILE(list);
KEYWORD_COMPILE(one);
KEYWORD_COMPILE(unevaluated);
KEYWORD_CHECK(all_of);
KEYWORD_CHECK(any_of);
KEYWORD_CHECK(one_of);
KEYWORD_CHECK(not );
KEYWORD_COMPILE(condition);
KEYWORD_CHECK(condition);
KEYWORD_COMPILE(refused);

#endif
