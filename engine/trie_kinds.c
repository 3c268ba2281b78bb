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

enum { MOST_SETS = 1 << 15, SLOTS = 2 * MOST_SETS };

/* The number of a set. Where there is no more room it is that of the one that holds all. */
static uint16_t number_of(struct trie_kinds *kinds, uint16_t *slots, uint32_t set) {
    uint32_t at = set * 0x9E3779B1u >> 16 & (SLOTS - 1);
    for (; slots[at]; at = (at + 1) & (SLOTS - 1))
        if (kinds->sets[slots[at]] == set) return slots[at];
    if (kinds->n_sets == MOST_SETS) return 0;
    kinds->counts[kinds->n_sets] = 0;
    kinds->sets[kinds->n_sets] = set;
    return slots[at] = (uint16_t)kinds->n_sets++;
}

/* Children come after their parents: from the back, what is open at a depth belongs to the next
 * node above it. */
static void fill(const struct trie_tree *tree, struct trie_kinds *out, uint16_t *slots) {
    uint32_t kinds[TRIE_MAX_DEPTH + 2] = {0};
    uint8_t deepest[TRIE_MAX_DEPTH + 2] = {0};
    out->sets[0] = UINT32_MAX;
    out->counts[0] = 0;
    out->n_sets = 1;
    for (uint32_t i = tree->n; i-- > 1;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth;
        uint32_t below = kinds[depth + 1] | trie_kind_bits((unsigned char)node->byte);
        uint8_t reach = deepest[depth + 1] ? deepest[depth + 1] : (uint8_t)depth;
        out->of[i] = number_of(out, slots, below);
        out->deepest[i] = reach;
        kinds[depth + 1] = deepest[depth + 1] = 0;
        kinds[depth] |= below;
        if (reach > deepest[depth]) deepest[depth] = reach;
    }
}

/* ---- what lies above ---- */

/* Counts the nodes by what leads to them, and the tokens by what they hold. */
static void count(const struct trie_tree *tree, struct trie_kinds *out, uint16_t *slots,
                  uint32_t no_token) {
    uint32_t above[TRIE_MAX_DEPTH + 2] = {0};
    for (uint32_t i = 1; i < tree->n; i++) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t kinds = above[node->depth - 1] | trie_kind_bits((unsigned char)node->byte);
        above[node->depth] = kinds;
        out->counts[number_of(out, slots, kinds)]++;
        if (node->token == no_token) continue;
        for (kinds &= TRIE_FINE; kinds; kinds &= kinds - 1)
            out->holders[__builtin_ctz(kinds)].n++;
    }
}

static bool allocate_holders(struct trie_kinds *out, uint32_t n_words, size_t *memory) {
    bool done = true;
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++) {
        struct trie_holders *of = &out->holders[kind];
        size_t list = (of->n + 1) * sizeof *of->list, bits = (n_words + 1) * sizeof *of->bits;
        if (list < bits) of->list = malloc(list);
        else of->bits = calloc(1, bits);
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
            if (of->bits) of->bits[token >> 6] |= 1ull << (token & 63);
            else of->list[of->n++] = token;
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

static void *fitting(void *memory, size_t bytes) {
    void *moved = realloc(memory, bytes);
    return moved ? moved : memory;
}

bool trie_kinds_new(struct trie_kinds *kinds, const struct trie_tree *tree, uint32_t n_words,
                    size_t *memory) {
    uint16_t *slots = calloc(SLOTS, sizeof *slots);
    kinds->of = calloc(tree->n, sizeof *kinds->of);
    kinds->sets = malloc(MOST_SETS * sizeof *kinds->sets);
    kinds->counts = malloc(MOST_SETS * sizeof *kinds->counts);
    kinds->deepest = calloc(tree->n, sizeof *kinds->deepest);
    bool done = slots && kinds->of && kinds->sets && kinds->counts && kinds->deepest;
    if (done) {
        fill(tree, kinds, slots);
        count(tree, kinds, slots, n_words * 64);
        kinds->sets = fitting(kinds->sets, kinds->n_sets * sizeof *kinds->sets);
        kinds->counts = fitting(kinds->counts, kinds->n_sets * sizeof *kinds->counts);
        for (unsigned byte = 0; byte < 256; byte++)
            kinds->bytes[byte] = trie_kind_bits((unsigned char)byte) & TRIE_FINE;
        *memory += tree->n * (sizeof *kinds->of + sizeof *kinds->deepest) +
                   kinds->n_sets * (sizeof *kinds->sets + sizeof *kinds->counts);
        done = allocate_holders(kinds, n_words, memory);
    }
    if (done) fill_holders(tree, kinds, n_words * 64);
    free(slots);
    return done;
}

void trie_kinds_free(struct trie_kinds *kinds) {
    free(kinds->of);
    free(kinds->sets);
    free(kinds->counts);
    free(kinds->deepest);
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++) {
        free(kinds->holders[kind].bits);
        free(kinds->holders[kind].list);
    }
    *kinds = (struct trie_kinds){0};
}
