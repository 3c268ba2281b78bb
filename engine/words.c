#include "engine/words.h"

#include <stdlib.h>
#include <string.h>

#include "engine/vector.h"

bool words_add(struct words *words, const char *text, uint32_t len, uint32_t value) {
    if (len > WORDS_MAX_BYTES - words->n_bytes) return false;
    if (!vector_reserve((void **)&words->bytes, &words->cap_bytes, words->n_bytes + len, 1) ||
        !vector_reserve((void **)&words->list, &words->cap, words->n + 1, sizeof *words->list))
        return false;
    if (len) memcpy(words->bytes + words->n_bytes, text, len);
    words->list[words->n++] = (struct word){.text = words->n_bytes, .len = len, .value = value};
    words->n_bytes += len;
    return true;
}

static int compare(const struct words *words, const struct word *a, const struct word *b) {
    uint32_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(words->bytes + a->text, words->bytes + b->text, common);
    if (order) return order;
    return a->len < b->len ? -1 : a->len > b->len;
}

/* Merge sort: stable, so that of equal words the first stays, and never quadratic. */
static void merge_sort(const struct words *words, struct word *list, struct word *spare,
                       uint32_t n) {
    if (n < 2) return;
    uint32_t half = n / 2, i = 0, j = half;
    merge_sort(words, list, spare, half);
    merge_sort(words, list + half, spare, n - half);
    if (compare(words, &list[half - 1], &list[half]) <= 0) return;
    memcpy(spare, list, half * sizeof *list);
    for (uint32_t out = 0; i < half; out++) {
        bool second = j < n && compare(words, &list[j], &spare[i]) < 0;
        list[out] = second ? list[j++] : spare[i++];
    }
}

uint32_t words_sort(struct words *words, uint32_t first) {
    uint32_t n = words->n - first, kept = 0;
    if (n == 0) return 0;
    struct word *list = words->list + first;
    struct word few[16], *spare = n / 2 <= 16 ? few : malloc(n / 2 * sizeof *spare);
    if (!spare) return 0;
    merge_sort(words, list, spare, n);
    if (spare != few) free(spare);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || compare(words, &list[kept - 1], &list[i]) != 0) list[kept++] = list[i];
    words->n = first + kept;
    return kept;
}

bool words_cut(struct words *words, uint32_t first, uint32_t n) {
    if (!vector_reserve((void **)&words->list, &words->cap, words->n + n, sizeof *words->list))
        return false;
    for (uint32_t i = first; i < first + n; i++) {
        words->list[words->n] = words->list[i];
        words->list[words->n++].len--;
    }
    return true;
}

void words_free(struct words *words) {
    free(words->bytes);
    free(words->list);
    *words = (struct words){0};
}

/* The first word of [lo, hi) whose byte at pos is at least `byte`; a word that ends there counts as
 * less than any byte. */
static uint32_t lower_bound(const struct words *words, uint32_t lo, uint32_t hi, uint32_t pos,
                            unsigned byte) {
    while (lo < hi) {
        uint32_t middle = lo + (hi - lo) / 2;
        const struct word *word = &words->list[middle];
        bool less = word->len <= pos || (unsigned char)words->bytes[word->text + pos] < byte;
        if (less)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

bool words_narrow(const struct words *words, uint32_t *lo, uint32_t *hi, uint32_t pos,
                  unsigned char byte) {
    if (*hi - *lo == 1) {
        const struct word *word = &words->list[*lo];
        return word->len > pos && (unsigned char)words->bytes[word->text + pos] == byte;
    }
    uint32_t first = lower_bound(words, *lo, *hi, pos, byte);
    uint32_t end = lower_bound(words, first, *hi, pos, byte + 1u);
    *lo = first;
    *hi = end;
    return first < end;
}
