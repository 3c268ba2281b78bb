/* schema_part: a subschema with its keywords found. Internal to schema*.c. */
#ifndef ENGINE_SCHEMA_PART_H
#define ENGINE_SCHEMA_PART_H

#include "engine/schema.h"

enum schema_keyword {
    /* in alphabetical order, as the table in schema_part.c */
    KW_ID, KW_REF, KW_ANCHOR, KW_DEFS, KW_DYNAMIC_REF, KW_RECURSIVE_REF, KW_SCHEMA,
    KW_ADDITIONAL_ITEMS, KW_ADDITIONAL_PROPERTIES, KW_ALL_OF, KW_ANY_OF, KW_CONST, KW_CONTAINS,
    KW_CONTENT_ENCODING, KW_CONTENT_MEDIA_TYPE,
    KW_DEFINITIONS, KW_DEPENDENCIES, KW_DEPENDENT_REQUIRED, KW_DEPENDENT_SCHEMAS, KW_ELSE, KW_ENUM,
    KW_EXCLUSIVE_MAXIMUM, KW_EXCLUSIVE_MINIMUM, KW_FORMAT, KW_ID_OLD, KW_IF, KW_ITEMS,
    KW_MAX_CONTAINS, KW_MAX_ITEMS, KW_MAX_LENGTH, KW_MAX_PROPERTIES, KW_MAXIMUM, KW_MIN_CONTAINS,
    KW_MIN_ITEMS, KW_MIN_LENGTH, KW_MIN_PROPERTIES, KW_MINIMUM, KW_MULTIPLE_OF, KW_NOT, KW_ONE_OF,
    KW_PATTERN, KW_PATTERN_PROPERTIES, KW_PREFIX_ITEMS, KW_PROPERTIES, KW_PROPERTY_NAMES,
    KW_REQUIRED, KW_THEN, KW_TYPE, KW_UNEVALUATED_ITEMS, KW_UNEVALUATED_PROPERTIES,
    KW_UNIQUE_ITEMS,
    KW_NOT_PATTERN, /* made by schema_logic.c: a pattern that must not match */
    KW_GUARD,       /* likewise: a subschema that must not hold, which a guard sees to */
    KW_COUNT
};

enum schema_type { /* bits */
    TYPE_NULL = 1, TYPE_BOOLEAN = 2, TYPE_STRING = 4, TYPE_INTEGER = 8,
    TYPE_NUMBER = 16 /* those that are no integers */, TYPE_ARRAY = 32, TYPE_OBJECT = 64,
    TYPE_ALL = 127
};

/* The name of TYPE_NUMBER alone, in what is made up. */
#define SCHEMA_FRACTION "\1fraction"

enum schema_verdict { VERDICT_NO, VERDICT_YES, VERDICT_UNKNOWN };

struct schema_part {
    const struct json *json;
    uint64_t present;          /* bit per keyword */
    uint32_t first, n;         /* entries of `members` */
    const struct json *negation; /* alternatives of its `not`, once made (schema_logic.c) */
    uint32_t target;           /* where $ref leads, once resolved; RULES_NONE before */
    uint32_t resource;         /* what its $ref is relative to; RULES_NONE: not known yet */
    uint32_t constants[2];     /* of its anyOf, its oneOf, see schema_constants; 0: not known yet */
    struct schema_openness *around; /* what it leads to, once needed (schema_closed.c) */
    uint32_t *listed;          /* its enum's values by hash, once needed (schema_instance.c) */
    uint8_t types;
    uint8_t tagged;            /* its oneOf, see schema_tagged */
};

struct schema_member {
    uint16_t keyword;
    const struct json *value;
    const struct json *ranked; /* of the n-th of a part: the value of its n-th keyword in the order of
                                  the list above */
};

/* A branch set that must turn out empty: two alternatives of a oneOf at once. */
struct schema_duty {
    uint32_t node, part, branch;
    uint32_t set; /* whose bundles need it */
};

/* Branches of a oneOf found to overlap with others: their negation is compiled with those. */
struct schema_overlap {
    uint32_t owner, branch;
};

struct schema_resource { /* a schema with a URI */
    char *uri; /* absolute where the document's is; without fragment */
    const struct json *root;
};

struct schema_anchor {
    const struct json *name, *json;
    uint32_t resource;
};

struct schema_set { /* a conjunction: terms[first..first + n] are sorted terms */
    uint32_t first, n, node;
    bool stale; /* to be compiled anew: branches overlap */
};

struct schema_slot { /* of the map from subschemas to parts, and from sets to sets */
    uint64_t hash;
    uint32_t value;
};

struct schema_key_list { /* members' names in an order, and where the grammar has them */
    uint32_t first, n; /* in `key_names` */
    uint32_t keys, names, props; /* in rules */
};

struct schema_map {
    struct schema_slot *slots;
    uint32_t n, cap;
};

enum { SCHEMA_NAME_PATTERNS = 12 };
struct schema_name_patterns { /* of patternProperties and propertyNames, anywhere in the document */
    const char *text[SCHEMA_NAME_PATTERNS];
    uint32_t len[SCHEMA_NAME_PATTERNS], n;
    bool known;
};

struct schema {
    struct schema_options options;
    char place[64];            /* options.place */
    struct rules *rules;
    struct error *error;
    struct json_doc *doc;
    const struct json *root;
    const char *source_text;   /* the document's text; NULL if there is none */
    size_t source_len;
    struct schema_resource *resources; /* the document's comes first */
    uint32_t n_resources, cap_resources;
    bool unique;               /* some subschema has uniqueItems */
    bool fractions;            /* integers may be written as 1.0 */
    bool too_large;            /* that is why it failed */
    uint32_t resource;         /* the one being checked */
    struct schema_anchor *anchors;
    uint32_t n_anchors, cap_anchors;
    bool old;                  /* draft 7 or before: $ref hides its siblings */
    unsigned draft;            /* then: 4, 6 or 7 */
    bool annotates;            /* draft 2019-09 or 2020-12 is named: a format is an annotation */
    bool contents;             /* draft 7 or none: what strings hold is a constraint */
    uint32_t root_node;
    struct schema_part *parts;
    struct schema_member *members;
    struct schema_set *sets;
    uint32_t *terms;
    struct schema_duty *duties;
    struct schema_overlap *overlaps;
    uint32_t n_parts, n_members, n_sets, n_terms, n_duties, n_overlaps;
    uint32_t cap_parts, cap_members, cap_sets, cap_terms, cap_duties, cap_overlaps;
    struct schema_map part_map, set_map, resource_map, anchor_map, key_map;
    struct schema_key_list *key_lists; /* by hash in key_map */
    struct json_key *key_names;
    uint32_t n_key_lists, cap_key_lists, n_key_names, cap_key_names;
    struct schema_block *made; /* subschemas made up here */
    struct names *names;       /* scratch of schema_object.c */
    bool frugal;               /* multiplied out there was too much: now oneOf, not, if and dependencies
                                  are left to guards where values close */
    uint32_t judge;            /* of its guards; RULES_NONE: it has none */
    uint32_t rounds;           /* of overlaps found */
    uint32_t compiled;         /* sets whose node is filled */
    uint32_t filling;          /* the set whose node is being filled */
    uint32_t work;             /* bundles made, against explosion */
    uint32_t work_limit;       /* for the node being compiled */
    uint32_t prune_from;       /* likewise: bundles from here on are pruned */
    bool pruned;               /* likewise: some were */
    uint32_t prunings;         /* attempts at it, in all */
    uint32_t document_parts;
    struct schema_name_patterns name_patterns;
    uint64_t pattern_steps;    /* left for building automata */
    uint64_t merge_failed;     /* hash of what schema_text could not make one automaton of, the last */
    uint64_t compared;         /* values of enums, one with another */
    bool uncertain;            /* values were judged by schema_allows as far as it can */
    const struct json *source; /* the enum whose values are being held against the parts */
    struct buf text;           /* scratch */
};

/* A term of a conjunction: a part and how it takes part. */
enum term_flags {
    TERM_EXTRA = 1,   /* it only restricts: members that it declares are not thereby declared for a
                         closed object */
    TERM_DECIDED = 2, /* what its $ref, allOf, anyOf and oneOf lead to is in the set already */
    TERM_LOOSE = 4    /* the set is to be shown empty: what is only generated in part, such as `not`,
                         is left out, so that the rest is no less than what the part allows */
};

static inline uint32_t term_of(uint32_t part, unsigned flags) {
    return part << 3 | flags;
}

static inline uint32_t term_part(uint32_t term) {
    return term >> 3;
}

/* ---- schema_part.c ---- */
/* The part of a subschema; RULES_NONE after an error. */
uint32_t schema_part_of(struct schema *schema, const struct json *json);
/* The value of a keyword that is present. */
const struct json *schema_value(const struct schema *schema, const struct schema_part *part,
                                enum schema_keyword keyword);
/* The value of a keyword; NULL if there is none, as most often. */
static inline const struct json *schema_get(const struct schema *schema, uint32_t part,
                                            enum schema_keyword keyword) {
    const struct schema_part *at = &schema->parts[part];
    return at->present >> keyword & 1 ? schema_value(schema, at, keyword) : NULL;
}
const char *schema_keyword_name(enum schema_keyword keyword);
/* The index of a keyword, KW_COUNT if JSON Schema does not define it. */
enum schema_keyword schema_keyword_find(const char *text, uint32_t len);
/* The part that a part's $ref leads to, checked; RULES_NONE after an error. */
uint32_t schema_resolve(struct schema *schema, uint32_t part);
/* Error 1004 about a keyword of a part. Returns false. */
bool schema_refuse(struct schema *schema, uint32_t part, enum schema_keyword keyword,
                   const char *reason);
/* Records a failure that is not about one keyword. Returns false. */
bool schema_fail(struct schema *schema, enum rules_status status);
/* Fills error->path for a place inside the schema document. */
void schema_locate(const struct schema *schema, const struct json *json, const char *keyword,
                   char *path, size_t size);

/* ---- schema_map.c ---- */
/* The slot of a hash: continue with `probe` until found or empty (value RULES_NONE). NULL when memory
 * runs out. */
void schema_map_clear(struct schema_map *map);
struct schema_slot *schema_map_slot(struct schema_map *map, uint64_t hash, uint32_t *probe);

/* ---- schema_check.c ---- */
/* Are all keywords of this subschema and those inside it well-formed, is it not too deep? */
bool schema_check(struct schema *schema, const struct json *json);

/* ---- schema_resource.c ---- */
/* A part is about to be checked: notes the resource that it belongs to, which may be its own, and
 * makes it the current one. */
bool schema_enter(struct schema *schema, uint32_t part);
/* The resource that a reference of a part leads to; RULES_NONE: none in this document. */
uint32_t schema_find_resource(struct schema *schema, uint32_t part, const char *ref, size_t len);
/* The subschema that an anchor of the resource names; NULL if there is none. */
const struct json *schema_find_anchor(struct schema *schema, uint32_t resource, const char *name,
                                      size_t len);
void schema_resources_free(struct schema *schema);

/* ---- schema.c ---- */
/* Fills the nodes of the sets that are stale or new. */
bool schema_compile_sets(struct schema *schema);
/* Begins anew, with more left to guards, what turned out too large. False: it was not that, or is
 * frugal already. */
bool schema_compile_frugally(struct schema *schema);
/* The node of a conjunction of n terms (in any order, with repetitions). RULES_NONE after an error. */
uint32_t schema_node(struct schema *schema, uint32_t *terms, uint32_t n);
/* The node that nothing satisfies. RULES_NONE after an error. */
uint32_t schema_nothing(struct schema *schema);

/* ---- schema_duty.c ---- */
/* Demands that nothing satisfies the conjunction; otherwise the branch of part's oneOf overlaps
 * others. */
bool schema_add_duty(struct schema *schema, uint32_t *terms, uint32_t n, uint32_t part,
                     uint32_t branch);
bool schema_overlaps(const struct schema *schema, uint32_t owner, uint32_t branch);

/* ---- schema_made.c ---- */
/* Subschemas made up while compiling; they live as long as the schema. NULL after an error. */
const struct json *schema_make_array(struct schema *schema, const struct json *const *items,
                                     uint32_t n);
const struct json *schema_make_object(struct schema *schema, const char *const *keys,
                                      const struct json *const *values, uint32_t n);
const struct json *schema_make_member(struct schema *schema, const struct json_key *key,
                                      const struct json *value);
const struct json *schema_make_string(struct schema *schema, const char *text, uint32_t len);
const struct json *schema_make_number(struct schema *schema, uint32_t value);
const struct json *schema_make_digits(struct schema *schema, const char *text, uint32_t len); /* a number */
const struct json *schema_make_boolean(bool value);
/* In how many orders the members of the value's objects can be written; 0: more than `most`. */
uint32_t schema_orders(const struct json *value, uint32_t most);
/* The value in one of them; 0: its own. */
const struct json *schema_in_order(struct schema *schema, const struct json *value, uint32_t order);
void schema_made_free(struct schema *schema);

/* ---- schema_logic.c ---- */
/* Lists of subschemas one of which must hold; NULL after an error. What only some of the instances
 * satisfy that satisfy the keyword may be left out. */
const struct json *schema_negation(struct schema *schema, uint32_t part); /* of the part's `not` */
const struct json *schema_condition(struct schema *schema, uint32_t part); /* if, then, else */
/* One member of dependencies, dependentRequired or dependentSchemas. */
const struct json *schema_dependency(struct schema *schema, const struct json_key *key,
                                     const struct json *value);

/* ---- schema_names.c ---- */
#define SCHEMA_NAMES 2
/* At most SCHEMA_NAMES strings that the pattern matches, or if negated does not match; fewer, or none, where
 * they are not found. Returns how many. */
uint32_t schema_names(struct schema *schema, uint32_t part, bool negated, const char *pattern, uint32_t len,
                      const struct json **names);

/* ---- schema_bundle.c ---- */
#define BUNDLE_PARTS   128
#define BUNDLE_CHOICES 32

struct bundle {
    uint32_t terms[BUNDLE_PARTS];     /* parts that hold together */
    uint8_t via[BUNDLE_PARTS];        /* which earlier one led to it; BUNDLE_PARTS: none */
    struct bundle_choice {
        const struct json *list; /* of subschemas, one of which must hold */
        uint8_t at;              /* the entry it comes from */
        uint8_t keyword;
    } choices[BUNDLE_CHOICES];   /* still to be made */
    uint32_t rejected[BUNDLE_CHOICES]; /* oneOf branches not taken that may overlap */
    uint32_t rejected_by[BUNDLE_CHOICES];
    struct { /* the rest, copied as a whole */
        uint32_t n, n_choices, n_rejected;
        uint8_t types;
        bool dead;                    /* nothing satisfies it */
        bool conditional;             /* some choice is of an `if` */
    };
};

/* ---- schema_guard.c ---- */
/* Does a guard judge what this part demands by oneOf, not, if and dependencies? Then it is enough to
 * generate a superset. */
bool schema_left_to_guard(const struct schema *schema, uint32_t term);
/* The guard of a subschema of the document. */
bool schema_guard(struct schema *schema, const struct json *subschema, bool negated, bool open,
                  uint32_t *guard);
bool schema_can_guard(const struct schema *schema, const struct json *subschema);
/* Gives the cell the guards that the bundle's values of these types need. */
bool schema_guards(struct schema *schema, const struct bundle *bundle, uint8_t types,
                   struct cell *cell);

struct alternatives { /* what a conjunction's node will consist of */
    uint32_t *cells;
    uint32_t n, cap;
    struct words words; /* JSON texts */
    uint8_t plain;    /* types that already have a cell without any restriction */
};

/* Does it only matter whether anything satisfies the bundle? It comes of a duty. */
bool schema_only_judged(const struct bundle *bundle);
/* Multiplies out the conjunction and hands every bundle to schema_cells. */
bool schema_expand(struct schema *schema, const uint32_t *terms, uint32_t n,
                   struct alternatives *out);

/* Takes objects out of a bundle if none can have the members that it requires, as far as that is seen at
 * once. */
void schema_prune(struct schema *schema, struct bundle *bundle);

/* ---- schema_cell.c, schema_object.c ---- */
bool schema_cells(struct schema *schema, const struct bundle *bundle, struct alternatives *out);
bool schema_string(struct schema *schema, const struct bundle *bundle, struct cell *cell);
/* Is it exact to count its length beside its automaton? Notes what that leaves open. */
bool schema_countable(struct schema *schema, const struct cell_string *string);
struct schema_sources { /* patterns and where they stand */
    const char *text[LANGUAGE_PATTERNS];
    uint32_t len[LANGUAGE_PATTERNS];
    uint32_t part[LANGUAGE_PATTERNS];
    uint8_t keyword[LANGUAGE_PATTERNS];
    bool negated[LANGUAGE_PATTERNS];
    uint32_t n;
};
bool schema_add_source(struct schema *schema, struct schema_sources *sources, uint32_t part,
                       enum schema_keyword keyword, const char *text, uint32_t len);
/* The label of a string that all of them allow. */
uint32_t schema_sources_label(const struct schema_sources *sources);
/* Does the pattern match somewhere in the string? Unknown: error is set. */
enum schema_verdict schema_matches(struct schema *schema, uint32_t part, enum schema_keyword keyword,
                                   const struct json *pattern, const char *text, uint32_t len);
/* Those of `pattern` and `format`; lowers *max to what the formats need. */
bool schema_collect_sources(struct schema *schema, const struct bundle *bundle,
                            struct schema_sources *sources, uint32_t *max);
/* Compiles all sources and builds their product; not finished yet. outlook: NULL where all strings
 * matter. *trouble, if not NULL: which source it failed at, and why. */
struct schema_trouble {
    uint32_t source;
    const char *what;
};
enum pattern_result schema_try_language(const struct schema_sources *sources,
                                        const struct language_length *length,
                                        const struct language_outlook *outlook,
                                        struct language *language, uint64_t *budget,
                                        struct schema_trouble *trouble);
/* The same, with an error about the source. */
bool schema_build_language(struct schema *schema, const struct schema_sources *sources,
                           const struct language_length *length,
                           const struct language_outlook *outlook, struct language *language);
bool schema_array(struct schema *schema, const struct bundle *bundle, struct cell *cell);
/* Has the part a `contains` that the array's cell can't count, because it counts another? */
bool schema_more_contains(const struct schema *schema, const struct bundle *bundle, uint32_t at);
bool schema_object(struct schema *schema, const struct bundle *bundle, struct cell *cell);
void schema_names_free(struct schema *schema);
bool schema_add_cell(struct schema *schema, struct alternatives *out, const struct cell *cell);
bool schema_add_word(struct schema *schema, struct alternatives *out, const char *text,
                     size_t len);
/* The value of a counting keyword; saturates. */
uint32_t schema_count(const struct json *number);
/* The largest (smallest) of a counting keyword over the bundle's parts; saturates. */
uint32_t schema_max_of(const struct schema *schema, const struct bundle *bundle,
                       enum schema_keyword keyword);
uint32_t schema_min_of(const struct schema *schema, const struct bundle *bundle,
                       enum schema_keyword keyword);

/* ---- schema_content.c ---- */
/* The pattern for what a part's strings hold, or NULL; of what units all their lengths are. */
const char *schema_content(const struct schema *schema, uint32_t part);
uint32_t schema_content_unit(const struct schema *schema, uint32_t part);
/* Is it a JSON document, for a guard to judge? */
bool schema_holds_document(const struct schema *schema, uint32_t part);

/* ---- schema_string.c ---- */
/* The pattern for a format, or NULL if it is unknown (no constraint); lowers *max to the format's. */
const char *schema_format(const struct json *name, uint32_t *max);

/* ---- schema_keys.c ---- */
/* What patternProperties and propertyNames say of keys, as one automaton. */
struct schema_keys {
    bool used; /* they say something */
    struct language language;
    struct {
        const char *text;
        uint32_t len;
    } patterns[LANGUAGE_PATTERNS]; /* of patternProperties; bit i of a label */
    uint32_t n_patterns;
    uint32_t names, names_wanted; /* label bits of propertyNames, and those that a key must carry */
};

bool schema_keys_build(struct schema *schema, const struct bundle *bundle, struct schema_keys *keys);
/* Does a label say that this pattern holds? */
bool schema_keys_hold(const struct schema_keys *keys, uint32_t label, const char *text, uint32_t len);
void schema_keys_free(struct schema_keys *keys);

/* Has the part a multipleOf that the step of the bundle's numbers does not stand for? */
bool schema_more_steps(struct schema *schema, const struct bundle *bundle, uint32_t at);

/* ---- schema_unevaluated.c ---- */
/* What the unevaluatedProperties of the bundle's entry `at` says of a member (name NULL: one that is
 * not declared and carries the label); NULL if nothing, or if it can't be told. */
const struct json *schema_unevaluated_member(struct schema *schema, const struct bundle *bundle,
                                             uint32_t at, const struct schema_keys *keys,
                                             const struct json_key *name, uint32_t label);
const struct json *schema_unevaluated_item(struct schema *schema, const struct bundle *bundle,
                                           uint32_t at, uint32_t index);
/* From this index on it says the same of all items. */
uint32_t schema_unevaluated_prefix(struct schema *schema, const struct bundle *bundle, uint32_t at);
/* Is there more to the entry's keyword than those tell? */
bool schema_unsure(struct schema *schema, const struct bundle *bundle, uint32_t at,
                   enum schema_keyword keyword);

/* ---- schema_closed.c ---- */
enum { OPENNESS_PARTS = 256 };
struct schema_openness { /* of an object schema with all it may lead to in place */
    uint32_t parts[OPENNESS_PARTS], n;
    bool object;             /* it speaks of objects */
    bool names;              /* it restricts names */
    uint64_t declared, least; /* members declared, members that must be there */
};
/* Adds a part and what its applicators lead to, alternatives included. */
void schema_look_around(struct schema *schema, uint32_t part, struct schema_openness *is);
void schema_around_free(struct schema *schema);
/* Where nothing says what further members may be: are there none? */
bool schema_closes(const struct schema_openness *is);

/* ---- schema_instance.c ---- */
/* What was needed to find values in enums. */
void schema_instances_free(struct schema *schema);
/* Does the value satisfy a part, with everything it refers to? Unknown: error is set. */
enum schema_verdict schema_allows(struct schema *schema, uint32_t part, const struct json *value);
/* The same of a term of a bundle that is multiplied out: what $ref, allOf and anyOf lead to is in the
 * bundle itself. Of a part that is decided only its own keywords count: in a duty, a oneOf that leads
 * here must not. */
enum schema_verdict schema_allows_here(struct schema *schema, uint32_t term,
                                       const struct json *value);

/* ---- schema_constants.c ---- */
/* The part of one enum that says the same as the owner's anyOf or oneOf, if that is a long list of
 * constants; else RULES_NONE. False after an error. */
bool schema_constants(struct schema *schema, uint32_t owner, enum schema_keyword keyword,
                      uint32_t *part);
/* Was that found of the owner's oneOf? */
bool schema_are_constants(const struct schema *schema, uint32_t owner);
/* Is there a member that all branches of the owner's oneOf, many objects, require, with constants for
 * its value that no two of them share? Then at most one branch holds. */
bool schema_tagged(struct schema *schema, uint32_t owner);

/* ---- schema_overlap.c ---- */
/* Can no value satisfy both parts? Judged by types, constants and tag properties only: false when
 * in doubt. */
bool schema_disjoint(struct schema *schema, uint32_t a, uint32_t b);

#endif
