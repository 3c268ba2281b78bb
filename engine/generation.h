/* generation: one request on its way through the engine; internal to engine/.
 *
 * Made by generation_new (any thread), then owned by the engine thread from
 * engine_submit until `done`. Only `cancel` is touched from elsewhere.
 */
#ifndef ENGINE_GENERATION_H
#define ENGINE_GENERATION_H

#include "engine/closing.h"
#include "engine/draft.h"
#include "engine/engine_state.h"
#include "engine/form.h"
#include "engine/matcher.h"
#include "engine/output.h"
#include "engine/sampler.h"
#include "engine/trail.h"

struct logprob_list {
    struct token_logprobs *of; /* one per output token */
    size_t n, cap;
};

struct generation {
    const struct engine *engine;
    const struct generation_spec *spec;
    struct generation_events events;
    void *user;
    struct generation *prev, *next; /* in the queue or the active list */
    /* Prepared. */
    struct tokens tokens; /* the prompt, then the output */
    uint32_t n_prompt, max_tokens;
    struct form *form; /* NULL: free text */
    /* Running. */
    atomic_int cancel; /* enum cancel_reason */
    struct sequence sequence;
    struct matcher *matcher;
    struct trail trail;   /* where the grammar has guards */
    struct closing closing; /* where the budget is short */
    struct sampler *sampler;
    struct output output;
    struct wanted now;    /* logits of the last position, where the pass has them */
    uint32_t held;        /* what the grammar determines next, if no longer token covers it; TOKEN_NONE */
    struct draft draft;   /* rows of the pass beyond the last token */
    uint64_t blocks;      /* reserved */
    uint64_t weight;      /* of its prefill in this pass; 0: all its rows go */
    bool started, prefilled, done;
    bool fetching, fetched; /* waits for the disk; has asked it */
    uint32_t n_fetched;     /* blocks that the disk gave */
    size_t chunk_first;   /* first output token not yet streamed */
    uint64_t chunk_seq;
    struct logprob_list logprobs;
    int64_t submit_ns, start_ns, prefill_ns, progress_ns;
    /* The end. */
    struct generation_result result;
    struct buf memory;    /* text that the result points to */
    struct error error;   /* code != 0: failed */
};

/* Output tokens so far. */
static inline uint32_t generation_length(const struct generation *g) {
    return (uint32_t)(g->tokens.len - g->n_prompt);
}

/* Makes matcher, sampler and output ready and appends what the grammar forces at once. False and
 * *error on failure. */
bool generation_start(struct generation *g, struct engine *engine, struct error *error);
/* Reserves room for a row's logits in this pass: of all tokens, or of those that the grammar leaves at `matcher`
 * (NULL: free text) if they are few. Without room `wanted` is none. */
void generation_want(struct generation *g, struct engine *engine, struct matcher *matcher,
                     struct wanted *wanted);
/* Takes logits of the last position: draws, consumes, appends forced tokens; may end the generation
 * (then generation_finish was called). */
void generation_step(struct generation *g, struct engine *engine, const struct wanted *wanted);
/* Ends it: result or error, last chunk. Does not call `done`. */
void generation_finish(struct generation *g, enum finish_reason reason);
void generation_fail(struct generation *g, const struct error *error);
/* Streams what can be shown. */
void generation_stream(struct generation *g, bool finished);

#endif
