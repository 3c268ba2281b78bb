/* draft: tokens that are computed before they were chosen, on the chance that they will be (engine
 * thread).
 *
 * What the grammar determines next, if no longer token covers it, and what the answer is likely to
 * copy from its request (engine/guess.h) go into the pass as rows behind the last one. The pass
 * then has the logits that the next choices are made by, if those come out as drafted; where one
 * does not, the rows from there on are forgotten. Choices are made exactly as they were without a
 * draft, so that it can't change an answer, only when it comes.
 */
#ifndef ENGINE_DRAFT_H
#define ENGINE_DRAFT_H

#include "base/buf.h"
#include "engine/place.h"

enum { DRAFT_MOST = 64, DRAFT_DEFAULT = 12 }; /* tokens a pass */

struct generation;
struct engine;
struct matcher;

struct wanted {             /* logits of one row */
    float *logits;          /* or NULL: none */
    const uint32_t *chosen; /* if n_chosen: the only tokens that have logits, ascending */
    uint32_t n_chosen;
};

struct draft {
    uint32_t tokens[DRAFT_MOST], n;
    struct wanted after[DRAFT_MOST]; /* none where no choice follows */
    uint32_t sure;                   /* that many are no guess */
    bool copied;                     /* it is free text */
    /* What guesses are made from. */
    struct buf text; /* the request's, then the answer's */
    struct place_span asked;
    size_t answer;      /* where in the text the answer begins */
    struct place place; /* where the answer's end is */
    bool ready;
    /* How good they are. */
    unsigned failed, wait; /* guesses in a row that failed; how many chances to let pass for that */
    size_t value;          /* the value where they did */
};

void draft_free(struct draft *draft);
/* Drafts at most `most` tokens to follow g's last one, with what is wanted after them; the pass has
 * so many rows of g before (2: or more). What is drafted depends on g alone. */
void draft_make(struct generation *g, struct engine *engine, uint32_t waiting, uint32_t most);
/* So many of them were chosen. */
void draft_learn(struct draft *draft, uint32_t accepted);

#endif
