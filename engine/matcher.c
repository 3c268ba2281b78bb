#include "engine/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "engine/ahead.h"
#include "engine/grammar_rules.h"
#include "engine/hash.h"
#include "engine/machine.h"
#include "engine/mask.h"
#include "engine/mask_cache.h"
#include "engine/text_match.h"
#include "engine/vector.h"

enum {
    COLLECT_AT = 256, /* frames, before unneeded ones are looked for */
    PIECE = 512       /* bytes accepted at once where lists of items may grow */
};

struct matcher {
    struct grammar *grammar;
    const struct trie *trie;
    bool is_text; /* of a regex or gbnf grammar: `text` instead of all below */
    struct text_match text;
    bool cut; /* the last mask */
    struct machine machine;
    uint32_t n;
    uint32_t collect_at;
    struct thread threads[MACHINE_THREADS];
    struct mask_stack stack;
};

static struct matcher *out_of_memory(struct matcher *matcher, struct error *error) {
    error_set(error, ERROR_OUT_OF_MEMORY, "making a matcher");
    matcher_free(matcher);
    return NULL;
}

struct matcher *matcher_new(struct grammar *grammar, const struct trie *trie, struct error *error) {
    struct matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher) return out_of_memory(NULL, error);
    matcher->grammar = grammar_ref(grammar);
    matcher->trie = trie;
    matcher->is_text = grammar_text(grammar) != NULL;
    if (matcher->is_text) {
        text_match_start(&matcher->text, grammar_text(grammar));
        return matcher;
    }
    matcher->n = 1;
    matcher->collect_at = COLLECT_AT;
    if (!machine_init(&matcher->machine, grammar_rules(grammar)) ||
        !machine_start(&matcher->machine, &matcher->threads[0]))
        return out_of_memory(matcher, error);
    return matcher;
}

/* What was read, not what was tried. */
static bool copy_text(struct machine *machine, const struct matcher *from) {
    uint32_t n = from->machine.text ? from->threads[0].at : 0;
    if (n && !vector_reserve((void **)&machine->text, &machine->cap_text, n, 1)) return false;
    if (n) memcpy(machine->text, from->machine.text, n);
    return true;
}

struct matcher *matcher_copy(const struct matcher *matcher, struct error *error) {
    struct matcher *copy = calloc(1, sizeof *copy);
    if (!copy) return out_of_memory(NULL, error);
    copy->grammar = grammar_ref(matcher->grammar);
    copy->trie = matcher->trie;
    copy->is_text = matcher->is_text;
    if (copy->is_text) {
        text_match_copy(&copy->text, &matcher->text);
        return copy;
    }
    copy->n = matcher->n;
    copy->collect_at = matcher->collect_at;
    memcpy(copy->threads, matcher->threads, matcher->n * sizeof *matcher->threads);
    copy->machine = matcher->machine;
    copy->machine.cap = matcher->machine.n;
    copy->machine.frames = malloc(matcher->machine.n * sizeof *matcher->machine.frames);
    copy->machine.text = NULL;
    copy->machine.cap_text = 0;
    if (!copy_text(&copy->machine, matcher)) return out_of_memory(copy, error);
    if (!copy->machine.frames) return out_of_memory(copy, error);
    memcpy(copy->machine.frames, matcher->machine.frames,
           matcher->machine.n * sizeof *matcher->machine.frames);
    return copy;
}

bool matcher_may_fail(const struct matcher *matcher) {
    return !matcher->is_text && matcher->machine.rules->guarded;
}

bool matcher_guarded(const struct matcher *matcher) {
    for (uint32_t i = 0; i < matcher->n && matcher_may_fail(matcher); i++)
        if (machine_guarded(&matcher->machine, &matcher->threads[i])) return true;
    return false;
}

void matcher_free(struct matcher *matcher) {
    if (!matcher) return;
    if (matcher->is_text) text_match_end(&matcher->text);
    grammar_unref(matcher->grammar);
    machine_free(&matcher->machine);
    mask_stack_free(&matcher->stack);
    free(matcher);
}

/* Looking does not take from what guards may cost the match, which then depends on its text alone:
 * each look has a budget of its own. Returns what is to be given back. */
static uint64_t begin_look(const struct matcher *matcher) {
    struct machine *machine = (struct machine *)&matcher->machine; /* it will be as it was */
    uint64_t work = machine->work;
    machine->work = MACHINE_LOOK;
    return work;
}

static void end_look(const struct matcher *matcher, uint64_t work) {
    ((struct machine *)&matcher->machine)->work = work;
}

/* Steps through the bytes; threads holds the outcome. Returns how many threads are left. */
static uint32_t run(struct matcher *matcher, const char *bytes, size_t n, struct thread *threads) {
    struct thread before[MACHINE_THREADS];
    uint32_t n_threads = matcher->n;
    memcpy(threads, matcher->threads, n_threads * sizeof *threads);
    for (size_t i = 0; i < n && n_threads; i++) {
        memcpy(before, threads, n_threads * sizeof *threads);
        n_threads = machine_step_all(&matcher->machine, before, n_threads, (unsigned char)bytes[i],
                                     threads);
    }
    return n_threads;
}

static void collect(struct matcher *matcher) {
    if (matcher->machine.n < matcher->collect_at) return;
    machine_collect(&matcher->machine, matcher->threads, matcher->n);
    matcher->collect_at = matcher->machine.n * 2 > COLLECT_AT ? matcher->machine.n * 2 : COLLECT_AT;
}

/* Piece by piece, so that nothing piles up; on a copy, because there is no way back after a piece. */
static bool accept_long(struct matcher *matcher, const char *bytes, size_t n) {
    struct error error = {0};
    struct matcher *copy = matcher_copy(matcher, &error);
    bool accepted = copy != NULL;
    for (size_t at = 0; at < n && accepted; at += PIECE)
        accepted = matcher_accept(copy, bytes + at, n - at < PIECE ? n - at : PIECE);
    if (accepted) {
        struct matcher before = *matcher;
        *matcher = *copy;
        *copy = before;
    }
    matcher_free(copy);
    return accepted;
}

bool matcher_accept(struct matcher *matcher, const char *bytes, size_t n) {
    struct thread threads[MACHINE_THREADS];
    if (matcher->is_text) return text_match_accept(&matcher->text, bytes, n);
    if (n > PIECE && matcher_may_fail(matcher)) return accept_long(matcher, bytes, n);
    uint32_t frames = matcher->machine.n, n_threads = run(matcher, bytes, n, threads);
    if (n_threads == 0) {
        matcher->machine.n = frames;
        return false;
    }
    memcpy(matcher->threads, threads, n_threads * sizeof *threads);
    matcher->n = n_threads;
    machine_tidy(&matcher->machine, matcher->threads, n_threads);
    collect(matcher);
    return true;
}

bool matcher_allows(struct matcher *matcher, const char *bytes, size_t n) {
    struct thread threads[MACHINE_THREADS];
    if (matcher->is_text) return text_match_allows(&matcher->text, bytes, n);
    uint32_t frames = matcher->machine.n;
    uint64_t work = begin_look(matcher);
    bool allowed = run(matcher, bytes, n, threads) > 0;
    end_look(matcher, work);
    matcher->machine.n = frames;
    return allowed;
}

bool matcher_may_end(const struct matcher *matcher) {
    if (matcher->is_text) return text_match_may_end(&matcher->text);
    uint64_t work = begin_look(matcher);
    bool may = ahead_may_end(&matcher->machine, matcher->threads, matcher->n);
    end_look(matcher, work);
    return may;
}

bool matcher_must_end(const struct matcher *matcher) {
    unsigned char byte;
    if (matcher->is_text) return text_match_must_end(&matcher->text);
    if (!matcher_may_end(matcher)) return false;
    uint64_t work = begin_look(matcher);
    bool must = ahead_bytes(&matcher->machine, matcher->threads, matcher->n, &byte, 1) == 0;
    end_look(matcher, work);
    return must;
}

bool matcher_is_free(const struct matcher *matcher) {
    return !matcher->is_text && matcher->n == 1 && matcher->threads[0].mode == MODE_FREE;
}

/* ---- masks ---- */

static uint64_t state_hash(const struct matcher *matcher) {
    uint64_t hash = matcher->n;
    for (uint32_t i = 0; i < matcher->n; i++)
        hash = hash_mix(hash, machine_hash(&matcher->machine, &matcher->threads[i]));
    return hash;
}

uint32_t matcher_mask(struct matcher *matcher, uint64_t *bits) {
    struct mask_cache *cache = grammar_masks(matcher->grammar);
    if (matcher->is_text) return text_match_mask(&matcher->text, matcher->trie, cache, bits, &matcher->cut);
    uint64_t state = state_hash(matcher);
    uint32_t n_words = matcher->trie->n_words, count;
    if (mask_cache_get(cache, matcher->trie, state, bits, n_words, &count)) return count;
    uint64_t work = begin_look(matcher);
    matcher->machine.touched = false;
    count = mask_fill(&matcher->machine, matcher->threads, matcher->n, matcher->trie, cache,
                      &matcher->stack, bits);
    end_look(matcher, work);
    if (!matcher->machine.touched && !matcher->machine.failed) /* else no other match may see it */
        mask_cache_put(cache, matcher->trie, state, bits, n_words, count);
    return count;
}

bool matcher_mask_was_cut(const struct matcher *matcher) {
    return matcher->cut;
}

/* ---- what is determined ---- */

size_t matcher_forced(struct matcher *matcher, char *bytes, size_t cap) {
    if (matcher->is_text) return text_match_forced(&matcher->text, bytes, cap);
    uint64_t work = begin_look(matcher);
    size_t len = ahead_forced(&matcher->machine, matcher->threads, matcher->n, bytes, cap);
    end_look(matcher, work);
    return len;
}

uint32_t matcher_shortest(const struct matcher *matcher) {
    if (matcher->is_text) return text_match_shortest(&matcher->text);
    return ahead_shortest(&matcher->machine, matcher->threads, matcher->n);
}

size_t matcher_closing(struct matcher *matcher, char *bytes, size_t cap) {
    if (matcher->is_text) return text_match_closing(&matcher->text, bytes, cap);
    return ahead_closing(&matcher->machine, matcher->threads, matcher->n, bytes, cap);
}

uint32_t matcher_closing_steps(const struct matcher *matcher) {
    return matcher->machine.searched;
}
