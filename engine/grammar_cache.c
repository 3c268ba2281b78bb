#include "engine/grammar_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct form *form; /* with a reference */
    size_t bytes;
};

struct grammar_cache {
    pthread_mutex_t lock;
    struct entry entries[GRAMMAR_CACHE_ENTRIES]; /* the last used first */
    size_t n, bytes, budget;
    uint64_t hits, misses;
};

struct grammar_cache *grammar_cache_new(size_t budget) {
    struct grammar_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    cache->budget = budget;
    return cache;
}

void grammar_cache_free(struct grammar_cache *cache) {
    if (!cache) return;
    for (size_t i = 0; i < cache->n; i++) form_unref(cache->entries[i].form);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* ---- under the lock ---- */

static size_t find(const struct grammar_cache *cache, const struct form_key *key) {
    size_t i = 0;
    while (i < cache->n && !form_key_same(&cache->entries[i].form->key, key)) i++;
    return i;
}

/* Entry i, or the free place i, becomes the first. */
static void move_up(struct grammar_cache *cache, size_t i, struct entry entry) {
    memmove(cache->entries + 1, cache->entries, i * sizeof *cache->entries);
    cache->entries[0] = entry;
}

static struct form *take_out(struct grammar_cache *cache, size_t i) {
    struct entry entry = cache->entries[i];
    cache->n--;
    cache->bytes -= entry.bytes;
    memmove(cache->entries + i, cache->entries + i + 1, (cache->n - i) * sizeof entry);
    return entry.form;
}

/* What has to go, one at a time, for its memory is given back without the lock. A form that is too
 * large by itself (entry `grown`) is not what the others have to make room for. */
static struct form *take_excess(struct grammar_cache *cache, size_t grown) {
    if (grown < cache->n && cache->entries[grown].bytes > cache->budget)
        return take_out(cache, grown);
    return cache->bytes > cache->budget ? take_out(cache, cache->n - 1) : NULL;
}

/* ---- for all ---- */

struct form *grammar_cache_get(struct grammar_cache *cache, const struct form_key *key) {
    struct form *form = NULL;
    pthread_mutex_lock(&cache->lock);
    size_t i = find(cache, key);
    if (i < cache->n) {
        form = form_ref(cache->entries[i].form);
        move_up(cache, i, cache->entries[i]);
    }
    cache->hits += form != NULL;
    cache->misses += form == NULL;
    pthread_mutex_unlock(&cache->lock);
    return form;
}

void grammar_cache_put(struct grammar_cache *cache, struct form *form) {
    struct form *last = NULL;
    size_t bytes = form_bytes(form);
    if (bytes > cache->budget) return;
    pthread_mutex_lock(&cache->lock);
    if (find(cache, &form->key) == cache->n) { /* else another thread was faster */
        if (cache->n == GRAMMAR_CACHE_ENTRIES) last = take_out(cache, cache->n - 1);
        move_up(cache, cache->n, (struct entry){form_ref(form), 0});
        cache->n++;
    }
    pthread_mutex_unlock(&cache->lock);
    form_unref(last);
    grammar_cache_release(cache, form_ref(form)); /* counts it */
}

void grammar_cache_release(struct grammar_cache *cache, struct form *form) {
    if (!form) return;
    size_t bytes = form_bytes(form), i = 0;
    struct form *excess = NULL;
    bool sound = form_sound(form);
    pthread_mutex_lock(&cache->lock);
    while (i < cache->n && cache->entries[i].form != form) i++;
    if (i < cache->n) {
        cache->bytes += bytes - cache->entries[i].bytes;
        cache->entries[i].bytes = bytes;
        excess = sound ? take_excess(cache, i) : take_out(cache, i);
    }
    while (excess) {
        pthread_mutex_unlock(&cache->lock);
        form_unref(excess);
        pthread_mutex_lock(&cache->lock);
        excess = take_excess(cache, cache->n);
    }
    pthread_mutex_unlock(&cache->lock);
    form_unref(form);
}

void grammar_cache_count(struct grammar_cache *cache, struct grammar_cache_stats *stats) {
    pthread_mutex_lock(&cache->lock);
    *stats = (struct grammar_cache_stats){cache->n, cache->bytes, cache->hits, cache->misses};
    pthread_mutex_unlock(&cache->lock);
}
