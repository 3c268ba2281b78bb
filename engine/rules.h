/* rules: a compiled grammar as flat tables. Internal to constrained decoding.
 *
 * A node is a set of alternatives (cells); a cell describes values of one JSON
 * type. Nodes refer to each other by index, so recursion costs nothing. Built by
 * the schema compiler, completed by rules_finish, then immutable.
 */
#ifndef ENGINE_RULES_H
#define ENGINE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/digits.h"
#include "engine/guard.h"
#include "engine/language.h"
#include "engine/words.h"

#define RULES_NONE          UINT32_MAX
#define RULES_INFINITE      UINT32_MAX       /* shortest: nothing satisfies it; max: no limit */
#define RULES_LONGEST       (UINT32_MAX - 1) /* finite lengths saturate here */
#define RULES_DEPTH         48               /* values nest at most this deep */
#define RULES_MAX_NODES     (1u << 17)
#define RULES_MAX_CELLS     (1u << 18)
#define RULES_MAX_REFS      (1u << 20)
#define RULES_MAX_PROPS     (1u << 20)
#define RULES_MAX_LANGUAGES 512
#define RULES_LANGUAGE_LISTS 128
#define RULES_MAX_DISTINCT  512 /* words among which a unique item is chosen */

enum cell_kind { CELL_WORDS, CELL_STRING, CELL_NUMBER, CELL_ARRAY, CELL_OBJECT };

struct cell_words {    /* whole JSON texts: true, enum values, ... */
    uint32_t first, n; /* a sorted list in `words` */
};
struct cell_string {
    uint32_t min, max; /* code points; RULES_INFINITE */
    uint32_t language; /* in `languages`; RULES_NONE: any string */
};
struct cell_number {
    uint32_t automaton; /* in `digits` */
};
struct cell_array {
    uint32_t min, max;         /* items; RULES_INFINITE */
    uint32_t prefix, n_prefix; /* nodes of the first items: refs[prefix..] */
    uint32_t rest;             /* node of the others; RULES_NONE if n_prefix is all there may be */
    uint32_t unique_part;      /* whose uniqueItems holds; RULES_NONE: items may repeat */
    bool by_value;             /* items that must not repeat are told apart by their values */
    uint32_t contains;         /* guard: what least to most items satisfy; RULES_NONE */
    uint32_t least, most;      /* most: RULES_INFINITE */
    uint32_t with, without;    /* as prefix and rest together, n_prefix + 1 nodes: items that satisfy
                                  it, and items that don't (RULES_NONE where most has no limit) */
};
struct cell_object {
    uint32_t props, n_props; /* props[props..props + n_props], then a sentinel; schema order */
    uint32_t keys;           /* words: key as JSON text with the closing quote, value = property */
    uint32_t names;          /* words: decoded keys, value = property; n_props each */
    uint32_t additional;     /* node of further members, RULES_NONE if there are none */
    uint32_t language; /* of further members' keys; RULES_NONE: any. Then instead of additional: */
    uint32_t own;            /* how many of the declared names that language takes as well */
    uint32_t kinds, n_kinds; /* refs[kinds..]: triples of a key's label, the value's node, and
                                whether there are such keys without end */
    uint32_t min, max;       /* members; RULES_INFINITE */
    uint32_t spare;          /* bytes that suffice for any member that need not be there */
    uint16_t further_height; /* of the tallest further member */
    bool further;            /* further members can be satisfied */
    bool ordered; /* declared members come in schema order, further ones after them; else in
                     any order, further ones once all that are required are there */
};

struct cell {
    uint8_t kind;
    uint16_t height;   /* how deep its smallest value nests; 0 for scalars */
    uint32_t shortest; /* bytes */
    uint32_t guards, n_guards; /* refs[guards..]: what a value must pass where it closes */
    union {
        struct cell_words words;
        struct cell_string string;
        struct cell_number number;
        struct cell_array array;
        struct cell_object object;
    };
};

struct prop {
    uint32_t node;
    uint32_t key_len; /* bytes of the key as JSON text, quotes included */
    bool required;
    bool alive;             /* its node can be satisfied */
    uint32_t next_required; /* index of the first required property from here on, or n_props */
    uint32_t n_required, n_alive; /* from here on */
    uint32_t rest;                /* bytes after a value to complete the object from here on */
    uint32_t length;              /* bytes of such a member, with its comma */
};

struct node {
    uint32_t cells, n_cells; /* refs[cells..] */
    uint32_t shortest;
    uint16_t height;
    bool sure;         /* there are values that no guard judges */
    uint64_t first[4]; /* bytes a value may begin with */
};

/* Fixed text between values. */
struct literal {
    uint32_t text, len; /* in `words.bytes` */
};

enum literal_kind {
    LITERAL_HEAD,    /* open and the call up to the name */
    LITERAL_TAIL,    /* the same without open (the marker of auto was just read) */
    LITERAL_CLOSE,   /* from the arguments to the call's end */
    LITERAL_BETWEEN, /* between calls, then as LITERAL_HEAD */
    LITERALS
};

/* A set of strings, found again by what it was made from. */
struct rules_language {
    struct language language;
    uint32_t key, key_len; /* in `words.bytes` */
    uint64_t hash;         /* of the key */
    uint32_t next;         /* of its list, + 1 */
};

struct rules {
    struct node *nodes;
    struct cell *cells;
    struct prop *props;
    uint32_t *refs;
    uint32_t n_nodes, n_cells, n_props, n_refs;
    uint32_t cap_nodes, cap_cells, cap_props, cap_refs;
    struct words words;
    struct digits digits;
    struct rules_language *languages;
    uint32_t n_languages, cap_languages;
    uint32_t language_lists[RULES_LANGUAGE_LISTS]; /* by hash: the last of each, + 1 */
    struct guards guards;
    uint64_t *hashes; /* of words as items by value: word.value - 1 */
    uint32_t n_hashes, cap_hashes;
    bool guarded; /* the text of values matters: some cell has a guard, or an array remembers items by
                     value; known after rules_prune */
    bool spaced;
    uint32_t root; /* node of the value; RULES_NONE for calls */

    /* calls */
    bool automatic;
    uint32_t max_calls;
    uint32_t tools, n_tools; /* words: NAME", "arguments": , value = node */
    struct literal literals[LITERALS];
    struct literal marker; /* auto: what starts a call */
    uint16_t *fallback;    /* auto: KMP failure function of the marker */
};

enum rules_status { RULES_OK, RULES_MEMORY, RULES_TOO_LARGE };

/* How much there is of everything, to return to; what was found in `digits` stays. */
struct rules_mark {
    uint32_t n_nodes, n_cells, n_props, n_refs, n_words, n_bytes, n_languages, n_guards, n_judges;
};
struct rules_mark rules_mark(const struct rules *rules);
/* Only before judges are made. */
void rules_rewind(struct rules *rules, const struct rules_mark *mark);

/* Append; index through *out. */
enum rules_status rules_add_node(struct rules *rules, uint32_t *out);
enum rules_status rules_add_cell(struct rules *rules, const struct cell *cell, uint32_t *out);
enum rules_status rules_add_refs(struct rules *rules, const uint32_t *refs, uint32_t n,
                                 uint32_t *out);
enum rules_status rules_add_props(struct rules *rules, const struct prop *props, uint32_t n,
                                  uint32_t *out);
/* Takes the language over, also on failure. */
enum rules_status rules_add_language(struct rules *rules, struct language *language,
                                     const char *key, uint32_t key_len, uint32_t *out);
/* The language made from this key; RULES_NONE if there is none yet. */
uint32_t rules_find_language(const struct rules *rules, const char *key, uint32_t key_len);
void rules_free(struct rules *rules);
size_t rules_bytes(const struct rules *rules); /* what they hold */

/* Computes what depends on all nodes: lengths, heights, which properties and alternatives can be
 * satisfied at all; anew each time. False when that takes too long. */
bool rules_measure(struct rules *rules);
/* Cuts off what can't be satisfied and fills the derived fields; after rules_measure. False without
 * memory. */
bool rules_prune(struct rules *rules);
enum { KIND_LABEL, KIND_NODE, KIND_COUNT, KIND_FIELDS };

/* The node of a further member whose key carries this label; RULES_NONE if there is none. */
uint32_t rules_kind(const struct rules *rules, const struct cell_object *object, uint32_t label);

/* Bytes of the shortest completion of an array that has `count` items (after a value or "["), of which
 * `found` satisfy what it must contain. Where guards decide, a guess from below. */
uint32_t rules_array_rest(const struct rules *rules, const struct cell_array *array, uint32_t count,
                          uint32_t found);
/* Does the array look at its items' text? */
static inline bool rules_tracks(const struct cell_array *array) {
    return array->by_value || array->contains != RULES_NONE;
}
uint32_t rules_item(const struct rules *rules, const struct cell_array *array, uint32_t index);
/* Can items of this node be told apart as they are written? Free strings and scalar words can. */
bool rules_distinct(const struct rules *rules, uint32_t node);
/* Saturating sum; RULES_INFINITE absorbs. */
uint32_t rules_sum(uint32_t a, uint32_t b);

#endif
