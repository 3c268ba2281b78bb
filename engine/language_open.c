/* States from which nothing plain is refused: most of a search that is not anchored. A mask there
 * is known without looking at each token. */
#include <stdlib.h>

#include "engine/language.h"

enum {
    ROUNDS = 32, /* longer runs of plain characters count as so many */
    STEPS = 1 << 19
};

/* Not those of U+2000 to U+2FFF. */
static uint32_t plain_classes(const struct language *language, uint8_t classes[256]) {
    uint32_t n = 0;
    for (unsigned c = 0x20; c < 0x7F; c++)
        if (language_is_plain(c)) n = language_classes(language, c, c, classes, n, 256);
    n = language_classes(language, 0x80, 0x1FFF, classes, n, 256);
    n = language_classes(language, 0x3000, 0xD7FF, classes, n, 256);
    return language_classes(language, 0xE000, 0x10FFFF, classes, n, 256);
}

/* The least of `open` one character on; -1: a plain character is refused. */
static int nearest(const struct language *language, uint32_t state, const uint8_t *classes,
                   uint32_t n) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    int least = LANGUAGE_OPEN;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t target = next[classes[i]];
        if (target == LANGUAGE_DEAD || language->words[target] != LANGUAGE_PLENTY) return -1;
        if (language->open[target] < least) least = language->open[target];
    }
    return least;
}

/* Round r finds the states from which r characters may follow but not any r + 1. */
static bool next_round(struct language *language, int round, const uint8_t *classes, uint32_t n) {
    bool found = false;
    for (uint32_t state = 0; state < language->n_states; state++) {
        if (language->open[state] != LANGUAGE_OPEN) continue;
        if (nearest(language, state, classes, n) != round - 1) continue;
        language->open[state] = (uint8_t)round;
        found = true;
    }
    return found;
}

static void find_extremes(struct language *language) {
    language->most_least = 0;
    language->least_most = LANGUAGE_INFINITE;
    for (uint32_t i = 0; i < language->n_states; i++) {
        if (language->distance[i] == LANGUAGE_INFINITE) continue;
        if (language->least[i] > language->most_least) language->most_least = language->least[i];
        if (language->most[i] < language->least_most) language->least_most = language->most[i];
    }
}

bool language_find_open(struct language *language) {
    uint8_t classes[256];
    uint32_t n = plain_classes(language, classes);
    uint64_t steps = (uint64_t)language->n_states * (n + 1);
    int round = 0, most = steps * ROUNDS > STEPS ? (int)(STEPS / steps) : ROUNDS;
    language->open = malloc(language->n_states);
    if (!language->open) return false;
    for (uint32_t i = 0; i < language->n_states; i++) language->open[i] = LANGUAGE_OPEN;
    while (round < most && next_round(language, round, classes, n)) round++;
    for (uint32_t i = 0; round == most && i < language->n_states; i++)
        if (language->open[i] == LANGUAGE_OPEN) language->open[i] = (uint8_t)most;
    find_extremes(language);
    return true;
}
