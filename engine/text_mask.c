#include "engine/text_mask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bits.h"
#include "engine/text_walk.h"
#include "engine/vector.h"

/* The limits, in units: of finding all tokens, and then the short ones. */
enum { WHOLE = 480000, SHORT = 100000 };

enum { LEAKS = 512 /* places: with more it is better to walk with the real stack */ };

struct leaving {      /* at this node of the trie a token may return to the base */
    struct moment at; /* before the node's byte, over the hole */
    uint32_t node, place;
};

struct inside {
    const struct trie *trie;
    uint32_t looping, look; /* text_walk_looping, and the units that it took */
    bool known;             /* else nothing else is */
    bool leaky;             /* much text returns to the base: nothing else is known */
    uint32_t units;         /* beyond the limit: nothing else is known */
    uint64_t *bits;
    struct leaving *leaving;
    uint32_t n_leaving, cap_leaving;
};

void inside_free(struct inside *inside) {
    if (!inside) return;
    free(inside->bits);
    free(inside->leaving);
    free(inside);
}

static size_t bytes_of(const struct inside *inside) {
    return sizeof *inside + (inside->bits ? inside->trie->n_words * 8 : 0) +
           inside->cap_leaving * sizeof *inside->leaving;
}

/* ---- inside ---- */

static void note_leaving(struct text_walk *walk, uint32_t node, uint32_t state, uint32_t place) {
    struct inside *inside = walk->user;
    if (!vector_reserve((void **)&inside->leaving, &inside->cap_leaving, inside->n_leaving + 1,
                        sizeof *inside->leaving)) {
        walk->stacks->failed = true;
        return;
    }
    inside->leaving[inside->n_leaving++] = (struct leaving){walk->states[state].at, node, place};
    if (inside->n_leaving > LEAKS) walk->limit = 0;
}

static bool begin(struct text_walk *walk, struct stacks *stacks, uint32_t shape,
                  struct inside *inside, uint32_t *state) {
    if (!text_walk_open(walk, stacks, inside->trie, inside->bits)) return false;
    walk->limit = WHOLE;
    walk->leave = note_leaving;
    walk->user = inside;
    *state = text_walk_state(walk, (struct moment){shape, STACKS_HOLE});
    return true;
}

/* How much loops inside: what is known of a shape first. NULL without memory. */
static struct inside *look_inside(struct stacks *stacks, uint32_t shape, const struct trie *trie) {
    struct inside *inside = stacks->shapes[shape].inside;
    struct text_walk walk;
    uint32_t state;
    if (inside && inside->trie == trie) return inside;
    if (inside) stacks->inside_bytes -= bytes_of(inside);
    inside_free(inside); /* of another trie */
    inside = stacks->shapes[shape].inside = calloc(1, sizeof *inside);
    if (!inside) return stacks->failed = true, NULL;
    inside->trie = trie;
    if (begin(&walk, stacks, shape, inside, &state)) {
        inside->looping = text_walk_looping(&walk, state);
        inside->look = walk.units;
        text_walk_close(&walk);
    }
    stacks->inside_bytes += bytes_of(inside);
    return inside;
}

/* All that stays inside. False without memory. */
static bool know_inside(struct stacks *stacks, uint32_t shape, struct inside *inside) {
    struct text_walk walk;
    uint32_t state;
    if (inside->known) return true;
    size_t before = bytes_of(inside);
    inside->bits = calloc(inside->trie->n_words + 1, sizeof *inside->bits);
    if (!inside->bits) stacks->failed = true;
    if (!inside->bits || !begin(&walk, stacks, shape, inside, &state)) return false;
    text_walk_all(&walk, state, ALPHABET_START);
    inside->known = true;
    inside->units = walk.units;
    inside->leaky = inside->n_leaving > LEAKS;
    if (text_walk_is_over(&walk)) {
        free(inside->bits);
        free(inside->leaving);
        inside->bits = NULL;
        inside->leaving = NULL;
        inside->n_leaving = inside->cap_leaving = 0;
    }
    text_walk_close(&walk);
    stacks->inside_bytes += bytes_of(inside) - before;
    return true;
}

/* Where tokens leave, the real stack is put below. */
static void walk_leaving(struct text_walk *walk, struct moment at, const struct inside *inside) {
    enum { UNIT_LEAVE = 50 };
    memcpy(walk->bits, inside->bits, (walk->trie->n_words + 1) * sizeof *walk->bits);
    for (uint32_t i = 0; i < inside->n_leaving && !text_walk_is_over(walk) && !walk->stacks->failed;
         i++) {
        const struct leaving *leaving = &inside->leaving[i];
        struct moment from = {leaving->at.shape,
                              stacks_on(walk->stacks, at.base, leaving->at.base)};
        walk->units += UNIT_LEAVE + walk->stacks->frames[leaving->at.base].depth;
        text_walk_below(walk, leaving->node, text_walk_state(walk, from), leaving->place);
    }
}

/* ---- all of it ---- */

/* What stays above the base, if it is better to know that, for all bases, than to walk with the
 * real stack: not where much of the text loops only because the base does. */
static const struct inside *choose_inside(struct text_walk *walk, struct moment at,
                                          uint32_t state) {
    struct stacks *stacks = walk->stacks;
    if (stacks->frames[at.base].depth > STACKS_HALF) return NULL;
    struct inside *inside = look_inside(stacks, at.shape, walk->trie);
    if (!inside) return NULL;
    walk->units += inside->look;
    if (text_walk_looping(walk, state) > inside->looping || text_walk_is_over(walk)) return NULL;
    if (!know_inside(stacks, at.shape, inside)) return NULL;
    walk->units += inside->units;
    return inside->leaky ? NULL : inside;
}

/* False: it is too much. */
static bool fill_whole(struct text_walk *walk, struct moment at, uint32_t place) {
    uint32_t state = text_walk_state(walk, at);
    walk->limit = WHOLE;
    const struct inside *inside = place == ALPHABET_START ? choose_inside(walk, at, state) : NULL;
    if (text_walk_is_over(walk)) return false;
    if (inside)
        walk_leaving(walk, at, inside);
    else
        text_walk_all(walk, state, place);
    return !text_walk_is_over(walk);
}

uint32_t text_mask_fill(struct stacks *stacks, const struct cursor *from, const struct trie *trie,
                        uint64_t *bits, struct text_mask_cost *cost) {
    uint32_t n_words = trie->n_words;
    uint64_t *work = calloc(n_words + 1, sizeof *work);
    struct text_walk walk;
    struct cursor cursor;
    memset(bits, 0, n_words * sizeof *bits);
    *cost = (struct text_mask_cost){.whole = true};
    if (!work) return 0;
    cursor_open(stacks, &cursor, from->at, from->place);
    if (stacks_tidy(stacks) && text_walk_open(&walk, stacks, trie, work)) {
        cost->whole = fill_whole(&walk, cursor.at, cursor.place);
        if (!cost->whole) {
            walk.limit = walk.units + SHORT;
            text_walk_short(&walk, text_walk_state(&walk, cursor.at), cursor.place);
        }
        cost->units = walk.units;
        text_walk_close(&walk);
        trie_spread_twins(trie, work);
        memcpy(bits, work, n_words * sizeof *bits);
    }
    cursor_close(stacks, &cursor);
    free(work);
    return bits_count_all(bits, n_words);
}
