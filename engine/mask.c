#include "engine/mask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/quoted.h"
#include "engine/vector.h"

struct level {        /* where the walk stands at one depth */
    uint32_t end;     /* of the node's subtree */
    uint32_t threads; /* stack.threads[threads..threads + n] */
    uint32_t n;
    uint32_t frames; /* machine frames to go back to */
};

struct walk {
    struct machine *machine;
    const struct trie *trie;
    struct mask_stack *stack;
    struct mask_cache *cache;
    uint64_t *bits;
};

enum { MAX_LEVELS = MACHINE_HORIZON }; /* bytes of a token; longer ones are not offered */

static bool reserve(struct walk *walk, uint32_t n) {
    return vector_reserve((void **)&walk->stack->threads, &walk->stack->cap, walk->stack->n + n,
                          sizeof *walk->stack->threads);
}

static uint32_t count_bits(const uint64_t *bits, uint32_t n_words) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n_words; i++) count += (uint32_t)__builtin_popcountll(bits[i]);
    return count;
}

static void take(struct walk *walk, const struct trie_node *node) {
    if (node->token == TRIE_NO_TOKEN) return;
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
    if (!reserve(walk, room)) return false;
    struct thread *threads = walk->stack->threads;
    to->threads = walk->stack->n;
    to->n = machine_step_all(walk->machine, threads + from->threads, from->n,
                             (unsigned char)node->byte, threads + to->threads);
    to->end = node->next;
    to->frames = walk->machine->n;
    return to->n > 0;
}

/* Walks the subtree of tree->nodes[first], which is a child of the root. */
static void walk_subtree(struct walk *walk, const struct trie_tree *tree, uint32_t first,
                         const struct level *root) {
    struct level levels[MAX_LEVELS];
    uint32_t depth = 0, end = tree->nodes[first].next;
    levels[0] = *root;
    levels[0].end = end;
    for (uint32_t i = first; i < end;) {
        const struct trie_node *node = &tree->nodes[i];
        while (i >= levels[depth].end) depth--;
        if (depth + 1 >= MAX_LEVELS || !enter(walk, node, &levels[depth], &levels[depth + 1])) {
            i = node->next;
            continue;
        }
        take(walk, node);
        depth++;
        i++;
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
    if (n == 0 || !reserve(walk, n)) return;
    memcpy(walk->stack->threads, threads, n * sizeof *threads);
    first_bytes(walk->machine, threads, n, set);
    for (int word = 0; word < 4; word++)
        for (uint64_t rest = set[word]; rest; rest &= rest - 1) {
            uint32_t child = tree->child[word * 64 + __builtin_ctzll(rest)];
            if (child) walk_subtree(walk, tree, child, &root);
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

/* The walk inside a string of a language. Where a level is a state, a count and perhaps part of a
 * UTF-8 sequence that may end anyhow, it is stepped here; for anything else the general walk takes
 * over for that subtree. */
struct spelling {
    const struct language *language;
    uint32_t min, max;
    struct level root; /* the thread as it stands, for the general walk */
};

struct letter {
    uint32_t end, count, acc;
    uint16_t state;
    uint8_t scan;
};

static bool is_plain(unsigned byte) {
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* A character is complete and leads to this state. */
static bool arrive(const struct spelling *spelling, uint16_t state, uint32_t count,
                   struct letter *to) {
    const struct language *language = spelling->language;
    bool bounded = spelling->max != RULES_INFINITE;
    if (state == LANGUAGE_DEAD) return false;
    to->state = state;
    if (!bounded && spelling->min == 0) return true;
    if (bounded || count < spelling->min) count++;
    to->count = count;
    if (bounded && count + (uint64_t)language->least[state] > spelling->max) return false;
    return count >= spelling->min || language->most[state] >= spelling->min - count;
}

/* One byte of UTF-8 where all characters beyond ASCII lead to one state: that it may be reached is
 * checked as the character begins, and still true when it ends. */
static bool spell_beyond(const struct spelling *spelling, unsigned byte, struct letter *to) {
    uint8_t before = to->scan;
    enum quoted_event event = quoted_step(&to->scan, &to->acc, (unsigned char)byte);
    if (event != QUOTED_MORE && event != QUOTED_CHAR) return false;
    if (before != QUOTED_NORMAL) return true;
    return arrive(spelling, spelling->language->beyond[to->state], to->count, to);
}

/* 1: stepped, 0: not allowed, -1: not here. */
static int spell(const struct spelling *spelling, unsigned byte, const struct letter *from,
                 struct letter *to) {
    const struct language *language = spelling->language;
    *to = *from;
    if (from->scan == QUOTED_NORMAL && is_plain(byte)) {
        size_t row = (size_t)from->state * language->n_classes;
        return arrive(spelling, language->next[row + language->ascii[byte]], from->count, to);
    }
    if (byte < 0x80) return from->scan == QUOTED_NORMAL ? -1 : 0;
    if (from->scan == QUOTED_NORMAL && language->beyond[from->state] == LANGUAGE_MIXED) return -1;
    return spell_beyond(spelling, byte, to);
}

/* Hands a subtree to the general walk, from the threads as they are at this level. */
static void leave(struct walk *walk, const struct trie_tree *tree, uint32_t node,
                  const struct spelling *spelling, const struct letter *at) {
    struct thread *threads = walk->stack->threads + spelling->root.threads;
    for (uint32_t i = 0; i < spelling->root.n; i++) {
        threads[i].state = at->state;
        threads[i].count = at->count;
    }
    walk_subtree(walk, tree, node, &spelling->root);
    walk->machine->n = spelling->root.frames;
}

static void walk_letters(struct walk *walk, const struct trie_tree *tree,
                         const struct spelling *spelling, const struct letter *start) {
    struct letter levels[MAX_LEVELS];
    uint32_t depth = 0, end = tree->nodes[0].next;
    levels[0] = *start;
    levels[0].end = end;
    for (uint32_t i = 1; i < end;) {
        const struct trie_node *node = &tree->nodes[i];
        while (i >= levels[depth].end) depth--;
        int stepped = depth + 1 < MAX_LEVELS
                          ? spell(spelling, node->byte, &levels[depth], &levels[depth + 1])
                          : 0;
        if (stepped < 0) leave(walk, tree, i, spelling, &levels[depth]);
        if (stepped > 0) {
            take(walk, node);
            levels[++depth].end = node->next;
        }
        i = stepped > 0 ? i + 1 : node->next;
    }
}

/* The thread as it reads the inside of a string or key of a language; false if it is not between
 * two characters of one. Where keys may run out they are searched one by one instead. */
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
           rules->languages[inside->cell].language.most[thread->state] == LANGUAGE_INFINITE;
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

/* Tokens that stay inside. */
static void walk_inside(struct walk *walk, const struct thread *inside) {
    struct spelling spelling = {&walk->machine->rules->languages[inside->cell].language,
                                inside->lo,
                                inside->hi,
                                {.n = 1, .frames = walk->machine->n}};
    struct letter start = {.count = inside->count, .state = inside->state};
    walk->stack->n = 0;
    if (!reserve(walk, 1)) return;
    walk->stack->threads[0] = *inside;
    walk_letters(walk, &walk->trie->all, &spelling, &start);
}

/* The inside is the same wherever the string stands and is kept in the cache; tokens that close it
 * are walked each time. */
static void walk_language(struct walk *walk, const struct thread *inside,
                          const struct thread *threads, uint32_t n) {
    uint64_t state = inside_hash(inside), *bits = walk->bits;
    uint32_t n_words = walk->trie->n_words, count;
    walk->bits = walk->stack->bits;
    if (!mask_cache_get(walk->cache, walk->trie, state, walk->bits, n_words, &count)) {
        memset(walk->bits, 0, n_words * sizeof *walk->bits);
        walk_inside(walk, inside);
        count = count_bits(walk->bits, n_words);
        mask_cache_put(walk->cache, walk->trie, state, walk->bits, n_words, count);
    }
    for (uint32_t i = 0; i < n_words; i++) bits[i] |= walk->bits[i];
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
        for (uint32_t i = from; i < n; i++) {
            inside_of(walk->machine, &threads[i], &same);
            if (memcmp(&first, &same, sizeof first) != 0) continue;
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
    uint32_t n_others = 0, n_strings = 0;
    memset(bits, 0, trie->n_words * sizeof *bits);
    if (n == 1 && threads[0].mode == MODE_FREE) {
        memcpy(bits, trie->every, trie->n_words * sizeof *bits);
        restrict_free(&walk, threads);
        return count_bits(bits, trie->n_words);
    }
    memcpy(others, threads, n * sizeof *threads);
    if (stack->bits || (stack->bits = malloc(trie->n_words * sizeof *bits)))
        n = walk_languages(&walk, others, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!in_string(machine, &others[i])) {
            others[n_others++] = others[i];
            continue;
        }
        strings[n_strings++] = others[i];
        trie_add_safe(trie, characters_left(machine, &others[i]), bits);
    }
    walk_tree(&walk, &trie->closing, strings, n_strings);
    walk_tree(&walk, &trie->all, others, n_others);
    return count_bits(bits, trie->n_words);
}

void mask_stack_free(struct mask_stack *stack) {
    free(stack->threads);
    free(stack->bits);
    *stack = (struct mask_stack){0};
}
