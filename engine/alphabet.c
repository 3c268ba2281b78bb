#include "engine/alphabet.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PLACES = 1 << 14, LAST = 0x110000 };

void alphabet_free(struct alphabet *alphabet) {
    free(alphabet->bounds);
    free(alphabet->classes);
    free(alphabet->first);
    free(alphabet->next);
    free(alphabet->reach);
    free(alphabet->left);
    *alphabet = (struct alphabet){0};
}

static uint32_t interval_of(const struct alphabet *alphabet, uint32_t character) {
    uint32_t low = 0, high = alphabet->n_bounds;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (alphabet->bounds[middle] <= character)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t interval_end(const struct alphabet *alphabet, uint32_t interval) {
    return interval + 1 < alphabet->n_bounds ? alphabet->bounds[interval + 1] : LAST;
}

uint32_t alphabet_cost(const struct alphabet *alphabet, uint32_t class) {
    uint32_t c = alphabet->first[class];
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* The character of [from, end) that one would rather read: a letter, a digit, what is printed. All
 * are among the shortest of their class. */
static uint32_t pleasant(uint32_t from, uint32_t end, uint32_t otherwise) {
    static const uint8_t wanted[][2] = {{'a', 'z'}, {'0', '9'}, {'A', 'Z'}, {' ', '~'}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        uint32_t first = from > wanted[i][0] ? from : wanted[i][0];
        bool better = otherwise >= 0x80 || otherwise < wanted[i][0] || otherwise > wanted[i][1];
        if (first < end && first <= wanted[i][1]) return first;
        if (!better) return otherwise;
    }
    return from < otherwise ? from : otherwise;
}

/* ---- places ---- */

struct builder {
    struct alphabet *alphabet;
    uint16_t (*uniform)[4]; /* [class][left]: the place where only that class can come */
    enum alphabet_result result;
};

static bool grow(struct alphabet *alphabet) {
    uint32_t cap = alphabet->cap_places ? alphabet->cap_places * 2 : 64;
    uint16_t(*next)[64] = realloc(alphabet->next, cap * sizeof *next);
    if (next) alphabet->next = next;
    uint64_t *reach = realloc(alphabet->reach, (size_t)cap * alphabet->words * sizeof *reach);
    if (reach) alphabet->reach = reach;
    uint8_t *left = realloc(alphabet->left, cap);
    if (left) alphabet->left = left;
    if (next && reach && left) alphabet->cap_places = cap;
    return next && reach && left;
}

static uint16_t add_place(struct builder *b, unsigned left) {
    struct alphabet *alphabet = b->alphabet;
    if (alphabet->n_places >= MAX_PLACES) b->result = ALPHABET_TOO_LARGE;
    if (b->result != ALPHABET_OK) return ALPHABET_NONE;
    if (alphabet->n_places == alphabet->cap_places && !grow(alphabet)) {
        b->result = ALPHABET_MEMORY;
        return ALPHABET_NONE;
    }
    uint32_t place = alphabet->n_places++;
    memset(alphabet->next[place], 0xFF, sizeof *alphabet->next);
    memset(alphabet->reach + (size_t)place * alphabet->words, 0,
           alphabet->words * sizeof *alphabet->reach);
    alphabet->left[place] = (uint8_t)left;
    return (uint16_t)place;
}

static void lead_to(struct alphabet *alphabet, uint16_t place, unsigned at, uint32_t target) {
    uint64_t *reach = alphabet->reach + (size_t)place * alphabet->words;
    alphabet->next[place][at] = (uint16_t)target;
    if (target == ALPHABET_NONE) return;
    if (!(target & ALPHABET_PLACE)) {
        reach[target / 64] |= 1ull << target % 64;
        return;
    }
    const uint64_t *below = alphabet->reach + (size_t)(target & ~ALPHABET_PLACE) * alphabet->words;
    for (uint32_t i = 0; i < alphabet->words; i++) reach[i] |= below[i];
}

/* What the 64^left characters from `from` on lead to, with `left` continuation bytes to come. Those
 * before `least` would be written too long. */
static uint32_t build(struct builder *b, uint32_t from, unsigned left, uint32_t least) {
    struct alphabet *alphabet = b->alphabet;
    uint32_t span = 1u << 6 * left, interval = interval_of(alphabet, from);
    if (from + span <= least || from >= LAST || b->result != ALPHABET_OK) return ALPHABET_NONE;
    uint16_t class = alphabet->classes[interval];
    if (left == 0) return class;
    bool uniform = from >= least && interval_end(alphabet, interval) >= from + span;
    if (uniform && class == ALPHABET_NO_CLASS) return ALPHABET_NONE;
    if (uniform && b->uniform[class][left]) return b->uniform[class][left];
    uint32_t targets[64], found = 0;
    for (unsigned i = 0; i < 64; i++) {
        targets[i] = build(b, from + (i << 6 * (left - 1)), left - 1, least);
        found += targets[i] != ALPHABET_NONE;
    }
    if (!found) return ALPHABET_NONE;
    uint16_t place = add_place(b, left);
    if (place == ALPHABET_NONE) return ALPHABET_NONE;
    for (unsigned i = 0; i < 64; i++) lead_to(alphabet, place, i, targets[i]);
    if (uniform) b->uniform[class][left] = (uint16_t)(place | ALPHABET_PLACE);
    return place | ALPHABET_PLACE;
}

static void build_leads(struct builder *b) {
    struct alphabet *alphabet = b->alphabet;
    add_place(b, 0); /* number 0 is the start */
    for (unsigned byte = 0; byte < 128; byte++)
        alphabet->ascii[byte] = (uint16_t)build(b, byte, 0, 0);
    for (unsigned byte = 0x80; byte < 0x100; byte++) {
        uint32_t target = ALPHABET_NONE;
        if (byte >= 0xC2 && byte < 0xE0) target = build(b, (byte & 0x1Fu) << 6, 1, 0x80);
        if (byte >= 0xE0 && byte < 0xF0) target = build(b, (byte & 0xFu) << 12, 2, 0x800);
        if (byte >= 0xF0 && byte < 0xF5) target = build(b, (byte & 7u) << 18, 3, 0x10000);
        alphabet->lead[byte - 0x80] = (uint16_t)target;
    }
}

enum alphabet_result alphabet_build(struct alphabet *alphabet, uint32_t *bounds, uint16_t *classes,
                                    uint32_t n_bounds, uint32_t n_classes) {
    struct builder b = {.alphabet = alphabet};
    *alphabet = (struct alphabet){.bounds = bounds,
                                  .classes = classes,
                                  .n_bounds = n_bounds,
                                  .n_classes = n_classes,
                                  .words = (n_classes + 63) / 64};
    if (n_classes > ALPHABET_CLASSES) return ALPHABET_TOO_LARGE;
    if (!alphabet->words) alphabet->words = 1;
    b.uniform = calloc(n_classes + 1, sizeof *b.uniform);
    alphabet->first = malloc((n_classes + 1) * sizeof *alphabet->first);
    if (!b.uniform || !alphabet->first) b.result = ALPHABET_MEMORY;
    if (alphabet->first) memset(alphabet->first, 0xFF, (n_classes + 1) * sizeof *alphabet->first);
    for (uint32_t i = n_bounds; alphabet->first && i-- > 0;)
        if (classes[i] != ALPHABET_NO_CLASS) {
            uint32_t *first = &alphabet->first[classes[i]];
            *first = pleasant(bounds[i], interval_end(alphabet, i), *first);
        }
    if (b.result == ALPHABET_OK) build_leads(&b);
    free(b.uniform);
    return b.result;
}
