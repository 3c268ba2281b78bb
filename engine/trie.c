#include "engine/trie.h"

#include <stdlib.h>
#include <string.h>

#include "engine/quoted.h"
#include "engine/trie_nodes.h"

struct entry {       /* a token while the tries are built */
    uint64_t prefix; /* the first bytes, big-endian: most comparisons end here */
    const char *bytes;
    uint32_t len, token;
};

/* ---- what a token is inside a string ---- */

enum { UNSAFE = -1, CLOSING = -2 };

/* How many characters the token begins, or UNSAFE, or CLOSING. */
static int classify(const char *bytes, uint32_t len, bool *plain) {
    uint8_t state = QUOTED_NORMAL;
    uint32_t acc = 0;
    *plain = true;
    int characters = 0;
    for (uint32_t i = 0; i < len; i++) {
        bool begins = state == QUOTED_NORMAL;
        enum quoted_event event = quoted_step(&state, &acc, (unsigned char)bytes[i]);
        if (event == QUOTED_DEAD) return UNSAFE;
        if (event == QUOTED_END) return CLOSING;
        if (event == QUOTED_CHAR) acc = 0;
        if ((unsigned char)bytes[i] < 0x80 && trie_kind((unsigned char)bytes[i]) == TRIE_OTHER)
            *plain = false;
        characters += begins;
    }
    return characters;
}

static bool is_text(const char *bytes, uint32_t len) {
    uint8_t state = QUOTED_NORMAL;
    uint32_t acc = 0;
    for (uint32_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (!byte) return false;
        if (state == QUOTED_NORMAL && byte < 0x80) continue; /* quotes, too */
        if (quoted_step(&state, &acc, byte) == QUOTED_DEAD) return false;
    }
    return true;
}

/* ---- sorting ---- */

static uint64_t prefix_of(const char *bytes, uint32_t len) {
    uint64_t prefix = 0;
    for (uint32_t i = 0; i < 8; i++) prefix = prefix << 8 | (i < len ? (unsigned char)bytes[i] : 0);
    return prefix;
}

static int compare(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    uint32_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->bytes, b->bytes, common);
    if (order) return order;
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    return a->token < b->token ? -1 : a->token > b->token;
}

static struct entry *sorted_tokens(const struct vocab *vocab, uint32_t n_vocab, uint32_t *n) {
    struct entry *entries = malloc((n_vocab + 1) * sizeof *entries);
    if (!entries) return NULL;
    *n = 0;
    for (uint32_t id = 0; id < n_vocab && id < TRIE_MAX_TOKEN; id++) {
        uint32_t len;
        const char *bytes = vocab_bytes(vocab, id, &len);
        enum token_kind kind = vocab_kind(vocab, id);
        bool text = kind == TOKEN_NORMAL || kind == TOKEN_BYTE || kind == TOKEN_USER_DEFINED;
        if (!text || len == 0 || len > TRIE_MAX_DEPTH || vocab_is_end(vocab, id)) continue;
        entries[(*n)++] = (struct entry){prefix_of(bytes, len), bytes, len, id};
    }
    qsort(entries, *n, sizeof *entries, compare);
    return entries;
}

/* ---- trees ---- */

static bool same_bytes(const struct entry *a, const struct entry *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static uint32_t shared(const struct entry *a, const struct entry *b) {
    uint32_t n = 0;
    while (n < a->len && n < b->len && a->bytes[n] == b->bytes[n]) n++;
    return n;
}

static uint32_t count_nodes(const struct entry *entries, uint32_t n) {
    uint32_t nodes = 1;
    for (uint32_t i = 0; i < n; i++)
        nodes += entries[i].len - (i ? shared(&entries[i - 1], &entries[i]) : 0);
    return nodes;
}

/* Ends the open nodes deeper than `depth`. path[d] is the open node at depth d. */
static void close_nodes(struct trie_tree *tree, uint32_t *path, uint32_t *open, uint32_t depth,
                        uint32_t n) {
    while (*open > depth) {
        uint32_t node = path[(*open)--];
        tree->nodes[node].size = (n - node) & 0xFFFFFF;
    }
}

static void fill_tree(struct trie_tree *tree, const struct entry *entries, uint32_t n,
                      uint32_t no_token, uint32_t *path) {
    uint32_t open = 0, made = 1;
    tree->nodes[0] = (struct trie_node){.token = no_token & TRIE_MAX_TOKEN};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t depth = i ? shared(&entries[i - 1], &entries[i]) : 0;
        close_nodes(tree, path, &open, depth, made);
        if (depth == entries[i].len) { /* the same bytes again */
            tree->nodes[path[depth]].twins = 1;
            continue;
        }
        for (; depth < entries[i].len; depth++) {
            unsigned char byte = (unsigned char)entries[i].bytes[depth];
            tree->nodes[made] = (struct trie_node){
                .byte = byte, .depth = (depth + 1) & 0xFF, .token = no_token & TRIE_MAX_TOKEN};
            if (depth == 0) tree->child[byte] = made;
            path[++open] = made++;
        }
        tree->nodes[path[open]].token = entries[i].token & TRIE_MAX_TOKEN;
    }
    close_nodes(tree, path, &open, 0, made);
    tree->nodes[0].size = made & 0xFFFFFF;
}

static bool build_tree(struct trie *trie, struct trie_tree *tree, const struct entry *entries,
                       uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (entries[i].len > tree->max_len) tree->max_len = entries[i].len;
    tree->n = count_nodes(entries, n);
    uint32_t *path = malloc((tree->max_len + 1) * sizeof *path);
    tree->nodes = malloc(tree->n * sizeof *tree->nodes);
    trie->memory += tree->n * sizeof *tree->nodes;
    if (path && tree->nodes) fill_tree(tree, entries, n, trie->n_words * 64, path);
    free(path);
    return path && tree->nodes && tree->n < (1u << 24);
}

/* ---- bitmaps ---- */

static void set_bit(uint64_t *bits, uint32_t token) {
    bits[token >> 6] |= 1ull << (token & 63);
}

static bool add_twins(struct trie *trie, const struct entry *entries, uint32_t n) {
    uint32_t first = 0;
    for (uint32_t i = 1; i < n; i++) trie->n_twins += same_bytes(&entries[i - 1], &entries[i]);
    trie->twins = malloc((trie->n_twins + 1) * sizeof *trie->twins);
    if (!trie->twins) return false;
    trie->n_twins = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (!same_bytes(&entries[i - 1], &entries[i]))
            first = i;
        else
            trie->twins[trie->n_twins++] =
                (struct trie_twin){entries[first].token, entries[i].token};
    }
    return true;
}

static int compare_twins(const void *left, const void *right) {
    const struct trie_twin *a = left, *b = right;
    if (a->token != b->token) return a->token < b->token ? -1 : 1;
    return a->twin < b->twin ? -1 : a->twin > b->twin;
}

static int compare_longs(const void *left, const void *right) {
    const struct trie_long *a = left, *b = right;
    return a->characters < b->characters ? -1 : a->characters > b->characters;
}

static bool allocate_bitmaps(struct trie *trie) {
    trie->every = calloc(trie->n_words + 1, sizeof *trie->every);
    trie->plain = calloc(trie->n_words + 1, sizeof *trie->plain);
    trie->text = calloc(trie->n_words + 1, sizeof *trie->text);
    bool done = trie->every && trie->plain && trie->text;
    for (int k = 0; k < TRIE_CLASSES; k++) {
        trie->safe[k] = calloc(trie->n_words + 1, sizeof *trie->every);
        done &= trie->safe[k] != NULL;
    }
    trie->memory += (TRIE_CLASSES + 3) * trie->n_words * sizeof *trie->every;
    return done;
}

/* Sorts the tokens into bitmaps and moves those that close a string to the front. */
static uint32_t sort_out(struct trie *trie, struct entry *entries, uint32_t n) {
    uint32_t n_closing = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool plain;
        int characters = classify(entries[i].bytes, entries[i].len, &plain);
        set_bit(trie->every, entries[i].token);
        if (characters >= 0 && plain) set_bit(trie->plain, entries[i].token);
        if (is_text(entries[i].bytes, entries[i].len)) set_bit(trie->text, entries[i].token);
        if (characters == CLOSING)
            entries[n_closing++] = entries[i];
        else if (characters >= TRIE_CLASSES)
            trie->longs[trie->n_longs++] =
                (struct trie_long){entries[i].token, (uint32_t)characters};
        for (int k = characters; k >= 0 && k < TRIE_CLASSES; k++)
            set_bit(trie->safe[k], entries[i].token);
    }
    qsort(trie->longs, trie->n_longs, sizeof *trie->longs, compare_longs);
    return n_closing;
}

static bool fill(struct trie *trie, struct entry *entries, uint32_t n) {
    trie->n_tokens = n;
    trie->longs = malloc((n + 1) * sizeof *trie->longs);
    if (!trie->longs || !allocate_bitmaps(trie) || !add_twins(trie, entries, n)) return false;
    qsort(trie->twins, trie->n_twins, sizeof *trie->twins, compare_twins);
    if (!build_tree(trie, &trie->all, entries, n) ||
        !trie_kinds_new(&trie->kinds, &trie->all, trie->n_words, &trie->memory))
        return false;
    uint32_t n_closing = sort_out(trie, entries, n);
    struct trie_long *fitting = realloc(trie->longs, (trie->n_longs + 1) * sizeof *fitting);
    if (fitting) trie->longs = fitting;
    trie->memory += trie->n_longs * sizeof *trie->longs + trie->n_twins * sizeof *trie->twins;
    return build_tree(trie, &trie->closing, entries, n_closing);
}

struct trie *trie_new(const struct vocab *vocab, struct error *error) {
    struct trie *trie = calloc(1, sizeof *trie);
    struct entry *entries = NULL;
    uint32_t n;
    if (trie) {
        trie->vocab = vocab;
        trie->n_vocab = vocab_size(vocab);
        trie->n_words = (trie->n_vocab + 63) / 64;
        trie->memory = sizeof *trie;
        entries = sorted_tokens(vocab, trie->n_vocab, &n);
    }
    bool done = entries && fill(trie, entries, n);
    free(entries);
    if (done) return trie;
    error_set(error, ERROR_OUT_OF_MEMORY, "building the token trie");
    trie_free(trie);
    return NULL;
}

void trie_free(struct trie *trie) {
    if (!trie) return;
    free(trie->all.nodes);
    free(trie->closing.nodes);
    for (int k = 0; k < TRIE_CLASSES; k++) free(trie->safe[k]);
    free(trie->every);
    free(trie->plain);
    free(trie->text);
    trie_kinds_free(&trie->kinds);
    free(trie->longs);
    free(trie->twins);
    free(trie);
}

size_t trie_memory(const struct trie *trie) {
    return trie->memory;
}

void trie_set_twins(const struct trie *trie, uint32_t token, uint64_t *bits) {
    uint32_t low = 0, high = trie->n_twins;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trie->twins[middle].token < token)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < trie->n_twins && trie->twins[low].token == token; low++)
        set_bit(bits, trie->twins[low].twin);
}

void trie_spread_twins(const struct trie *trie, uint64_t *bits) {
    for (uint32_t i = 0; i < trie->n_twins; i++) {
        uint32_t token = trie->twins[i].token, twin = trie->twins[i].twin;
        uint64_t bit = bits[token >> 6] >> (token & 63) & 1;
        bits[twin >> 6] = (bits[twin >> 6] & ~(1ull << (twin & 63))) | bit << (twin & 63);
    }
}

void trie_add_safe(const struct trie *trie, uint32_t characters, uint64_t *bits) {
    uint32_t class = characters < TRIE_CLASSES ? characters : TRIE_CLASSES - 1;
    for (uint32_t i = 0; i < trie->n_words; i++) bits[i] |= trie->safe[class][i];
    for (uint32_t i = 0; i < trie->n_longs && trie->longs[i].characters <= characters; i++)
        set_bit(bits, trie->longs[i].token);
}
