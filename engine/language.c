#include "engine/language.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/held.h"

static void free_measures(struct language *language) {
    free(language->wanted);
    free(language->distance);
    free(language->least);
    free(language->most);
    free(language->words);
}

void language_free(struct language *language) {
    free(language->bounds);
    free(language->classes);
    free(language->cost);
    free(language->next);
    free(language->labels);
    free(language->open);
    free_measures(language);
    *language = (struct language){0};
}

size_t language_bytes(const struct language *language) {
    return held(language->bounds) + held(language->classes) + held(language->cost) +
           held(language->next) + held(language->labels) + held(language->open) +
           held(language->wanted) + held(language->distance) + held(language->least) +
           held(language->most) + held(language->words);
}

/* ---- reading ---- */

static uint32_t interval_of(const struct language *language, uint32_t character) {
    uint32_t low = 0, high = language->n_bounds;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (language->bounds[middle] <= character)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint32_t language_classes(const struct language *language, uint32_t from, uint32_t to,
                          uint8_t *classes, uint32_t n, uint32_t cap) {
    for (uint32_t i = interval_of(language, from);
         i < language->n_bounds && language->bounds[i] <= to; i++) {
        uint32_t at = 0;
        while (at < n && classes[at] != language->classes[i]) at++;
        if (at == n && n < cap) classes[n++] = language->classes[i];
    }
    return n;
}

uint16_t language_step(const struct language *language, uint16_t state, uint32_t character) {
    uint8_t class = character < 128 ? language->ascii[character]
                                    : language->classes[interval_of(language, character)];
    if (class == LANGUAGE_NO_CLASS) return LANGUAGE_DEAD;
    return language->next[(size_t)state * language->n_classes + class];
}

bool language_viable(const struct language *language, uint16_t state, uint32_t from, uint32_t to,
                     const struct language_length *after) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    for (uint32_t i = interval_of(language, from);
         i < language->n_bounds && language->bounds[i] <= to; i++) {
        uint8_t class = language->classes[i];
        uint16_t target = class == LANGUAGE_NO_CLASS ? LANGUAGE_DEAD : next[class];
        if (target == LANGUAGE_DEAD) continue;
        if (language->least[target] <= after->max && language->most[target] >= after->min)
            return true;
    }
    return false;
}

uint32_t language_rest(const struct language *language, uint16_t state,
                       const struct language_length *length) {
    if (state == LANGUAGE_DEAD || language->least[state] > length->max ||
        language->most[state] < length->min)
        return LANGUAGE_INFINITE;
    uint64_t bytes = language->distance[state];
    if (length->min > language->least[state])
        bytes += (uint64_t)(length->min - language->least[state]) * language->cheapest + language->gap;
    return bytes < LANGUAGE_INFINITE ? (uint32_t)bytes : LANGUAGE_INFINITE - 1;
}

/* Bytes of a character in JSON. */
static uint32_t spelled_bytes(uint32_t character) {
    static const char twice[] = "\b\t\n\f\r\"\\";
    if (character < 0x80)
        return strchr(twice, (int)character) ? 2 : character < 0x20 ? 6 : 1; /* never NUL */
    return character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
}

uint32_t language_cheapest(const struct language *language, uint16_t state,
                           const struct language_length *after) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    uint32_t best = LANGUAGE_INFINITE, character = 0;
    for (uint32_t i = 0; i < language->n_bounds; i++) {
        uint8_t class = language->classes[i];
        if (class == LANGUAGE_NO_CLASS) continue;
        uint32_t rest = language_rest(language, next[class], after);
        if (rest == LANGUAGE_INFINITE || rest + spelled_bytes(language->bounds[i]) >= best)
            continue;
        best = rest + spelled_bytes(language->bounds[i]);
        character = language->bounds[i];
    }
    return character;
}

/* ---- measuring ---- */

struct edges { /* reversed: sources[first[t]..first[t + 1]) lead to t */
    uint32_t *first, *sources;
    uint8_t *costs;
};

static void edges_free(struct edges *edges) {
    free(edges->first);
    free(edges->sources);
    free(edges->costs);
}

static bool edges_build(const struct language *language, struct edges *edges) {
    uint32_t n = language->n_states, classes = language->n_classes, total = 0;
    edges->first = calloc((size_t)n + 2, sizeof *edges->first);
    edges->sources = malloc(((size_t)n * classes + 1) * sizeof *edges->sources);
    edges->costs = malloc((size_t)n * classes + 1);
    if (!edges->first || !edges->sources || !edges->costs) return false;
    for (size_t i = 0; i < (size_t)n * classes; i++)
        if (language->next[i] != LANGUAGE_DEAD) edges->first[language->next[i] + 2]++;
    for (uint32_t i = 0; i < n + 2; i++) total = edges->first[i] += total;
    for (uint32_t state = 0; state < n; state++)
        for (uint32_t class = 0; class < classes; class ++) {
            uint16_t target = language->next[(size_t)state * classes + class];
            if (target == LANGUAGE_DEAD) continue;
            uint32_t at = edges->first[target + 1]++;
            edges->sources[at] = state;
            edges->costs[at] = language->cost[class];
        }
    return true;
}

/* Dial's algorithm from the wanted states backwards: seven lists by distance modulo 7. links[d % 7]
 * chains states; a state may stand in several, only its smallest distance counts. */
static bool shortest_paths(const struct language *language, const struct edges *edges,
                           uint32_t *distance, bool bytes) {
    uint32_t n = language->n_states, waiting = 0;
    struct entry {
        uint32_t state, next;
    } *entries = malloc(((size_t)n * (language->n_classes + 1) + 1) * sizeof *entries);
    uint32_t heads[7], used = 0;
    if (!entries) return false;
    for (int i = 0; i < 7; i++) heads[i] = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        distance[i] = language->wanted[i] ? 0 : LANGUAGE_INFINITE;
        if (!language->wanted[i]) continue;
        entries[used] = (struct entry){i, heads[0]};
        heads[0] = used++;
        waiting++;
    }
    for (uint32_t d = 0; waiting; d++) {
        while (heads[d % 7] != UINT32_MAX) {
            struct entry entry = entries[heads[d % 7]];
            heads[d % 7] = entry.next;
            waiting--;
            if (distance[entry.state] != d) continue;
            for (uint32_t e = edges->first[entry.state]; e < edges->first[entry.state + 1]; e++) {
                uint32_t source = edges->sources[e], other = d + (bytes ? edges->costs[e] : 1u);
                if (other >= distance[source]) continue;
                distance[source] = other;
                entries[used] = (struct entry){source, heads[other % 7]};
                heads[other % 7] = used++;
                waiting++;
            }
        }
    }
    free(entries);
    return true;
}

/* Characters of a class that stand for themselves in JSON or have a short escape. */
static void count_plain(const struct language *language, uint32_t plain[256]) {
    memset(plain, 0, 256 * sizeof *plain);
    for (unsigned c = 1; c < 0x7F; c++)
        if (language_is_spelled(c)) plain[language->ascii[c]]++;
    for (uint32_t i = 0; i < language->n_bounds; i++) {
        uint32_t from = language->bounds[i] > 0x80 ? language->bounds[i] : 0x80;
        uint32_t end = i + 1 < language->n_bounds ? language->bounds[i + 1] : 0x110000;
        if (from < end && language->classes[i] != LANGUAGE_NO_CLASS)
            plain[language->classes[i]] += end - from;
    }
}

/* Once all live successors are known. */
static void measure_state(struct language *language, uint32_t state, const uint32_t plain[256]) {
    uint64_t words = language->wanted[state];
    uint32_t longest = 0;
    for (uint32_t class = 0; class < language->n_classes; class ++) {
        uint16_t target = language->next[(size_t)state * language->n_classes + class];
        if (target == LANGUAGE_DEAD || language->distance[target] == LANGUAGE_INFINITE) continue;
        if (language->most[target] + 1 > longest) longest = language->most[target] + 1;
        words += (uint64_t)plain[class] * language->words[target];
    }
    language->most[state] = longest;
    language->words[state] = words < LANGUAGE_PLENTY ? (uint16_t)words : LANGUAGE_PLENTY;
}

/* The longest way to a wanted end: states are taken off in the order in which all their live
 * successors are known; those never taken off lead round a circle. */
static bool longest_paths(struct language *language, const struct edges *edges) {
    uint32_t n = language->n_states, classes = language->n_classes, top = 0;
    uint32_t plain[256];
    uint32_t *open = calloc(n + 1, sizeof *open), *ready = malloc((n + 1) * sizeof *ready);
    if (!open || !ready) {
        free(open);
        free(ready);
        return false;
    }
    count_plain(language, plain);
    for (uint32_t i = 0; i < n; i++) {
        language->most[i] = LANGUAGE_INFINITE;
        language->words[i] = LANGUAGE_PLENTY;
        for (uint32_t class = 0; class < classes; class ++) {
            uint16_t target = language->next[(size_t)i * classes + class];
            open[i] += target != LANGUAGE_DEAD && language->distance[target] != LANGUAGE_INFINITE;
        }
        if (open[i] == 0) ready[top++] = i;
    }
    while (top) {
        uint32_t state = ready[--top];
        measure_state(language, state, plain);
        if (language->distance[state] == LANGUAGE_INFINITE) continue;
        for (uint32_t e = edges->first[state]; e < edges->first[state + 1]; e++)
            if (--open[edges->sources[e]] == 0) ready[top++] = edges->sources[e];
    }
    free(open);
    free(ready);
    return true;
}

/* Cuts off transitions to states from which no wanted end is reached. */
static void prune(struct language *language) {
    for (size_t i = 0; i < (size_t)language->n_states * language->n_classes; i++) {
        uint16_t *next = &language->next[i];
        if (*next != LANGUAGE_DEAD && language->distance[*next] == LANGUAGE_INFINITE)
            *next = LANGUAGE_DEAD;
    }
}

/* After prune: the bytes of the shortest character that any state takes. */
static uint8_t cheapest(const struct language *language) {
    uint8_t least = UINT8_MAX;
    for (uint32_t class = 0; class < language->n_classes; class ++)
        for (uint32_t i = class;
             language->cost[class] < least && i < language->n_states * language->n_classes;
             i += language->n_classes)
            if (language->next[i] != LANGUAGE_DEAD) least = language->cost[class];
    return least < UINT8_MAX ? least : 1;
}

static void sort_leads(struct language *language) {
    memset(language->lead, LANGUAGE_NO_CLASS, sizeof language->lead);
    for (uint32_t byte = 0xC2; byte < 0xF5; byte++) {
        uint32_t shift = byte < 0xE0 ? 6 : byte < 0xF0 ? 12 : 18;
        uint32_t from = (byte & (0xFFu >> (byte < 0xE0 ? 3 : byte < 0xF0 ? 4 : 5))) << shift;
        uint32_t to = from + (1u << shift) - 1;
        uint8_t classes[2];
        if (byte == 0xE0) from = 0x800;
        if (byte == 0xED) to = 0xD7FF;
        if (byte == 0xF0) from = 0x10000;
        if (byte == 0xF4) to = 0x10FFFF;
        if (language_classes(language, from, to, classes, 0, 2) == 1)
            language->lead[byte - 0xC0] = classes[0];
    }
}

static bool measure(struct language *language, bool (*wanted)(uint32_t label, const void *user),
                    const void *user) {
    uint32_t n = language->n_states;
    struct edges edges = {0};
    language->wanted = malloc(n * sizeof *language->wanted);
    language->distance = malloc(n * sizeof *language->distance);
    language->least = malloc(n * sizeof *language->least);
    language->most = malloc(n * sizeof *language->most);
    language->words = malloc(n * sizeof *language->words);
    bool done = language->wanted && language->distance && language->least && language->most &&
                language->words;
    for (uint32_t i = 0; done && i < n; i++)
        language->wanted[i] =
            language->labels[i] != LANGUAGE_INFINITE && wanted(language->labels[i], user);
    done = done && edges_build(language, &edges) &&
           shortest_paths(language, &edges, language->distance, true) &&
           shortest_paths(language, &edges, language->least, false) &&
           longest_paths(language, &edges);
    edges_free(&edges);
    return done;
}

bool language_finish(struct language *language, bool (*wanted)(uint32_t label, const void *user),
                     const void *user) {
    if (!measure(language, wanted, user)) return false;
    prune(language);
    language->cheapest = cheapest(language);
    sort_leads(language);
    language->plenty = true;
    for (uint32_t i = 0; i < language->n_states; i++)
        if (language->distance[i] != LANGUAGE_INFINITE && language->words[i] != LANGUAGE_PLENTY)
            language->plenty = false;
    return language_find_open(language);
}

uint32_t language_count(const struct language *language,
                        bool (*wanted)(uint32_t label, const void *user), const void *user) {
    struct language copy = *language;
    copy.wanted = NULL;
    copy.distance = copy.least = copy.most = NULL;
    copy.words = NULL;
    bool some = measure(&copy, wanted, user) && copy.distance[0] != LANGUAGE_INFINITE;
    uint32_t count = some ? copy.words[0] : 0;
    free_measures(&copy);
    return count;
}

uint32_t language_label(const struct language *language, const char *text, uint32_t len) {
    uint16_t state = 0;
    for (uint32_t at = 0; at < len;) {
        uint32_t character;
        size_t n = utf8_decode(text + at, len - at, &character);
        if (n == 0) return LANGUAGE_INFINITE;
        state = language_step(language, state, character);
        if (state == LANGUAGE_DEAD) return LANGUAGE_INFINITE;
        at += (uint32_t)n;
    }
    return language->labels[state];
}

/* By induction on the length: every length that a state claims is one that it ends with, or one
 * less of a successor. */
static bool covers(const struct language *language, uint32_t state) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    uint64_t reached = language->wanted[state] ? 0 : language->least[state];
    bool grown = true;
    while (grown) {
        grown = false;
        for (uint32_t class = 0; class < language->n_classes; class ++) {
            uint16_t target = next[class];
            if (target == LANGUAGE_DEAD) continue;
            if (language->most[target] == LANGUAGE_INFINITE) {
                if (language->least[target] <= reached) return true;
                continue;
            }
            if (language->least[target] > reached || language->most[target] < reached) continue;
            reached = (uint64_t)language->most[target] + 1;
            grown = true;
        }
    }
    return language->most[state] != LANGUAGE_INFINITE && reached >= language->most[state];
}

bool language_gapless(const struct language *language) {
    for (uint32_t i = 0; i < language->n_states; i++)
        if (language->distance[i] != LANGUAGE_INFINITE && !covers(language, i)) return false;
    return true;
}
