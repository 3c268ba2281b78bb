/* What lies below a node: which kinds of bytes, and how deep. A walk can then judge a subtree at
 * once where a state treats all of them alike. */
#include <stdlib.h>
#include <string.h>

#include "engine/trie_nodes.h"

enum trie_kind trie_kind(unsigned char byte) {
    static const char own[] = " -_./,";
    if (byte >= 0x80 && byte < 0xC0) return TRIE_NO_KIND;
    if (byte == 0xC2 || byte == 0xE1 || byte == 0xE3 || byte == 0xEF) return TRIE_RARE;
    if (byte >= 0x80) return byte == 0xE2 ? TRIE_MARK : TRIE_BEYOND;
    if (byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\') return TRIE_OTHER;
    if (byte >= '0' && byte <= '9') return TRIE_DIGIT;
    if (byte >= 'a' && byte <= 'z') return byte <= 'f' ? TRIE_HEX_SMALL : TRIE_SMALL;
    if (byte >= 'A' && byte <= 'Z') return byte <= 'F' ? TRIE_HEX_CAPITAL : TRIE_CAPITAL;
    for (unsigned i = 0; own[i]; i++)
        if ((unsigned char)own[i] == byte) return (enum trie_kind)(TRIE_SPACE + i);
    return byte == ':' ? TRIE_COMMA : TRIE_PUNCTUATION;
}

static uint32_t part_of(unsigned char byte) {
    if (byte == 0xC2) return TRIE_C2;
    if (byte < 0xCA) return TRIE_LATIN;
    if (byte < 0xE0) return TRIE_LETTERS;
    if (byte == 0xE1) return TRIE_E1;
    if (byte == 0xE3) return TRIE_E3;
    if (byte == 0xE4) return TRIE_E4;
    if (byte > 0xE4 && byte < 0xEA) return TRIE_HAN;
    if (byte == 0xEF) return TRIE_EF;
    return byte < 0xF0 ? TRIE_SCRIPTS : TRIE_FOUR;
}

uint32_t trie_kind_bits(unsigned char byte) {
    uint32_t kind = trie_kind(byte);
    if (kind == TRIE_NO_KIND) return 0;
    return 1u << kind | (byte >= 0x80 && kind != TRIE_MARK ? 1u << part_of(byte) : 0);
}

/* ---- sets ---- */

enum { MOST_SETS = 1 << 15, SLOTS = 2 * MOST_SETS, NUMBERS = 256 };

struct sets { /* that occur, and how often */
    struct trie_set of[MOST_SETS];
    uint32_t n;
    uint16_t slots[SLOTS]; /* plus one */
    uint8_t number[MOST_SETS];
};

/* Where there is no more room it is the first one. */
static uint32_t find_set(struct sets *sets, uint32_t set) {
    uint32_t at = set * 0x9E3779B1u >> 16 & (SLOTS - 1);
    for (; sets->slots[at]; at = (at + 1) & (SLOTS - 1))
        if (sets->of[sets->slots[at] - 1].kinds == set) return sets->slots[at] - 1u;
    if (sets->n == MOST_SETS) return 0;
    sets->of[sets->n] = (struct trie_set){set, 0};
    sets->slots[at] = (uint16_t)(sets->n + 1);
    return sets->n++;
}

/* Counts the sets below the nodes, or notes their numbers. Children come after their parents: from
 * the back, what is open at a depth belongs to the next node above it. */
static void walk_below(const struct trie_tree *tree, struct sets *sets, struct trie_kinds *out) {
    uint32_t kinds[TRIE_MAX_DEPTH + 2] = {0};
    uint8_t deepest[TRIE_MAX_DEPTH + 2] = {0};
    for (uint32_t i = tree->n; i-- > 1;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth;
        uint32_t below = kinds[depth + 1] | trie_kind_bits((unsigned char)node->byte);
        uint8_t reach = deepest[depth + 1] ? deepest[depth + 1] : (uint8_t)depth;
        uint32_t set = find_set(sets, below);
        sets->of[set].count++;
        if (out) {
            out->of[i] = sets->number[set];
            out->deepest[i] = reach;
        }
        kinds[depth + 1] = deepest[depth + 1] = 0;
        kinds[depth] |= below;
        if (reach > deepest[depth]) deepest[depth] = reach;
    }
}

static int more_often(const void *left, const void *right) {
    const struct trie_set *a = left, *b = right;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->kinds < b->kinds ? -1 : a->kinds > b->kinds;
}

/* Numbers for the sets that occur most often; the others are taken for the one that holds all. */
static bool number_sets(struct sets *sets, struct trie_kinds *out) {
    struct trie_set *sorted = malloc((sets->n + 1) * sizeof *sorted);
    if (!sorted) return false;
    memcpy(sorted, sets->of, sets->n * sizeof *sorted);
    qsort(sorted, sets->n, sizeof *sorted, more_often);
    uint32_t n = sets->n < NUMBERS - 1 ? sets->n : NUMBERS - 1;
    out->sets[0] = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        out->sets[i + 1] = sorted[i].kinds;
        sets->number[find_set(sets, sorted[i].kinds)] = (uint8_t)(i + 1);
    }
    free(sorted);
    return true;
}

/* ---- what lies above ---- */

/* Counts the nodes by what leads to them, and the tokens by what they hold. */
static bool count(const struct trie_tree *tree, struct sets *sets, struct trie_kinds *out,
                  uint32_t no_token) {
    uint32_t above[TRIE_MAX_DEPTH + 2] = {0};
    for (uint32_t i = 1; i < tree->n; i++) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t kinds = above[node->depth - 1] | trie_kind_bits((unsigned char)node->byte);
        above[node->depth] = kinds;
        sets->of[find_set(sets, kinds)].count++;
        if (node->token == no_token) continue;
        for (kinds &= TRIE_FINE; kinds; kinds &= kinds - 1) out->holders[__builtin_ctz(kinds)].n++;
    }
    out->n_paths = sets->n;
    out->paths = malloc((sets->n + 1) * sizeof *out->paths);
    if (out->paths) memcpy(out->paths, sets->of, sets->n * sizeof *out->paths);
    return out->paths;
}

static bool allocate_holders(struct trie_kinds *out, uint32_t n_words, size_t *memory) {
    bool done = true;
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++) {
        struct trie_holders *of = &out->holders[kind];
        size_t list = (of->n + 1) * sizeof *of->list, bits = (n_words + 1) * sizeof *of->bits;
        if (list < bits)
            of->list = malloc(list);
        else
            of->bits = calloc(1, bits);
        *memory += list < bits ? list : bits;
        of->n = 0;
        done &= of->list || of->bits;
    }
    return done;
}

static void fill_holders(const struct trie_tree *tree, struct trie_kinds *out, uint32_t no_token) {
    uint32_t above[TRIE_MAX_DEPTH + 2] = {0};
    for (uint32_t i = 1; i < tree->n; i++) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t token = node->token;
        above[node->depth] = above[node->depth - 1] | trie_kind_bits((unsigned char)node->byte);
        if (token == no_token) continue;
        for (uint32_t kinds = above[node->depth] & TRIE_FINE; kinds; kinds &= kinds - 1) {
            struct trie_holders *of = &out->holders[__builtin_ctz(kinds)];
            if (of->bits)
                of->bits[token >> 6] |= 1ull << (token & 63);
            else
                of->list[of->n++] = token;
        }
    }
}

void trie_text_without(const struct trie *trie, uint32_t kinds, uint64_t *bits) {
    uint32_t n_words = trie->n_words;
    memcpy(bits, trie->text, n_words * sizeof *bits);
    for (kinds &= (1u << TRIE_PARTS) - 1; kinds; kinds &= kinds - 1) {
        const struct trie_holders *of = &trie->kinds.holders[__builtin_ctz(kinds)];
        for (uint32_t i = 0; of->bits && i < n_words; i++) bits[i] &= ~of->bits[i];
        for (uint32_t i = 0; of->list && i < of->n; i++)
            bits[of->list[i] >> 6] &= ~(1ull << (of->list[i] & 63));
    }
}

/* ---- all of it ---- */

static bool find_below(const struct trie_tree *tree, struct trie_kinds *kinds) {
    struct sets *sets = calloc(1, sizeof *sets);
    bool done = sets != NULL;
    if (done) walk_below(tree, sets, NULL);
    done = done && number_sets(sets, kinds);
    if (done) walk_below(tree, sets, kinds);
    free(sets);
    return done;
}

static bool find_above(const struct trie_tree *tree, struct trie_kinds *kinds, uint32_t n_words,
                       size_t *memory) {
    struct sets *sets = calloc(1, sizeof *sets);
    bool done =
        sets && count(tree, sets, kinds, n_words * 64) && allocate_holders(kinds, n_words, memory);
    if (done) fill_holders(tree, kinds, n_words * 64);
    free(sets);
    return done;
}

bool trie_kinds_new(struct trie_kinds *kinds, const struct trie_tree *tree, uint32_t n_words,
                    size_t *memory) {
    kinds->of = calloc(tree->n, sizeof *kinds->of);
    kinds->deepest = calloc(tree->n, sizeof *kinds->deepest);
    for (unsigned byte = 0; byte < 256; byte++)
        kinds->bytes[byte] = trie_kind_bits((unsigned char)byte) & TRIE_FINE;
    *memory += tree->n * (sizeof *kinds->of + sizeof *kinds->deepest);
    return kinds->of && kinds->deepest && find_below(tree, kinds) &&
           find_above(tree, kinds, n_words, memory);
}

void trie_kinds_free(struct trie_kinds *kinds) {
    free(kinds->of);
    free(kinds->paths);
    free(kinds->deepest);
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++) {
        free(kinds->holders[kind].bits);
        free(kinds->holders[kind].list);
    }
    *kinds = (struct trie_kinds){0};
}
