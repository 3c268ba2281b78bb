/* trail: the way back of a generation whose grammar has guards (engine thread).
 *
 * A guard can leave no token to choose. The trail remembers the last choices, at most TRAIL_CHOICES of
 * them, each with the state before it; going back takes the last one that had another token away and
 * chooses again, at most TRAIL_TRIES times an answer. It also remembers the last point from which a
 * completion is known that passes all guards and fits into the budget: where an answer has to end
 * (the budget, or no tries left) it ends from there. Text that may still be taken back is not
 * streamed. All of it is a function of the tokens: the same whatever the cache, batch or threads.
 */
#ifndef ENGINE_TRAIL_H
#define ENGINE_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/matcher.h"
#include "engine/output.h"

enum { TRAIL_CHOICES = 16, TRAIL_TRIES = 16 };
enum { TRAIL_WAIT = 32, TRAIL_STEPS = 500 /* that a token may cost, on average */ };

struct generation;
struct engine;

struct trail_point { /* the state before a token was chosen */
    struct matcher *matcher;
    struct output_mark output;
    size_t n_tokens, n_logprobs;
    uint64_t forced_tokens;
    uint32_t token;                 /* that was chosen */
    uint32_t taken[TRAIL_TRIES], n_taken; /* tokens that led nowhere */
};

struct trail {
    struct trail_point choices[TRAIL_CHOICES];
    uint32_t n;
    struct trail_point safe; /* matcher NULL: none is known */
    bool is_safe;            /* the present state is that one */
    unsigned tries;
    unsigned wait; /* tokens until a completion is looked for again */
    unsigned vain; /* as long as it was after the last searches, which found none */
};

void trail_free(struct trail *trail);
/* A token is about to be chosen or was: the present state is a choice. False without memory. */
bool trail_add(struct generation *g, uint32_t token);
/* The present state can be completed in time. */
bool trail_note_safe(struct generation *g);
/* A completion was looked for, at a cost of so many steps: when next? With few tokens left, sooner. */
void trail_wait(struct trail *trail, bool found, uint32_t steps, size_t left);
/* It is not known whether it can. */
void trail_note_unsafe(struct generation *g);
/* Takes tokens that led nowhere from here out of the mask; returns how many bits that cleared. */
uint32_t trail_clear(const struct generation *g, uint64_t *mask);
bool trail_was_taken(const struct generation *g, uint32_t token);
/* Goes back to the last choice that leaves another token. False if there is none, none behind the last
 * point from which a completion is known, or no try left. */
bool trail_back(struct generation *g, struct engine *engine);
/* Goes back to the last point from which a completion is known. False if there is none. */
bool trail_to_safe(struct generation *g);
/* How much of tokens and text can't be taken back any more. */
void trail_settled(const struct generation *g, size_t *n_tokens, size_t *n_text);

#endif
