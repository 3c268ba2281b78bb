/* Which kinds of characters a state of a language treats alike, for ever: [a-z0-9]* takes any
 * number of digits and small letters. Found by trying all kinds and leaving out those that a state
 * reached refuses. */
#include <string.h>

#include "engine/mask_walk.h"

enum {
    STATES = 512, /* where more are reached, nothing is known */
    CLASSES = MASK_KIND_CLASSES,
    NEAR = 16,   /* characters: few tokens have more */
    ENOUGH = 80  /* weight of kinds */
};

static void add_classes(const struct language *language, struct mask_kinds *table,
                        enum trie_kind kind, uint32_t from, uint32_t to) {
    table->n[kind] = (uint8_t)language_classes(language, from, to, table->classes[kind],
                                               table->n[kind], CLASSES + 1);
}

void mask_sort_kinds(struct mask_kinds *table, const struct language *language) {
    memset(table->n, 0, sizeof table->n);
    for (unsigned c = 0x20; c < 0x7F; c++)
        add_classes(language, table, trie_kind((unsigned char)c), c, c);
    add_classes(language, table, TRIE_RARE, 0x80, 0xBF);
    add_classes(language, table, TRIE_BEYOND, 0xC0, 0xFFF);
    add_classes(language, table, TRIE_RARE, 0x1000, 0x1FFF);
    add_classes(language, table, TRIE_MARK, 0x2000, 0x2FFF);
    add_classes(language, table, TRIE_RARE, 0x3000, 0x3FFF);
    add_classes(language, table, TRIE_BEYOND, 0x4000, 0xD7FF);
    add_classes(language, table, TRIE_BEYOND, 0xE000, 0xEFFF);
    add_classes(language, table, TRIE_RARE, 0xF000, 0xFFFF);
    add_classes(language, table, TRIE_BEYOND, 0x10000, 0x10FFFF);
}

/* Where a kind leads: at most CLASSES states; 0: not everywhere it could, or to few words. */
static uint32_t targets(const struct language *language, const struct mask_kinds *table,
                        uint16_t state, enum trie_kind kind, uint16_t out[CLASSES]) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    if (table->n[kind] > CLASSES) return 0;
    for (uint32_t i = 0; i < table->n[kind]; i++) {
        out[i] = next[table->classes[kind][i]];
        if (out[i] == LANGUAGE_DEAD || language->words[out[i]] != LANGUAGE_PLENTY) return 0;
    }
    return table->n[kind];
}

struct search {
    const struct language *language;
    const struct mask_kinds *table;
    uint16_t states[STATES];
    uint8_t by[STATES]; /* the kind that led there first */
    uint32_t n;
    bool patient; /* a light kind is given up, and with it states that refuse heavy ones */
};

static void reach(struct mask_open *open, const struct language *language, uint16_t state) {
    if (language->least[state] < open->low) open->low = language->least[state];
    if (language->least[state] > open->high) open->high = language->least[state];
    if (language->most[state] < open->most) open->most = language->most[state];
}

/* Adds what one state leads to. Returns the kinds that it refuses, all of them where there is no
 * more room. */
static uint16_t expand(struct search *search, uint16_t state, struct mask_open *open) {
    uint16_t out[CLASSES], refused = 0;
    uint32_t step = open->member[state];
    if (step > open->limit && open->limit < MASK_OPEN_FAR) return 0;
    for (enum trie_kind kind = 0; kind < TRIE_OTHER; kind++) {
        if (!(open->kinds >> kind & 1)) continue;
        uint32_t n = targets(search->language, search->table, state, kind, out);
        if (n == 0) refused |= (uint16_t)(1u << kind);
        for (uint32_t i = 0; i < n; i++) {
            reach(open, search->language, out[i]);
            if (open->member[out[i]]) continue;
            if (search->n == STATES) return open->kinds;
            open->member[out[i]] = step < MASK_OPEN_FAR ? (uint8_t)(step + 1) : MASK_OPEN_FAR;
            search->by[search->n] = (uint8_t)kind;
            search->states[search->n++] = out[i];
        }
    }
    return refused;
}

/* Roughly how much of a vocabulary holds the kinds. */
static unsigned weight(uint16_t kinds) {
    static const uint8_t weights[TRIE_KINDS] = {
        [TRIE_DIGIT] = 3,   [TRIE_HEX_SMALL] = 20, [TRIE_SMALL] = 30,      [TRIE_HEX_CAPITAL] = 4,
        [TRIE_CAPITAL] = 6, [TRIE_SPACE] = 25,     [TRIE_PUNCTUATION] = 4, [TRIE_BEYOND] = 5};
    unsigned sum = 0;
    for (; kinds; kinds &= (uint16_t)(kinds - 1)) sum += weights[__builtin_ctz(kinds)] + 1u;
    return sum;
}

/* What to do without when a state refuses some kinds: these, or the kind that led to it. */
static uint16_t give_up(const struct search *search, uint32_t at, uint16_t refused) {
    uint16_t by = (uint16_t)(1u << search->by[at]);
    if (!search->patient) return refused;
    return at == 0 || search->n == STATES || weight(refused) <= weight(by) ? refused : by;
}

static void run(struct search *search, struct mask_open *open, uint16_t state) {
    uint16_t refused = 0;
    open->kinds = (uint16_t)((1u << TRIE_OTHER) - 1);
    do {
        open->kinds &= (uint16_t)~refused;
        open->low = open->most = LANGUAGE_INFINITE;
        open->high = 0;
        memset(open->member, 0, search->language->n_states);
        open->member[state] = 1;
        search->states[0] = state;
        search->n = 1;
        refused = 0;
        for (uint32_t i = 0; i < search->n && !refused; i++) {
            refused = expand(search, search->states[i], open);
            if (refused) refused = give_up(search, i, refused);
        }
    } while (refused && open->kinds);
}

/* In three ways, until one finds enough: the heaviest of what they find counts. */
void mask_find_open(struct mask_open *open, const struct language *language,
                    const struct mask_kinds *kinds, uint16_t state) {
    static const struct {
        bool patient;
        uint8_t limit;
    } ways[] = {{true, MASK_OPEN_FAR}, {false, MASK_OPEN_FAR}, {true, NEAR}};
    struct search search = {.language = language, .table = kinds};
    unsigned best = 0, way = 0;
    for (unsigned i = 0; i < 3; i++) {
        search.patient = ways[i].patient;
        open->limit = ways[i].limit;
        run(&search, open, state);
        if (weight(open->kinds) >= ENOUGH) return;
        if (weight(open->kinds) <= best) continue;
        best = weight(open->kinds);
        way = i;
    }
    if (way == 2) return;
    search.patient = ways[way].patient;
    open->limit = ways[way].limit;
    run(&search, open, state);
}
