#include "engine/mask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bits.h"
#include "engine/hash.h"
#include "engine/mask_walk.h"
#include "engine/quoted.h"
#include "engine/vector.h"

bool mask_reserve(struct walk *walk, uint32_t n) {
    return vector_reserve((void **)&walk->stack->threads, &walk->stack->cap, walk->stack->n + n,
                          sizeof *walk->stack->threads);
}

static void take(struct walk *walk, const struct trie_node *node) {
    if (node->token >= walk->trie->n_vocab) return;
    walk->bits[node->token >> 6] |= 1ull << (node->token & 63);
    if (node->twins) trie_set_twins(walk->trie, node->token, walk->bits);
}

/* Steps the threads of a level with the node's byte into the next level. */
static bool enter(struct walk *walk, const struct trie_node *node, const struct level *from,
                  struct level *to) {
    uint32_t room = from->n == 1 && walk->stack->threads[from->threads].mode != MODE_VALUE &&
                            walk->stack->threads[from->threads].mode != MODE_ARRAY_FIRST
                        ? 1
                        : MACHINE_THREADS;
    walk->stack->n = from->threads + from->n;
    walk->machine->n = from->frames;
    if (!mask_reserve(walk, room)) return false;
    struct thread *threads = walk->stack->threads;
    to->threads = walk->stack->n;
    to->n = machine_step_all(walk->machine, threads + from->threads, from->n,
                             (unsigned char)node->byte, threads + to->threads);
    to->frames = walk->machine->n;
    return to->n > 0;
}

void mask_walk_subtree(struct walk *walk, const struct trie_tree *tree, uint32_t first,
                       const struct level *root) {
    struct level levels[TRIE_MAX_DEPTH + 1];
    uint32_t base = tree->nodes[first].depth - 1u, end = first + tree->nodes[first].size;
    levels[0] = *root;
    for (uint32_t i = first; i < end;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth - base;
        if (enter(walk, node, &levels[depth - 1], &levels[depth])) {
            take(walk, node);
            i++;
        } else {
            i += node->size;
        }
    }
}

static void first_bytes(const struct machine *machine, const struct thread *threads, uint32_t n,
                        uint64_t set[4]) {
    memset(set, 0, 4 * sizeof *set);
    for (uint32_t i = 0; i < n; i++) machine_first(machine, &threads[i], set);
}

static void walk_tree(struct walk *walk, const struct trie_tree *tree, const struct thread *threads,
                      uint32_t n) {
    uint64_t set[4];
    struct level root = {.n = n, .frames = walk->machine->n};
    walk->stack->n = 0;
    if (n == 0 || !mask_reserve(walk, n)) return;
    memcpy(walk->stack->threads, threads, n * sizeof *threads);
    first_bytes(walk->machine, threads, n, set);
    for (int word = 0; word < 4; word++)
        for (uint64_t rest = set[word]; rest; rest &= rest - 1) {
            uint32_t child = tree->child[word * 64 + __builtin_ctzll(rest)];
            if (child) mask_walk_subtree(walk, tree, child, &root);
        }
    walk->machine->n = root.frames;
}

/* ---- strings ---- */

/* Is the thread between two characters of a string that may hold any? */
static bool in_string(const struct machine *machine, const struct thread *thread) {
    if (thread->scan != QUOTED_NORMAL) return false;
    if (thread->mode == MODE_KEY_OPEN)
        return machine_object_of(machine, &machine->frames[thread->frame])->language == RULES_NONE;
    return thread->mode == MODE_STRING &&
           machine->rules->cells[thread->cell].string.language == RULES_NONE;
}

/* How many characters it may still take. */
static uint32_t characters_left(const struct machine *machine, const struct thread *thread) {
    if (thread->mode == MODE_KEY_OPEN) return UINT32_MAX;
    uint32_t max = machine->rules->cells[thread->cell].string.max;
    return max == RULES_INFINITE ? UINT32_MAX : max - thread->count;
}

/* The thread as it reads the inside of a string or key of a language; false if it is not between
 * two characters of one. Where few keys are left they are searched one by one instead. */
static bool inside_of(const struct machine *machine, const struct thread *thread,
                      struct thread *inside) {
    const struct rules *rules = machine->rules;
    if (thread->scan != QUOTED_NORMAL) return false;
    *inside = (struct thread){.mode = MODE_INSIDE, .count = thread->count, .state = thread->state};
    if (thread->mode == MODE_STRING) {
        const struct cell_string *string = &rules->cells[thread->cell].string;
        inside->cell = string->language;
        inside->lo = string->min;
        inside->hi = string->max;
        return string->language != RULES_NONE;
    }
    if (thread->mode != MODE_KEY_OPEN || thread->state == LANGUAGE_DEAD) return false;
    inside->cell = machine_object_of(machine, &machine->frames[thread->frame])->language;
    inside->hi = RULES_INFINITE;
    return inside->cell != RULES_NONE &&
           rules->languages[inside->cell].language.words[thread->state] == LANGUAGE_PLENTY;
}

static uint32_t clip(uint32_t limit, uint32_t count) {
    uint32_t left = limit > count ? limit - count : 0;
    return left < MACHINE_HORIZON ? left : MACHINE_HORIZON;
}

static uint64_t inside_hash(const struct thread *inside) {
    uint64_t hash = hash_mix(11, (uint64_t)inside->cell << 16 | inside->state);
    return hash_mix(hash, (uint64_t)clip(inside->lo, inside->count) << 32 |
                              clip(inside->hi, inside->count));
}

/* A key of which there may come to be none: which are left depends on those used. */
static bool may_run_out(const struct machine *machine, const struct thread *thread,
                        const struct thread *inside) {
    return thread->mode == MODE_KEY_OPEN &&
           !machine->rules->languages[inside->cell].language.plenty;
}

/* The inside is the same wherever a string stands, and wherever a key does that can't run out: it
 * is kept in the cache. */
static void fill_inside(struct walk *walk, const struct thread *inside,
                        const struct thread *thread) {
    uint64_t state = inside_hash(inside);
    uint32_t n_words = walk->trie->n_words, count;
    bool key = may_run_out(walk->machine, thread, inside);
    if (!key && mask_cache_get(walk->cache, walk->trie, state, walk->bits, n_words, &count)) return;
    memset(walk->bits, 0, n_words * sizeof *walk->bits);
    mask_walk_inside(walk, inside, key ? thread : NULL);
    if (!key)
        mask_cache_put(walk->cache, walk->trie, state, walk->bits, n_words,
                       bits_count_all(walk->bits, n_words));
}

/* Tokens that close the string are walked each time. */
static void walk_language(struct walk *walk, const struct thread *inside,
                          const struct thread *threads, uint32_t n) {
    uint64_t *bits = walk->bits;
    walk->bits = walk->stack->bits;
    fill_inside(walk, inside, threads);
    for (uint32_t i = 0; i < walk->trie->n_words; i++) bits[i] |= walk->bits[i];
    walk->bits = bits;
    walk_tree(walk, &walk->trie->closing, threads, n);
}

/* A key may also be a declared one that the language does not hold. */
static void walk_declared(struct walk *walk, const struct thread *thread) {
    struct thread declared = *thread;
    declared.state = LANGUAGE_DEAD;
    if (thread->mode == MODE_KEY_OPEN && thread->lo < thread->hi)
        walk_tree(walk, &walk->trie->all, &declared, 1);
}

/* Walks the threads inside languages, those that read alike together. Returns how many others are
 * left at the front. */
static uint32_t walk_languages(struct walk *walk, struct thread *threads, uint32_t n) {
    struct thread group[MACHINE_THREADS], inside, other;
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
        other = threads[i];
        if (inside_of(walk->machine, &other, &inside)) continue;
        threads[i] = threads[left];
        threads[left++] = other;
    }
    for (uint32_t from = left; from < n;) {
        uint32_t size = 0, rest = from;
        struct thread first, same;
        inside_of(walk->machine, &threads[from], &first);
        bool alone = may_run_out(walk->machine, &threads[from], &first);
        for (uint32_t i = from; i < n && !(alone && i > from); i++) {
            inside_of(walk->machine, &threads[i], &same);
            if (memcmp(&first, &same, sizeof first) != 0) continue;
            if (!alone && may_run_out(walk->machine, &threads[i], &same)) continue;
            group[size++] = threads[i];
            threads[i] = threads[rest++];
        }
        walk_language(walk, &first, group, size);
        for (uint32_t i = 0; i < size; i++) walk_declared(walk, &group[i]);
        from = rest;
    }
    return left;
}

/* ---- free text ---- */

/* Clears the bits of tokens that complete the marker and do not go on as a call. Such a token holds
 * the marker's last byte. */
static void restrict_free(struct walk *walk, const struct thread *thread) {
    const struct literal *marker = &walk->machine->rules->marker;
    const char *text = walk->machine->rules->words.bytes + marker->text;
    unsigned char last = (unsigned char)text[marker->len - 1];
    uint32_t frames = walk->machine->n;
    struct thread at, next[MACHINE_THREADS];
    for (uint32_t id = 0; id < walk->trie->n_vocab; id++) {
        uint32_t len, n = 1;
        if (!(walk->bits[id >> 6] >> (id & 63) & 1)) continue;
        const char *bytes = vocab_bytes(walk->trie->vocab, id, &len);
        if (!memchr(bytes, last, len)) continue;
        at = *thread;
        next[0] = at;
        for (uint32_t i = 0; i < len && n; i++) {
            struct thread before[MACHINE_THREADS];
            memcpy(before, next, n * sizeof *before);
            n = machine_step_all(walk->machine, before, n, (unsigned char)bytes[i], next);
        }
        walk->machine->n = frames;
        if (n == 0) walk->bits[id >> 6] &= ~(1ull << (id & 63));
    }
}

uint32_t mask_fill(struct machine *machine, const struct thread *threads, uint32_t n,
                   const struct trie *trie, struct mask_cache *cache, struct mask_stack *stack,
                   uint64_t *bits) {
    struct walk walk = {machine, trie, stack, cache, bits};
    struct thread others[MACHINE_THREADS], strings[MACHINE_THREADS];
    uint32_t n_others = 0, n_strings = 0, most = 0;
    memset(bits, 0, trie->n_words * sizeof *bits);
    if (n == 1 && threads[0].mode == MODE_FREE) {
        memcpy(bits, trie->every, trie->n_words * sizeof *bits);
        restrict_free(&walk, threads);
        return bits_count_all(bits, trie->n_words);
    }
    memcpy(others, threads, n * sizeof *threads);
    if (stack->bits || (stack->bits = malloc((trie->n_words + 1) * sizeof *bits)))
        n = walk_languages(&walk, others, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!in_string(machine, &others[i])) {
            others[n_others++] = others[i];
            continue;
        }
        uint32_t left = characters_left(machine, &others[i]);
        if (left > most) most = left;
        strings[n_strings++] = others[i];
    }
    if (n_strings) trie_add_safe(trie, most, bits);
    walk_tree(&walk, &trie->closing, strings, n_strings);
    walk_tree(&walk, &trie->all, others, n_others);
    return bits_count_all(bits, trie->n_words);
}

void mask_stack_free(struct mask_stack *stack) {
    free(stack->threads);
    free(stack->bits);
    *stack = (struct mask_stack){0};
}
