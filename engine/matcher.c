#include "engine/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "engine/grammar_rules.h"
#include "engine/hash.h"
#include "engine/machine.h"
#include "engine/mask.h"
#include "engine/mask_cache.h"

enum { COLLECT_AT = 256 }; /* frames, before unneeded ones are looked for */

struct matcher {
    struct grammar *grammar;
    const struct trie *trie;
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
    matcher->n = 1;
    matcher->collect_at = COLLECT_AT;
    if (!machine_init(&matcher->machine, grammar_rules(grammar)) ||
        !machine_start(&matcher->machine, &matcher->threads[0]))
        return out_of_memory(matcher, error);
    return matcher;
}

struct matcher *matcher_copy(const struct matcher *matcher, struct error *error) {
    struct matcher *copy = calloc(1, sizeof *copy);
    if (!copy) return out_of_memory(NULL, error);
    copy->grammar = grammar_ref(matcher->grammar);
    copy->trie = matcher->trie;
    copy->n = matcher->n;
    copy->collect_at = matcher->collect_at;
    memcpy(copy->threads, matcher->threads, matcher->n * sizeof *matcher->threads);
    copy->machine = matcher->machine;
    copy->machine.cap = matcher->machine.n;
    copy->machine.frames = malloc(matcher->machine.n * sizeof *matcher->machine.frames);
    if (!copy->machine.frames) return out_of_memory(copy, error);
    memcpy(copy->machine.frames, matcher->machine.frames,
           matcher->machine.n * sizeof *matcher->machine.frames);
    return copy;
}

void matcher_free(struct matcher *matcher) {
    if (!matcher) return;
    grammar_unref(matcher->grammar);
    machine_free(&matcher->machine);
    mask_stack_free(&matcher->stack);
    free(matcher);
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

bool matcher_accept(struct matcher *matcher, const char *bytes, size_t n) {
    struct thread threads[MACHINE_THREADS];
    uint32_t frames = matcher->machine.n, n_threads = run(matcher, bytes, n, threads);
    if (n_threads == 0) {
        matcher->machine.n = frames;
        return false;
    }
    memcpy(matcher->threads, threads, n_threads * sizeof *threads);
    matcher->n = n_threads;
    collect(matcher);
    return true;
}

bool matcher_allows(struct matcher *matcher, const char *bytes, size_t n) {
    struct thread threads[MACHINE_THREADS];
    uint32_t frames = matcher->machine.n;
    bool allowed = run(matcher, bytes, n, threads) > 0;
    matcher->machine.n = frames;
    return allowed;
}

bool matcher_may_end(const struct matcher *matcher) {
    for (uint32_t i = 0; i < matcher->n; i++)
        if (machine_may_end(&matcher->machine, &matcher->threads[i])) return true;
    return false;
}

/* The bytes that may come next, at most `enough` of them (in ascending order). */
static uint32_t next_bytes(const struct machine *machine, const struct thread *threads, uint32_t n,
                           unsigned char *bytes, uint32_t enough) {
    struct machine *scratch = (struct machine *)machine; /* frames grow and shrink back */
    struct thread out[MACHINE_THREADS];
    uint64_t set[4] = {0};
    uint32_t found = 0, frames = machine->n;
    for (uint32_t i = 0; i < n; i++) machine_first(machine, &threads[i], set);
    for (int word = 0; word < 4; word++)
        for (uint64_t rest = set[word]; rest && found < enough; rest &= rest - 1) {
            unsigned char byte = (unsigned char)(word * 64 + __builtin_ctzll(rest));
            if (machine_step_all(scratch, threads, n, byte, out)) bytes[found++] = byte;
            scratch->n = frames;
        }
    return found;
}

bool matcher_must_end(const struct matcher *matcher) {
    unsigned char byte;
    return matcher_may_end(matcher) &&
           next_bytes(&matcher->machine, matcher->threads, matcher->n, &byte, 1) == 0;
}

bool matcher_is_free(const struct matcher *matcher) {
    return matcher->n == 1 && matcher->threads[0].mode == MODE_FREE;
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
    uint64_t state = state_hash(matcher);
    uint32_t n_words = matcher->trie->n_words, count;
    if (mask_cache_get(cache, matcher->trie, state, bits, n_words, &count)) return count;
    count = mask_fill(&matcher->machine, matcher->threads, matcher->n, matcher->trie, cache,
                      &matcher->stack, bits);
    mask_cache_put(cache, matcher->trie, state, bits, n_words, count);
    return count;
}

/* ---- what is determined ---- */

/* A walk ahead of the matcher: threads of its own on the matcher's machine. */
struct ahead {
    struct machine *machine;
    uint32_t frames, n;
    struct thread threads[MACHINE_THREADS];
};

static void ahead_start(struct ahead *ahead, struct matcher *matcher) {
    ahead->machine = &matcher->machine;
    ahead->frames = matcher->machine.n;
    ahead->n = matcher->n;
    memcpy(ahead->threads, matcher->threads, matcher->n * sizeof *matcher->threads);
}

static bool ahead_step(struct ahead *ahead, unsigned char byte) {
    struct thread out[MACHINE_THREADS];
    uint32_t n = machine_step_all(ahead->machine, ahead->threads, ahead->n, byte, out);
    if (n == 0) return false;
    memcpy(ahead->threads, out, n * sizeof *out);
    ahead->n = n;
    return true;
}

static bool ahead_may_end(const struct ahead *ahead) {
    for (uint32_t i = 0; i < ahead->n; i++)
        if (machine_may_end(ahead->machine, &ahead->threads[i])) return true;
    return false;
}

static uint32_t ahead_shortest(const struct ahead *ahead) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = 0; i < ahead->n; i++) {
        uint32_t length = machine_shortest(ahead->machine, &ahead->threads[i]);
        if (length < shortest) shortest = length;
    }
    return shortest;
}

size_t matcher_forced(struct matcher *matcher, char *bytes, size_t cap) {
    struct ahead ahead;
    unsigned char next[2];
    size_t n = 0;
    ahead_start(&ahead, matcher);
    while (n < cap && !ahead_may_end(&ahead) &&
           next_bytes(ahead.machine, ahead.threads, ahead.n, next, 2) == 1 &&
           ahead_step(&ahead, next[0]))
        bytes[n++] = (char)next[0];
    matcher->machine.n = ahead.frames;
    return n;
}

uint32_t matcher_shortest(const struct matcher *matcher) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = 0; i < matcher->n; i++) {
        uint32_t length = machine_shortest(&matcher->machine, &matcher->threads[i]);
        if (length < shortest) shortest = length;
    }
    return shortest;
}

/* The least that is left after a byte; RULES_INFINITE if it is not allowed. */
static uint32_t left_after(const struct ahead *ahead, unsigned char byte) {
    struct thread out[MACHINE_THREADS];
    uint32_t frames = ahead->machine->n, left = RULES_INFINITE;
    uint32_t n = machine_step_all(ahead->machine, ahead->threads, ahead->n, byte, out);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = machine_shortest(ahead->machine, &out[i]);
        if (length < left) left = length;
    }
    ahead->machine->n = frames;
    return left;
}

/* The first byte after which the least is left. */
static bool closing_byte(const struct ahead *ahead, unsigned char *byte) {
    uint32_t best = RULES_INFINITE, now = ahead_shortest(ahead);
    uint64_t set[4] = {0};
    for (uint32_t i = 0; i < ahead->n; i++) machine_first(ahead->machine, &ahead->threads[i], set);
    for (int word = 0; word < 4; word++)
        for (uint64_t rest = set[word]; rest && best + 1 != now; rest &= rest - 1) {
            unsigned char candidate = (unsigned char)(word * 64 + __builtin_ctzll(rest));
            uint32_t left = left_after(ahead, candidate);
            if (left >= best) continue;
            best = left;
            *byte = candidate;
        }
    return best != RULES_INFINITE;
}

/* The characters that a string still lacks, all at once: spaces, which closing_byte would choose
 * one by one. Returns how many. */
static size_t fill_string(struct ahead *ahead, char *bytes, size_t cap) {
    struct thread *thread = &ahead->threads[0];
    if (ahead->n != 1 || thread->mode != MODE_STRING || thread->scan != QUOTED_NORMAL) return 0;
    const struct cell_string *string = &ahead->machine->rules->cells[thread->cell].string;
    if (string->language != RULES_NONE || thread->count >= string->min ||
        machine_unique(ahead->machine, thread->frame))
        return 0;
    size_t n = string->min - thread->count;
    if (n > cap) n = cap;
    memset(bytes, ' ', n);
    thread->count += (uint32_t)n;
    return n;
}

size_t matcher_closing(struct matcher *matcher, char *bytes, size_t cap) {
    struct ahead ahead;
    size_t n = 0;
    ahead_start(&ahead, matcher);
    matcher->machine.in_order = true;
    while (!ahead_may_end(&ahead)) {
        unsigned char byte = 0;
        n += fill_string(&ahead, bytes + n, cap - n);
        if (n == cap || !closing_byte(&ahead, &byte) || !ahead_step(&ahead, byte)) {
            n = 0;
            break;
        }
        bytes[n++] = (char)byte;
    }
    matcher->machine.in_order = false;
    matcher->machine.n = ahead.frames;
    return n;
}
