/* words: sorted lists of byte strings, read one byte at a time.
 *
 * Keys, enum values and tool names are lists in one pool. A reader holds the
 * range [lo, hi) of a list whose words begin with the `pos` bytes read so far: a
 * trie walk without a trie. Internal to constrained decoding; immutable once
 * the lists are sorted.
 */
#ifndef ENGINE_WORDS_H
#define ENGINE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct word {
    uint32_t text; /* offset in the pool */
    uint32_t len;
    uint32_t value; /* what the owner of the list wants to know: a property, a tool */
};

struct words {
    char *bytes;
    uint32_t n_bytes, cap_bytes;
    struct word *list;
    uint32_t n, cap;
};

#define WORDS_MAX_BYTES (64u << 20)

/* Appends a word to the list under construction (the last one). False when memory or the pool's
 * limit is exceeded. */
bool words_add(struct words *words, const char *text, uint32_t len, uint32_t value);
/* Sorts the list [first, words->n) bytewise and drops later duplicates. Returns its length. */
uint32_t words_sort(struct words *words, uint32_t first);
/* Appends the n words from `first` on once more, each without its last byte: a list of its own, sorted
 * if they are so, too. */
bool words_cut(struct words *words, uint32_t first, uint32_t n);
void words_free(struct words *words);

static inline const char *word_text(const struct words *words, uint32_t i) {
    return words->bytes + words->list[i].text;
}

/* Keeps the words of [*lo, *hi), which agree in their first pos bytes, that have `byte` next. False
 * if there is none. */
bool words_narrow(const struct words *words, uint32_t *lo, uint32_t *hi, uint32_t pos,
                  unsigned char byte);

#endif
