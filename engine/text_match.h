/* text_match: a running match against a grammar of text (regex, gbnf). Internal to constrained
 * decoding: matcher.c is its only caller, and says what the functions promise.
 *
 * The lazily built automaton belongs to the grammar (struct text_grammar) and is shared by its
 * matches, of whatever threads, under a lock.
 */
#ifndef ENGINE_TEXT_MATCH_H
#define ENGINE_TEXT_MATCH_H

#include <pthread.h>

#include "engine/mask_cache.h"
#include "engine/stacks.h"
#include "engine/trie_nodes.h"

struct text_grammar { /* a compiled grammar */
    struct network *network;
    struct stacks stacks;
    pthread_mutex_t lock;
};

/* Takes the network, also on failure. NULL without memory. */
struct text_grammar *text_grammar_new(struct network *network);
void text_grammar_free(struct text_grammar *text);
size_t text_grammar_bytes(struct text_grammar *text); /* what it holds */
bool text_grammar_sound(struct text_grammar *text);   /* false: memory ran out */
uint32_t text_grammar_shortest(const struct text_grammar *text);

/* A place in the text, perhaps inside a character. */
struct cursor {
    struct moment at;
    uint32_t place;
    struct stacks_user user;
};

struct text_match {
    struct text_grammar *text;
    struct cursor cursor;
};

void text_match_start(struct text_match *match, struct text_grammar *text);
void text_match_copy(struct text_match *copy, const struct text_match *match);
void text_match_end(struct text_match *match);
bool text_match_accept(struct text_match *match, const char *bytes, size_t n);
bool text_match_allows(const struct text_match *match, const char *bytes, size_t n);
bool text_match_may_end(const struct text_match *match);
bool text_match_must_end(const struct text_match *match);
/* *cut: tokens that are allowed were left out. */
uint32_t text_match_mask(const struct text_match *match, const struct trie *trie,
                         struct mask_cache *cache, uint64_t *bits, bool *cut);
size_t text_match_forced(const struct text_match *match, char *bytes, size_t cap);
uint32_t text_match_shortest(const struct text_match *match);
size_t text_match_closing(const struct text_match *match, char *bytes, size_t cap);

/* ---- cursors; the lock is held ---- */
void cursor_open(struct stacks *stacks, struct cursor *cursor, struct moment at, uint32_t place);
void cursor_close(struct stacks *stacks, struct cursor *cursor);
bool cursor_step(struct stacks *stacks, struct cursor *cursor, unsigned char byte);

#endif
