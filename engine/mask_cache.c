#include "engine/mask_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/held.h"

struct entry {
    uint64_t state;
    uint32_t *list; /* tokens, if few */
    uint64_t *bits; /* else */
    uint32_t count;
    bool used;
};

struct mask_cache {
    pthread_mutex_t lock;
    const void *trie;
    struct entry *entries; /* open addressing, at most half full */
    uint32_t n, cap;
    size_t budget, bytes;
};

struct mask_cache *mask_cache_new(size_t budget) {
    struct mask_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    cache->budget = budget;
    return cache;
}

static void clear(struct mask_cache *cache) {
    for (uint32_t i = 0; i < cache->cap; i++) {
        free(cache->entries[i].list);
        free(cache->entries[i].bits);
    }
    if (cache->cap) memset(cache->entries, 0, cache->cap * sizeof *cache->entries);
    cache->n = 0;
    cache->bytes = 0;
}

void mask_cache_free(struct mask_cache *cache) {
    if (!cache) return;
    clear(cache);
    free(cache->entries);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

size_t mask_cache_bytes(struct mask_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    size_t bytes = held(cache) + held(cache->entries) + cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

/* The entry of a state, or the free one where it belongs. cap is not 0. */
static struct entry *find(const struct mask_cache *cache, uint64_t state) {
    uint32_t at = (uint32_t)(state >> 20) & (cache->cap - 1);
    while (cache->entries[at].used && cache->entries[at].state != state)
        at = (at + 1) & (cache->cap - 1);
    return &cache->entries[at];
}

static bool grow(struct mask_cache *cache) {
    struct mask_cache larger = {.cap = cache->cap ? cache->cap * 2 : 64};
    larger.entries = calloc(larger.cap, sizeof *larger.entries);
    if (!larger.entries) return false;
    for (uint32_t i = 0; i < cache->cap; i++)
        if (cache->entries[i].used) *find(&larger, cache->entries[i].state) = cache->entries[i];
    free(cache->entries);
    cache->entries = larger.entries;
    cache->cap = larger.cap;
    return true;
}

static void copy_mask(const struct entry *entry, uint64_t *bits, uint32_t n_words) {
    if (entry->bits) {
        memcpy(bits, entry->bits, n_words * sizeof *bits);
        return;
    }
    memset(bits, 0, n_words * sizeof *bits);
    for (uint32_t i = 0; i < entry->count; i++)
        bits[entry->list[i] >> 6] |= 1ull << (entry->list[i] & 63);
}

bool mask_cache_get(struct mask_cache *cache, const void *trie, uint64_t state, uint64_t *bits,
                    uint32_t n_words, uint32_t *count) {
    pthread_mutex_lock(&cache->lock);
    const struct entry *entry = cache->cap && cache->trie == trie ? find(cache, state) : NULL;
    bool found = entry && entry->used;
    if (found) {
        copy_mask(entry, bits, n_words);
        *count = entry->count;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

static bool fill_entry(struct entry *entry, const uint64_t *bits, uint32_t n_words) {
    if (entry->count > n_words) {
        entry->bits = malloc(n_words * sizeof *bits);
        if (entry->bits) memcpy(entry->bits, bits, n_words * sizeof *bits);
        return entry->bits;
    }
    entry->list = malloc((entry->count + 1) * sizeof *entry->list);
    if (!entry->list) return false;
    uint32_t n = 0;
    for (uint32_t word = 0; word < n_words; word++)
        for (uint64_t rest = bits[word]; rest; rest &= rest - 1)
            entry->list[n++] = word * 64 + (uint32_t)__builtin_ctzll(rest);
    return true;
}

static void put(struct mask_cache *cache, uint64_t state, const uint64_t *bits, uint32_t n_words,
                uint32_t count) {
    size_t bytes = count > n_words ? n_words * sizeof *bits : (count + 1) * sizeof(uint32_t);
    bytes += 2 * sizeof(struct entry);
    if (bytes > cache->budget) return;
    if (cache->bytes + bytes > cache->budget) clear(cache);
    if ((cache->n + 1) * 2 > cache->cap && !grow(cache)) return;
    struct entry *entry = find(cache, state);
    struct entry made = {.state = state, .count = count, .used = true};
    if (entry->used || !fill_entry(&made, bits, n_words)) return;
    *entry = made;
    cache->n++;
    cache->bytes += bytes;
}

void mask_cache_put(struct mask_cache *cache, const void *trie, uint64_t state,
                    const uint64_t *bits, uint32_t n_words, uint32_t count) {
    pthread_mutex_lock(&cache->lock);
    if (!cache->trie) cache->trie = trie;
    if (cache->trie == trie) put(cache, state, bits, n_words, count);
    pthread_mutex_unlock(&cache->lock);
}
