/* form: what an answer must be, compiled from a request. Internal to engine/.
 *
 * A grammar, the validators that have the last word, and what was dropped on the way. Made of its
 * key: all bytes of the request that decide it (what else does is the same for all requests to an
 * engine). Equal keys give equal forms, and no byte of an answer tells whether its form was made
 * for it or for an earlier one. Immutable but for what a grammar learns while it is used, which
 * locks itself; reference counted; of any thread. Borrows nothing from the request.
 */
#ifndef ENGINE_FORM_H
#define ENGINE_FORM_H

#include <stdatomic.h>
#include <string.h>

#include "base/generation.h"
#include "engine/chat.h"
#include "engine/grammar.h"
#include "engine/text_check.h"
#include "engine/validate.h"
#include "engine/widen.h"

struct form_key { /* free(bytes) */
    char *bytes;
    size_t len;
    uint64_t hash;
};

struct answer_check { /* the final gate for one tool or format */
    char *text;       /* the schema's, perhaps widened */
    struct json_doc *schema;
    struct validator *validator; /* NULL: a tool that may not be called */
};

struct form {
    atomic_uint references;
    struct form_key key;
    struct grammar *grammar;
    struct answer_check *checks; /* one per tool, or one for the format */
    size_t n_checks;
    struct text_check *text_check; /* of a format that is no JSON */
    struct widen_list warnings;    /* keywords dropped (spec->widen) */
};

/* May calls be answered, or is there a format? Else the answer is free, and has no form. */
bool form_wanted(const struct generation_spec *spec);
/* False without memory. */
bool form_key_make(struct form_key *key, const struct generation_spec *spec);
static inline bool form_key_same(const struct form_key *a, const struct form_key *b) {
    return a->hash == b->hash && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Takes the key's bytes, also on failure. Errors: -32602, 1004, 1007, as of generation_new. */
struct form *form_new(struct form_key *key, const struct generation_spec *spec,
                      const struct chat *chat, struct error *error);
struct form *form_ref(struct form *form);
void form_unref(struct form *form);

/* What it holds now; it grows while it is used. */
size_t form_bytes(const struct form *form);
/* False: memory ran out in the middle of something; the next one should have a new form. */
bool form_sound(const struct form *form);

#endif
