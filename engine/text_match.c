#include "engine/text_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/hash.h"
#include "engine/held.h"
#include "engine/text_mask.h"

/* ---- the grammar ---- */

struct text_grammar *text_grammar_new(struct network *network) {
    struct text_grammar *text = calloc(1, sizeof *text);
    bool locked = text && pthread_mutex_init(&text->lock, NULL) == 0;
    if (locked) {
        text->network = network;
        if (stacks_init(&text->stacks, network)) return text;
        text_grammar_free(text);
        return NULL;
    }
    network_free(network);
    free(text);
    return NULL;
}

void text_grammar_free(struct text_grammar *text) {
    if (!text) return;
    stacks_free(&text->stacks);
    network_free(text->network);
    pthread_mutex_destroy(&text->lock);
    free(text);
}

size_t text_grammar_bytes(struct text_grammar *text) {
    pthread_mutex_lock(&text->lock);
    const struct stacks *stacks = &text->stacks;
    size_t bytes = held(text) + network_bytes(text->network) + closure_bytes(stacks->closure);
    bytes += held(stacks->frames) + held(stacks->shapes) + held(stacks->ways) + held(stacks->next) +
             held(stacks->allowed) + held(stacks->moves) + held(stacks->memos) +
             held(stacks->frame_slots) + held(stacks->shape_slots) + held(stacks->memo_slots);
    bytes += stacks->inside_bytes;
    pthread_mutex_unlock(&text->lock);
    return bytes;
}

bool text_grammar_sound(struct text_grammar *text) {
    pthread_mutex_lock(&text->lock);
    bool sound = !text->stacks.failed;
    pthread_mutex_unlock(&text->lock);
    return sound;
}

uint32_t text_grammar_shortest(const struct text_grammar *text) {
    return text->network->states[text->network->start].distance;
}

/* The lock and the automaton, whoever only looks at the match. */
static struct stacks *hold(const struct text_match *match) {
    pthread_mutex_lock(&match->text->lock);
    return &match->text->stacks;
}

static void let_go(const struct text_match *match) {
    pthread_mutex_unlock(&match->text->lock);
}

/* ---- cursors ---- */

void cursor_open(struct stacks *stacks, struct cursor *cursor, struct moment at, uint32_t place) {
    *cursor = (struct cursor){.at = at, .place = place};
    cursor->user.moments = &cursor->at;
    cursor->user.n = 1;
    stacks_use(stacks, &cursor->user);
}

void cursor_close(struct stacks *stacks, struct cursor *cursor) {
    stacks_leave(stacks, &cursor->user);
}

/* Can a character that began go on to one that is allowed? */
static bool place_allowed(const struct stacks *stacks, uint32_t shape, uint32_t place) {
    const struct alphabet *alphabet = &stacks->network->alphabet;
    const uint64_t *reach = alphabet->reach + (size_t)place * alphabet->words;
    const uint64_t *allowed = stacks_allowed(stacks, shape);
    for (uint32_t i = 0; i < alphabet->words; i++)
        if (reach[i] & allowed[i]) return true;
    return false;
}

static bool class_allowed(const struct stacks *stacks, uint32_t shape, uint32_t class) {
    return stacks_allowed(stacks, shape)[class / 64] >> class % 64 & 1;
}

static bool target_allowed(const struct stacks *stacks, uint32_t shape, uint32_t target) {
    if (target == ALPHABET_NONE) return false;
    return target & ALPHABET_PLACE ? place_allowed(stacks, shape, target & ~ALPHABET_PLACE)
                                   : class_allowed(stacks, shape, target);
}

bool cursor_step(struct stacks *stacks, struct cursor *cursor, unsigned char byte) {
    uint32_t target = alphabet_step(&stacks->network->alphabet, cursor->place, byte);
    struct moment to;
    if (!target_allowed(stacks, cursor->at.shape, target)) return false;
    if (target & ALPHABET_PLACE) {
        cursor->place = target & ~ALPHABET_PLACE;
        return true;
    }
    if (stacks_step(stacks, &cursor->at, target, &to) != STEP_DONE) return false;
    cursor->at = to;
    cursor->place = ALPHABET_START;
    return true;
}

static bool may_end(const struct stacks *stacks, const struct cursor *cursor) {
    return cursor->place == ALPHABET_START && stacks->shapes[cursor->at.shape].ends;
}

/* How many bytes may come next, up to `enough`; *byte is the first of them. */
static uint32_t next_bytes(const struct stacks *stacks, const struct cursor *cursor,
                           unsigned char *byte, uint32_t enough) {
    uint32_t found = 0, first = cursor->place ? 0x80 : 0, end = cursor->place ? 0xC0 : 0x100;
    for (uint32_t b = first; b < end && found < enough; b++) {
        uint32_t target = alphabet_step(&stacks->network->alphabet, cursor->place, b);
        if (!target_allowed(stacks, cursor->at.shape, target)) continue;
        if (found++ == 0) *byte = (unsigned char)b;
    }
    return found;
}

/* ---- matches ---- */

void text_match_start(struct text_match *match, struct text_grammar *text) {
    match->text = text;
    struct stacks *stacks = hold(match);
    cursor_open(stacks, &match->cursor, stacks->start, ALPHABET_START);
    let_go(match);
}

void text_match_copy(struct text_match *copy, const struct text_match *match) {
    struct stacks *stacks = hold(match);
    copy->text = match->text;
    cursor_open(stacks, &copy->cursor, match->cursor.at, match->cursor.place);
    let_go(match);
}

void text_match_end(struct text_match *match) {
    cursor_close(hold(match), &match->cursor);
    let_go(match);
}

static bool run(struct stacks *stacks, struct cursor *cursor, const char *bytes, size_t n) {
    size_t i = 0;
    while (i < n && cursor_step(stacks, cursor, (unsigned char)bytes[i])) i++;
    return i == n;
}

bool text_match_accept(struct text_match *match, const char *bytes, size_t n) {
    struct stacks *stacks = hold(match);
    struct cursor cursor;
    cursor_open(stacks, &cursor, match->cursor.at, match->cursor.place);
    bool accepted = run(stacks, &cursor, bytes, n);
    if (accepted) {
        match->cursor.at = cursor.at;
        match->cursor.place = cursor.place;
    }
    cursor_close(stacks, &cursor);
    let_go(match);
    return accepted;
}

bool text_match_allows(const struct text_match *match, const char *bytes, size_t n) {
    struct stacks *stacks = hold(match);
    struct cursor cursor;
    cursor_open(stacks, &cursor, match->cursor.at, match->cursor.place);
    bool allowed = run(stacks, &cursor, bytes, n);
    cursor_close(stacks, &cursor);
    let_go(match);
    return allowed;
}

bool text_match_may_end(const struct text_match *match) {
    bool ends = may_end(hold(match), &match->cursor);
    let_go(match);
    return ends;
}

bool text_match_must_end(const struct text_match *match) {
    const struct stacks *stacks = hold(match);
    bool ends = may_end(stacks, &match->cursor) && stacks->shapes[match->cursor.at.shape].n == 0;
    let_go(match);
    return ends;
}

/* Masks that were cut are kept, too, by another key. */
static uint64_t cut_state(uint64_t state) {
    return hash_mix(state, 1);
}

uint32_t text_match_mask(const struct text_match *match, const struct trie *trie,
                         struct mask_cache *cache, uint64_t *bits, bool *cut) {
    struct stacks *stacks = hold(match);
    uint64_t state = hash_mix(stacks_view(stacks, match->cursor.at), match->cursor.place);
    uint32_t n_words = trie->n_words, count;
    *cut = false;
    if (!mask_cache_get(cache, trie, state, bits, n_words, &count)) {
        *cut = mask_cache_get(cache, trie, cut_state(state), bits, n_words, &count);
        if (!*cut) {
            struct text_mask_cost cost;
            count = text_mask_fill(stacks, &match->cursor, trie, bits, &cost);
            *cut = !cost.whole;
            if (!stacks->failed)
                mask_cache_put(cache, trie, *cut ? cut_state(state) : state, bits, n_words, count);
        }
    }
    let_go(match);
    return count;
}

size_t text_match_forced(const struct text_match *match, char *bytes, size_t cap) {
    struct stacks *stacks = hold(match);
    struct cursor cursor;
    unsigned char byte;
    size_t n = 0;
    cursor_open(stacks, &cursor, match->cursor.at, match->cursor.place);
    while (n < cap && !may_end(stacks, &cursor) && next_bytes(stacks, &cursor, &byte, 2) == 1 &&
           cursor_step(stacks, &cursor, byte))
        bytes[n++] = (char)byte;
    cursor_close(stacks, &cursor);
    let_go(match);
    return n;
}

/* ---- the way to the end ---- */

/* Bytes left after each class, if it is allowed. */
static void left_after(struct stacks *stacks, struct cursor *cursor, uint32_t *left) {
    struct moment to;
    for (uint32_t class = 0; class < stacks->network->alphabet.n_classes; class ++) {
        left[class] = NETWORK_INFINITE;
        if (class_allowed(stacks, cursor->at.shape, class) &&
            stacks_step(stacks, &cursor->at, class, &to) == STEP_DONE)
            left[class] = stacks_shortest(stacks, to);
    }
}

/* From a place inside a character: bytes to the end, and the next byte on the way there. */
static uint32_t best_from(const struct alphabet *alphabet, const uint32_t *left, uint32_t place,
                          unsigned char *byte) {
    uint32_t best = NETWORK_INFINITE;
    unsigned char below;
    for (unsigned i = 0; i < 64; i++) {
        uint32_t target = alphabet->next[place][i], length;
        if (target == ALPHABET_NONE) continue;
        length = target & ALPHABET_PLACE
                     ? best_from(alphabet, left, target & ~ALPHABET_PLACE, &below)
                     : left[target];
        length = network_sum(length, 1);
        if (length >= best) continue;
        best = length;
        *byte = (unsigned char)(0x80 | i);
    }
    return best;
}

/* The shortest way from between two characters: which of them comes next. */
static uint32_t best_class(const struct alphabet *alphabet, const uint32_t *left) {
    uint32_t best = NETWORK_INFINITE, found = ALPHABET_NONE;
    for (uint32_t class = 0; class < alphabet->n_classes; class ++) {
        uint32_t length = network_sum(left[class], alphabet_cost(alphabet, class));
        if (length >= best) continue;
        best = length;
        found = class;
    }
    return found;
}

static uint32_t shortest(struct stacks *stacks, struct cursor *cursor) {
    uint32_t left[ALPHABET_CLASSES];
    unsigned char byte;
    if (cursor->place == ALPHABET_START) return stacks_shortest(stacks, cursor->at);
    left_after(stacks, cursor, left);
    return best_from(&stacks->network->alphabet, left, cursor->place, &byte);
}

uint32_t text_match_shortest(const struct text_match *match) {
    struct stacks *stacks = hold(match);
    struct cursor cursor;
    cursor_open(stacks, &cursor, match->cursor.at, match->cursor.place);
    uint32_t length = shortest(stacks, &cursor);
    cursor_close(stacks, &cursor);
    let_go(match);
    return length;
}

/* Bytes of the next step of the shortest completion: one, or a character. 0: there is none. */
static size_t next_step(struct stacks *stacks, struct cursor *cursor, char bytes[4]) {
    const struct alphabet *alphabet = &stacks->network->alphabet;
    uint32_t left[ALPHABET_CLASSES];
    unsigned char byte = 0;
    left_after(stacks, cursor, left);
    if (cursor->place != ALPHABET_START) {
        if (best_from(alphabet, left, cursor->place, &byte) == NETWORK_INFINITE) return 0;
        bytes[0] = (char)byte;
        return 1;
    }
    uint32_t class = best_class(alphabet, left);
    return class == ALPHABET_NONE ? 0 : utf8_encode(alphabet->first[class], bytes);
}

size_t text_match_closing(const struct text_match *match, char *bytes, size_t cap) {
    struct stacks *stacks = hold(match);
    struct cursor cursor;
    size_t n = 0;
    cursor_open(stacks, &cursor, match->cursor.at, match->cursor.place);
    while (!may_end(stacks, &cursor)) {
        char step[4];
        size_t len = next_step(stacks, &cursor, step);
        if (!len || n + len > cap || !run(stacks, &cursor, step, len)) {
            n = 0;
            break;
        }
        memcpy(bytes + n, step, len);
        n += len;
    }
    cursor_close(stacks, &cursor);
    let_go(match);
    return n;
}
