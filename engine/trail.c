#include "engine/trail.h"

#include <stdlib.h>
#include <string.h>

#include "engine/generation.h"

static void point_free(struct trail_point *point) {
    matcher_free(point->matcher);
    *point = (struct trail_point){0};
}

void trail_free(struct trail *trail) {
    for (uint32_t i = 0; i < trail->n; i++) point_free(&trail->choices[i]);
    point_free(&trail->safe);
    trail->n = 0;
}

static bool mark(const struct generation *g, struct trail_point *point) {
    struct error error = {0};
    *point = (struct trail_point){.matcher = matcher_copy(g->matcher, &error),
                                  .output = output_mark(&g->output),
                                  .n_tokens = g->tokens.len,
                                  .n_logprobs = g->logprobs.n,
                                  .forced_tokens = g->result.forced_tokens};
    return point->matcher != NULL;
}

/* The choice at which the generation stands again, or NULL. */
static struct trail_point *present(const struct generation *g) {
    const struct trail *trail = &g->trail;
    if (!trail->n || trail->choices[trail->n - 1].n_tokens != g->tokens.len) return NULL;
    return (struct trail_point *)&trail->choices[trail->n - 1];
}

static void drop_first(struct trail *trail) {
    point_free(&trail->choices[0]);
    memmove(trail->choices, trail->choices + 1, --trail->n * sizeof *trail->choices);
}

/* Outside of guarded values there is no dead end: no more than the last choice may prove wrong, the one
 * that led into the next guarded value. */
bool trail_add(struct generation *g, uint32_t token) {
    struct trail *trail = &g->trail;
    struct trail_point *point = present(g);
    if (!point) {
        uint32_t most = matcher_guarded(g->matcher) ? TRAIL_CHOICES - 1 : 0;
        while (trail->n > most) drop_first(trail);
        point = &trail->choices[trail->n];
        if (!mark(g, point)) return false;
        trail->n++;
    }
    point->token = token;
    return true;
}

bool trail_note_safe(struct generation *g) {
    struct trail_point point;
    if (!mark(g, &point)) return false;
    point_free(&g->trail.safe);
    g->trail.safe = point;
    g->trail.is_safe = true;
    return true;
}

void trail_wait(struct trail *trail, bool found, uint32_t steps, size_t left) {
    trail->vain = found ? 0 : 2 * trail->vain + 1;
    if (trail->vain > TRAIL_WAIT) trail->vain = TRAIL_WAIT;
    trail->wait = found ? steps / TRAIL_STEPS : trail->vain;
    if (trail->wait > TRAIL_WAIT) trail->wait = TRAIL_WAIT;
    if (trail->wait > left / 8) trail->wait = (unsigned)(left / 8);
}

void trail_note_unsafe(struct generation *g) {
    g->trail.is_safe = false;
}

bool trail_was_taken(const struct generation *g, uint32_t token) {
    const struct trail_point *point = present(g);
    for (uint32_t i = 0; point && i < point->n_taken; i++)
        if (point->taken[i] == token) return true;
    return false;
}

static uint32_t clear(const struct trail_point *point, uint64_t *mask) {
    uint32_t cleared = 0;
    for (uint32_t i = 0; i < point->n_taken; i++) {
        uint64_t *word = &mask[point->taken[i] / 64], bit = 1ull << point->taken[i] % 64;
        cleared += (*word & bit) != 0;
        *word &= ~bit;
    }
    return cleared;
}

uint32_t trail_clear(const struct generation *g, uint64_t *mask) {
    const struct trail_point *point = present(g);
    return point ? clear(point, mask) : 0;
}

/* ---- going back ---- */

static bool restore(struct generation *g, const struct trail_point *point) {
    struct error error = {0};
    struct matcher *matcher = matcher_copy(point->matcher, &error);
    if (!matcher) return false;
    matcher_free(g->matcher);
    g->matcher = matcher;
    for (size_t i = point->n_tokens; i < g->tokens.len; i++)
        sampler_forget(g->sampler, g->tokens.ids[i]);
    for (size_t i = point->n_logprobs; i < g->logprobs.n; i++) free((void *)g->logprobs.of[i].top);
    g->tokens.len = point->n_tokens;
    g->logprobs.n = point->n_logprobs;
    g->result.forced_tokens = point->forced_tokens;
    output_restore(&g->output, &point->output);
    return true;
}

static struct kv_block *take_block(void *user) {
    return prefix_take(user);
}

/* Is there another token at this choice? */
static bool has_other(const struct generation *g, const struct trail_point *point, uint64_t *mask) {
    uint32_t count = matcher_mask(point->matcher, mask);
    bool end = matcher_may_end(point->matcher);
    for (uint32_t i = 0; i < point->n_taken && end; i++)
        end = !vocab_is_end(g->engine->vocab, point->taken[i]);
    return count > clear(point, mask) || end;
}

bool trail_back(struct generation *g, struct engine *engine) {
    struct trail *trail = &g->trail;
    struct trail_point *here = present(g);
    if (trail->tries >= TRAIL_TRIES) return false;
    if (here) point_free(here), trail->n--; /* nothing is left here */
    while (trail->n) {
        struct trail_point *last = &trail->choices[trail->n - 1];
        last->taken[last->n_taken++] = last->token;
        if (has_other(g, last, engine->mask)) break;
        point_free(last);
        trail->n--;
    }
    if (!trail->n) return false;
    const struct trail_point *to = &trail->choices[trail->n - 1];
    if (trail->safe.matcher && trail->safe.n_tokens > to->n_tokens) return false; /* better end there */
    trail->tries++;
    trail->is_safe = false;
    /* The token before the choice is computed again: its logits are what the choice is made by. */
    return restore(g, to) && sequence_cut(&engine->kv, &g->sequence, (uint32_t)to->n_tokens - 1,
                                          take_block, engine->prefix);
}

bool trail_to_safe(struct generation *g) {
    struct trail *trail = &g->trail;
    if (!trail->safe.matcher || !restore(g, &trail->safe)) return false;
    if (g->sequence.n_tokens > g->tokens.len) g->sequence.n_tokens = (uint32_t)g->tokens.len;
    trail->is_safe = true;
    return true;
}

void trail_settled(const struct generation *g, size_t *n_tokens, size_t *n_text) {
    const struct trail *trail = &g->trail;
    const struct trail_point *first = trail->n ? &trail->choices[0] : NULL;
    *n_tokens = g->tokens.len;
    *n_text = g->output.text.len;
    if (trail->safe.matcher && !trail->is_safe && (!first || trail->safe.n_tokens < first->n_tokens))
        first = &trail->safe;
    if (!first) return;
    *n_tokens = first->n_tokens;
    *n_text = first->output.text;
}
