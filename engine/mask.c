#include "engine/mask.h"

#include <string.h>

#include "engine/quoted.h"
#include "engine/vector.h"

struct level { /* where the walk stands at one depth */
    uint32_t end;     /* of the node's subtree */
    uint32_t threads; /* stack.threads[threads..threads + n] */
    uint32_t n;
    uint32_t frames;  /* machine frames to go back to */
};

struct walk {
    struct machine *machine;
    const struct trie *trie;
    struct mask_stack *stack;
    uint64_t *bits;
};

enum { MAX_LEVELS = 512 }; /* bytes of a token; longer ones are not offered */

static bool reserve(struct walk *walk, uint32_t n) {
    return vector_reserve((void **)&walk->stack->threads, &walk->stack->cap, walk->stack->n + n,
                          sizeof *walk->stack->threads);
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
    if (thread->mode == MODE_KEY_OPEN) return true;
    return thread->mode == MODE_STRING &&
           machine->rules->cells[thread->cell].string.language == RULES_NONE;
}

/* How many characters it may still take. */
static uint32_t characters_left(const struct machine *machine, const struct thread *thread) {
    if (thread->mode == MODE_KEY_OPEN) return UINT32_MAX;
    uint32_t max = machine->rules->cells[thread->cell].string.max;
    return max == RULES_INFINITE ? UINT32_MAX : max - thread->count;
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

static uint32_t count_bits(const uint64_t *bits, uint32_t n_words) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n_words; i++) count += (uint32_t)__builtin_popcountll(bits[i]);
    return count;
}

uint32_t mask_fill(struct machine *machine, const struct thread *threads, uint32_t n,
                   const struct trie *trie, struct mask_stack *stack, uint64_t *bits) {
    struct walk walk = {machine, trie, stack, bits};
    struct thread others[MACHINE_THREADS], strings[MACHINE_THREADS];
    uint32_t n_others = 0, n_strings = 0;
    memset(bits, 0, trie->n_words * sizeof *bits);
    if (n == 1 && threads[0].mode == MODE_FREE) {
        memcpy(bits, trie->every, trie->n_words * sizeof *bits);
        restrict_free(&walk, threads);
        return count_bits(bits, trie->n_words);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!in_string(machine, &threads[i])) {
            others[n_others++] = threads[i];
            continue;
        }
        strings[n_strings++] = threads[i];
        trie_add_safe(trie, characters_left(machine, &threads[i]), bits);
    }
    walk_tree(&walk, &trie->closing, strings, n_strings);
    walk_tree(&walk, &trie->all, others, n_others);
    return count_bits(bits, trie->n_words);
}
