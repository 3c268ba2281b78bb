#include "engine/text_mask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bits.h"
#include "engine/vector.h"

struct leaving {      /* at this node of the trie a token may return to the base */
    struct moment at; /* before the node's byte, over the hole */
    uint32_t node, place;
};

struct inside {
    const struct trie *trie;
    uint64_t *bits;
    struct leaving *leaving;
    uint32_t n_leaving, cap_leaving;
};

void inside_free(struct inside *inside) {
    if (!inside) return;
    free(inside->bits);
    free(inside->leaving);
    free(inside);
}

/* ---- the walk ---- */

struct text_walk {
    struct stacks *stacks;
    const struct trie *trie;
    uint64_t *bits;
    struct inside *inside; /* being found; NULL: the stack is the real one */
    struct stacks_user user, leaving_user;
    struct moment at[TRIE_MAX_DEPTH + 1]; /* by depth */
    uint16_t place[TRIE_MAX_DEPTH + 1];
};

static void note_leaving(struct text_walk *walk, uint32_t node, uint32_t depth) {
    struct inside *inside = walk->inside;
    if (!vector_reserve((void **)&inside->leaving, &inside->cap_leaving, inside->n_leaving + 1,
                        sizeof *inside->leaving)) {
        walk->stacks->failed = true;
        return;
    }
    inside->leaving[inside->n_leaving++] =
        (struct leaving){walk->at[depth], node, walk->place[depth]};
    walk->leaving_user.moments = &inside->leaving->at;
    walk->leaving_user.n = inside->n_leaving;
}

/* The step into a node from the level above it. */
static bool enter(struct text_walk *walk, uint32_t node, uint32_t depth, unsigned byte) {
    struct stacks *stacks = walk->stacks;
    const struct alphabet *alphabet = &stacks->network->alphabet;
    uint32_t target = alphabet_step(alphabet, walk->place[depth - 1], byte);
    const uint64_t *allowed = stacks_allowed(stacks, walk->at[depth - 1].shape);
    if (target == ALPHABET_NONE) return false;
    if (target & ALPHABET_PLACE) {
        const uint64_t *reach =
            alphabet->reach + (size_t)(target & ~ALPHABET_PLACE) * alphabet->words;
        uint64_t both = 0;
        for (uint32_t i = 0; i < alphabet->words; i++) both |= reach[i] & allowed[i];
        walk->at[depth] = walk->at[depth - 1];
        walk->place[depth] = (uint16_t)(target & ~ALPHABET_PLACE);
        return both;
    }
    if (!(allowed[target / 64] >> target % 64 & 1)) return false;
    walk->user.n = depth;
    enum step_verdict verdict = stacks_step(stacks, &walk->at[depth - 1], target, &walk->at[depth]);
    if (verdict == STEP_OUT && walk->inside) note_leaving(walk, node, depth - 1);
    walk->place[depth] = ALPHABET_START;
    return verdict == STEP_DONE;
}

/* The subtree of a node, from the level that leads to it. */
static void walk_subtree(struct text_walk *walk, uint32_t first) {
    const struct trie_tree *tree = &walk->trie->all;
    uint32_t end = first + tree->nodes[first].size, base = tree->nodes[first].depth - 1u;
    for (uint32_t i = first; i < end && !walk->stacks->failed;) {
        const struct trie_node *node = &tree->nodes[i];
        if (!enter(walk, i, node->depth - base, node->byte)) {
            i += node->size;
            continue;
        }
        walk->bits[node->token >> 6] |= 1ull << (node->token & 63);
        i++;
    }
}

static void walk_open(struct text_walk *walk, struct stacks *stacks, const struct trie *trie,
                      uint64_t *bits, struct inside *inside) {
    walk->stacks = stacks;
    walk->trie = trie;
    walk->bits = bits;
    walk->inside = inside;
    walk->user = (struct stacks_user){.moments = walk->at, .stride = sizeof *walk->at};
    walk->leaving_user = (struct stacks_user){.stride = sizeof *inside->leaving};
    stacks_use(stacks, &walk->user);
    stacks_use(stacks, &walk->leaving_user);
}

static void walk_close(struct text_walk *walk) {
    stacks_leave(walk->stacks, &walk->leaving_user);
    stacks_leave(walk->stacks, &walk->user);
}

static void walk_from(struct text_walk *walk, struct moment at, uint32_t place) {
    const struct trie_tree *tree = &walk->trie->all;
    walk->at[0] = at;
    walk->user.n = 1;
    walk->place[0] = (uint16_t)place;
    for (uint32_t i = 1; i < tree->n && !walk->stacks->failed; i += tree->nodes[i].size)
        walk_subtree(walk, i);
}

/* ---- inside ---- */

/* Finds what stays above the base. NULL without memory; the shape of *at may get another number. */
static struct inside *find_inside(struct stacks *stacks, struct cursor *cursor,
                                  const struct trie *trie) {
    struct inside *inside = calloc(1, sizeof *inside);
    struct text_walk *walk = malloc(sizeof *walk);
    if (inside) inside->bits = calloc(trie->n_words + 1, sizeof *inside->bits);
    if (!inside || !inside->bits || !walk) {
        inside_free(inside);
        free(walk);
        return NULL;
    }
    inside->trie = trie;
    walk_open(walk, stacks, trie, inside->bits, inside);
    walk_from(walk, (struct moment){cursor->at.shape, STACKS_HOLE}, ALPHABET_START);
    walk_close(walk);
    free(walk);
    struct shape *shape = &stacks->shapes[cursor->at.shape];
    inside_free(shape->inside); /* of another trie */
    shape->inside = inside;
    stacks->inside_bytes += trie->n_words * 8 + inside->n_leaving * sizeof *inside->leaving;
    return inside;
}

/* A copy: walking on may drop the shape's. */
static struct leaving *copy_leaving(const struct inside *inside) {
    size_t bytes = inside->n_leaving * sizeof *inside->leaving;
    struct leaving *copy = malloc(bytes + 1);
    if (copy && bytes) memcpy(copy, inside->leaving, bytes);
    return copy;
}

/* Where tokens leave, the real stack is put below. */
static void walk_leaving(struct text_walk *walk, struct cursor *cursor, struct leaving *leaving,
                         uint32_t n) {
    walk->leaving_user.moments = &leaving->at;
    for (uint32_t i = 0; i < n && !walk->stacks->failed; i++) {
        walk->leaving_user.n = n;
        walk->at[0].shape = leaving[i].at.shape;
        walk->at[0].base = stacks_on(walk->stacks, cursor->at.base, leaving[i].at.base);
        walk->place[0] = (uint16_t)leaving[i].place;
        walk->user.n = 1;
        walk_subtree(walk, leaving[i].node);
    }
}

static bool fill_inside(struct text_walk *walk, struct cursor *cursor) {
    struct stacks *stacks = walk->stacks;
    const struct inside *inside = stacks->shapes[cursor->at.shape].inside;
    if (!inside || inside->trie != walk->trie) inside = find_inside(stacks, cursor, walk->trie);
    struct leaving *leaving = inside ? copy_leaving(inside) : NULL;
    if (!leaving) return false;
    memcpy(walk->bits, inside->bits, (walk->trie->n_words + 1) * sizeof *walk->bits);
    walk_leaving(walk, cursor, leaving, inside->n_leaving);
    walk->leaving_user.n = 0;
    free(leaving);
    return true;
}

/* ---- all of it ---- */

uint32_t text_mask_fill(struct stacks *stacks, const struct cursor *from, const struct trie *trie,
                        uint64_t *bits) {
    uint32_t n_words = trie->n_words;
    uint64_t *work = calloc(n_words + 1, sizeof *work);
    struct text_walk *walk = malloc(sizeof *walk);
    struct cursor cursor;
    memset(bits, 0, n_words * sizeof *bits);
    if (work && walk) {
        cursor_open(stacks, &cursor, from->at, from->place);
        walk_open(walk, stacks, trie, work, NULL);
        bool inside = from->place == ALPHABET_START &&
                      stacks->frames[cursor.at.base].depth <= STACKS_HALF &&
                      fill_inside(walk, &cursor);
        if (!inside) walk_from(walk, cursor.at, cursor.place);
        walk_close(walk);
        cursor_close(stacks, &cursor);
        trie_spread_twins(trie, work);
        memcpy(bits, work, n_words * sizeof *bits);
    }
    free(work);
    free(walk);
    return bits_count_all(bits, n_words);
}
