/* Which kinds of characters a state of a language treats alike, for ever: [a-z0-9]* takes any number
 * of digits and small letters. Found by trying all kinds and leaving out those that a state reached
 * refuses. */
#include <string.h>

#include "engine/mask_walk.h"

enum { STATES = 64 }; /* where more are reached, nothing is known */

struct kind_classes { /* the classes of a kind's characters */
    uint8_t classes[TRIE_KINDS][32], n[TRIE_KINDS];
};

static void sort_classes(const struct language *language, struct kind_classes *table) {
    memset(table->n, 0, sizeof table->n);
    for (unsigned c = 0x20; c < 0x7F; c++) {
        enum trie_kind kind = trie_kind((unsigned char)c);
        uint8_t *classes = table->classes[kind];
        uint32_t i = 0;
        if (kind == TRIE_OTHER) continue;
        while (i < table->n[kind] && classes[i] != language->ascii[c]) i++;
        if (i == table->n[kind]) classes[table->n[kind]++] = language->ascii[c];
    }
}

/* Where a kind leads: at most 32 states; 0: not everywhere it could, or to few words. */
static uint32_t targets(const struct language *language, const struct kind_classes *table,
                        uint16_t state, enum trie_kind kind, uint16_t out[32]) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    uint32_t n = kind == TRIE_BEYOND ? 1 : table->n[kind];
    for (uint32_t i = 0; i < n; i++) {
        out[i] = kind == TRIE_BEYOND ? language->beyond[state] : next[table->classes[kind][i]];
        if (out[i] >= LANGUAGE_MIXED || language->words[out[i]] != LANGUAGE_PLENTY) return 0;
    }
    return n;
}

struct search {
    const struct language *language;
    struct kind_classes table;
    uint16_t states[STATES];
    uint32_t n;
};

/* Adds what one state leads to. Returns the kinds that it refuses, all of them where there is no
 * more room. */
static uint16_t expand(struct search *search, uint16_t state, uint16_t kinds, uint8_t *member) {
    uint16_t out[32], refused = 0;
    for (enum trie_kind kind = 0; kind < TRIE_OTHER; kind++) {
        if (!(kinds >> kind & 1)) continue;
        uint32_t n = targets(search->language, &search->table, state, kind, out);
        if (n == 0) refused |= (uint16_t)(1u << kind);
        for (uint32_t i = 0; i < n; i++) {
            if (member[out[i]]) continue;
            if (search->n == STATES) return kinds;
            member[out[i]] = 1;
            search->states[search->n++] = out[i];
        }
    }
    return refused;
}

void mask_find_open(struct mask_open *open, const struct language *language, uint16_t state) {
    struct search search = {.language = language};
    uint16_t refused = 0;
    sort_classes(language, &search.table);
    open->kinds = (uint16_t)((1u << TRIE_OTHER) - 1);
    do {
        open->kinds &= (uint16_t)~refused;
        memset(open->member, 0, language->n_states);
        open->member[state] = 1;
        search.states[0] = state;
        search.n = 1;
        refused = 0;
        for (uint32_t i = 0; i < search.n && !refused; i++)
            refused = expand(&search, search.states[i], open->kinds, open->member);
    } while (refused && open->kinds);
}
