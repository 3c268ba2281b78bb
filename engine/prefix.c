#include "engine/prefix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/hash.h"

struct node {
    uint64_t hash; /* of the chain up to this block's end */
    uint32_t owner;
    uint32_t n;    /* tokens held, 1..KV_TILE; only leaves hold fewer than KV_TILE */
    uint32_t tokens[KV_TILE];
    struct kv_block *block;
    struct node *parent, *children, *sibling_next, *sibling_prev; /* parent NULL: a root block */
    struct node *bucket_next;
    struct node *lru_next, *lru_prev; /* every node; the least recently used first */
    struct node *fresh_next, *fresh_prev; /* while `fresh` */
    bool used_again, pinned;
    bool fresh;      /* a full node: to be kept on disk */
    int64_t kept_ns; /* when it was seen there last; 0: never */
};

struct prefix {
    struct kv *kv;
    uint64_t fingerprint;
    struct node **buckets; /* full nodes by hash */
    size_t n_buckets, n_hashed;
    struct node *roots;    /* children of no node, all owners */
    struct node *lru_first, *lru_last;
    struct node *fresh_first, *fresh_last; /* parents before their children */
    struct prefix_stats stats;
};

enum { FIRST_BUCKETS = 256 };
/* What is used again after this long counts as used on disk too. */
static const int64_t KEPT_NS = INT64_C(600) * 1000000000;

struct prefix *prefix_new(struct kv *kv, uint64_t fingerprint) {
    struct prefix *prefix = calloc(1, sizeof *prefix);
    if (!prefix) return NULL;
    prefix->kv = kv;
    prefix->fingerprint = fingerprint;
    prefix->n_buckets = FIRST_BUCKETS;
    prefix->buckets = calloc(prefix->n_buckets, sizeof *prefix->buckets);
    if (prefix->buckets) return prefix;
    free(prefix);
    return NULL;
}

/* ---- hashes ------------------------------------------------------------------------ */

static uint64_t chain_start(const struct prefix *prefix, uint32_t owner) {
    return hash_mix(hash_mix(1, prefix->fingerprint), owner);
}

static uint64_t chain_extend(uint64_t hash, const uint32_t *tokens, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) hash = hash_mix(hash, tokens[i]);
    return hash;
}

void prefix_key(const struct prefix *prefix, char key[33], uint32_t owner, const uint32_t *tokens,
                uint32_t n) {
    uint64_t high = chain_extend(chain_start(prefix, owner), tokens, n);
    uint64_t low = chain_extend(hash_mix(2, chain_start(prefix, owner)), tokens, n);
    snprintf(key, 33, "%016" PRIx64 "%016" PRIx64, high, low);
}

/* ---- lists ------------------------------------------------------------------------- */

static void lru_remove(struct prefix *prefix, struct node *node) {
    *(node->lru_prev ? &node->lru_prev->lru_next : &prefix->lru_first) = node->lru_next;
    *(node->lru_next ? &node->lru_next->lru_prev : &prefix->lru_last) = node->lru_prev;
}

static void lru_append(struct prefix *prefix, struct node *node) {
    node->lru_prev = prefix->lru_last;
    node->lru_next = NULL;
    *(prefix->lru_last ? &prefix->lru_last->lru_next : &prefix->lru_first) = node;
    prefix->lru_last = node;
}

static void fresh_remove(struct prefix *prefix, struct node *node) {
    if (!node->fresh) return;
    *(node->fresh_prev ? &node->fresh_prev->fresh_next : &prefix->fresh_first) = node->fresh_next;
    *(node->fresh_next ? &node->fresh_next->fresh_prev : &prefix->fresh_last) = node->fresh_prev;
    node->fresh = false;
}

static void fresh_append(struct prefix *prefix, struct node *node) {
    if (node->fresh || node->n < KV_TILE) return;
    if (node->kept_ns && clock_ns() - node->kept_ns < KEPT_NS) return;
    node->fresh = true;
    node->fresh_prev = prefix->fresh_last;
    node->fresh_next = NULL;
    *(prefix->fresh_last ? &prefix->fresh_last->fresh_next : &prefix->fresh_first) = node;
    prefix->fresh_last = node;
}

static void touch(struct prefix *prefix, struct node *node) {
    lru_remove(prefix, node);
    lru_append(prefix, node);
}

static struct node **children_of(struct prefix *prefix, struct node *parent) {
    return parent ? &parent->children : &prefix->roots;
}

static void siblings_add(struct prefix *prefix, struct node *node) {
    struct node **head = children_of(prefix, node->parent);
    node->sibling_prev = NULL;
    node->sibling_next = *head;
    if (*head) (*head)->sibling_prev = node;
    *head = node;
}

static void siblings_remove(struct prefix *prefix, struct node *node) {
    struct node **head = children_of(prefix, node->parent);
    *(node->sibling_prev ? &node->sibling_prev->sibling_next : head) = node->sibling_next;
    if (node->sibling_next) node->sibling_next->sibling_prev = node->sibling_prev;
}

static void buckets_grow(struct prefix *prefix) {
    size_t n = prefix->n_buckets * 2;
    struct node **buckets = calloc(n, sizeof *buckets);
    if (!buckets) return; /* longer chains, nothing worse */
    for (size_t i = 0; i < prefix->n_buckets; i++)
        for (struct node *node = prefix->buckets[i], *next; node; node = next) {
            next = node->bucket_next;
            node->bucket_next = buckets[node->hash % n];
            buckets[node->hash % n] = node;
        }
    free(prefix->buckets);
    prefix->buckets = buckets;
    prefix->n_buckets = n;
}

static void hashed_add(struct prefix *prefix, struct node *node) {
    if (prefix->n_hashed++ >= prefix->n_buckets) buckets_grow(prefix);
    struct node **bucket = &prefix->buckets[node->hash % prefix->n_buckets];
    node->bucket_next = *bucket;
    *bucket = node;
}

static void hashed_remove(struct prefix *prefix, struct node *node) {
    struct node **at = &prefix->buckets[node->hash % prefix->n_buckets];
    while (*at != node) at = &(*at)->bucket_next;
    *at = node->bucket_next;
    prefix->n_hashed--;
}

/* ---- nodes ------------------------------------------------------------------------- */

static void node_remove(struct prefix *prefix, struct node *node) {
    if (node->n == KV_TILE) hashed_remove(prefix, node);
    siblings_remove(prefix, node);
    lru_remove(prefix, node);
    fresh_remove(prefix, node);
    kv_unref(prefix->kv, node->block);
    free(node);
    prefix->stats.entries--;
}

static struct node *node_add(struct prefix *prefix, struct node *parent, uint64_t hash, uint32_t owner,
                             const uint32_t *tokens, uint32_t n, struct kv_block *block) {
    struct node *node = calloc(1, sizeof *node);
    if (!node) return NULL;
    *node = (struct node){.hash = hash, .owner = owner, .n = n, .block = block, .parent = parent};
    memcpy(node->tokens, tokens, n * sizeof *tokens);
    kv_ref(block);
    siblings_add(prefix, node);
    if (n == KV_TILE) hashed_add(prefix, node);
    lru_append(prefix, node);
    prefix->stats.entries++;
    return node;
}

/* The full child of parent that holds exactly these KV_TILE tokens. */
static struct node *find_full(const struct prefix *prefix, const struct node *parent, uint64_t hash,
                              uint32_t owner, const uint32_t *tokens) {
    struct node *node = prefix->buckets[hash % prefix->n_buckets];
    for (; node; node = node->bucket_next)
        if (node->hash == hash && node->owner == owner && node->parent == parent &&
            memcmp(node->tokens, tokens, sizeof node->tokens) == 0)
            return node;
    return NULL;
}

static uint32_t common_prefix(const struct node *node, const uint32_t *tokens, uint32_t limit) {
    uint32_t n = node->n < limit ? node->n : limit, i = 0;
    while (i < n && node->tokens[i] == tokens[i]) i++;
    return i;
}

/* The child of parent that shares the most leading tokens; *n says how many. */
static struct node *find_partial(struct prefix *prefix, struct node *parent, uint32_t owner,
                                 const uint32_t *tokens, uint32_t limit, uint32_t *n) {
    struct node *best = NULL;
    *n = 0;
    for (struct node *node = *children_of(prefix, parent); node; node = node->sibling_next) {
        uint32_t common = node->owner == owner ? common_prefix(node, tokens, limit) : 0;
        if (common > *n) {
            best = node;
            *n = common;
        }
    }
    return best;
}

/* ---- look-up ----------------------------------------------------------------------- */

static bool share(struct prefix *prefix, struct sequence *sequence, struct node *node) {
    if (!sequence_push(sequence, node->block)) return false;
    kv_ref(node->block);
    sequence->n_tokens += KV_TILE;
    node->used_again = true;
    touch(prefix, node);
    return true;
}

static void copy_part(struct prefix *prefix, struct sequence *sequence, struct node *node, uint32_t n) {
    kv_ref(node->block); /* taking a block may evict this very node */
    struct kv_block *source = node->block, *copy;
    node->used_again = true;
    touch(prefix, node);
    copy = prefix_take(prefix);
    if (copy && sequence_push(sequence, copy)) {
        memcpy(copy->data, source->data, prefix->kv->block_values * sizeof *copy->data);
        sequence->n_tokens += n;
    } else if (copy) {
        kv_unref(prefix->kv, copy);
    }
    kv_unref(prefix->kv, source);
}

void prefix_lookup(struct prefix *prefix, struct sequence *sequence, uint32_t owner,
                   const uint32_t *tokens, uint32_t limit) {
    struct node *parent = NULL;
    uint64_t hash = chain_start(prefix, owner);
    uint32_t at = 0;
    for (; limit - at >= KV_TILE; at += KV_TILE) {
        uint64_t next_hash = chain_extend(hash, tokens + at, KV_TILE);
        struct node *next = find_full(prefix, parent, next_hash, owner, tokens + at);
        if (!next || !share(prefix, sequence, next)) break;
        parent = next;
        hash = next_hash;
    }
    uint32_t n;
    struct node *part = find_partial(prefix, parent, owner, tokens + at, limit - at, &n);
    if (part) copy_part(prefix, sequence, part, n);
    if (sequence->n_tokens) prefix->stats.hits++;
    else prefix->stats.misses++;
}

/* ---- storing ----------------------------------------------------------------------- */

/* A shorter partial leaf that the new tokens extend is superseded by them. */
static void drop_superseded(struct prefix *prefix, struct node *parent, uint32_t owner,
                            const uint32_t *tokens, uint32_t n) {
    for (struct node *node = *children_of(prefix, parent), *next; node; node = next) {
        next = node->sibling_next;
        if (node->owner == owner && node->n < KV_TILE && node->n <= n && !node->pinned &&
            common_prefix(node, tokens, n) == node->n)
            node_remove(prefix, node);
    }
}

/* The node of this prefix's next tokens, made if it is missing. NULL: no memory. */
static struct node *store_node(struct prefix *prefix, struct node *parent, uint64_t hash, uint32_t owner,
                               const uint32_t *tokens, uint32_t n, struct kv_block *block, bool keep) {
    uint32_t common;
    struct node *node = n == KV_TILE ? find_full(prefix, parent, hash, owner, tokens)
                                     : find_partial(prefix, parent, owner, tokens, n, &common);
    if (n < KV_TILE && node && common < n) node = NULL; /* none holds all of it */
    if (node) {
        touch(prefix, node);
        if (keep || node->used_again) fresh_append(prefix, node);
        return node;
    }
    drop_superseded(prefix, parent, owner, tokens, n);
    node = node_add(prefix, parent, hash, owner, tokens, n, block);
    if (node && keep) fresh_append(prefix, node);
    return node;
}

void prefix_store(struct prefix *prefix, const struct sequence *sequence, uint32_t owner,
                  const uint32_t *tokens, uint32_t n_tokens, unsigned how) {
    struct node *parent = NULL;
    uint64_t hash = chain_start(prefix, owner);
    for (uint32_t at = 0; at < n_tokens; at += KV_TILE) {
        uint32_t n = n_tokens - at < KV_TILE ? n_tokens - at : KV_TILE;
        hash = chain_extend(hash, tokens + at, n);
        parent = store_node(prefix, parent, hash, owner, tokens + at, n, sequence->blocks[at / KV_TILE],
                            how & PREFIX_PIN || (how & PREFIX_PROMPT && n_tokens >= PREFIX_LONG));
        if (!parent) return;
        parent->pinned |= how & PREFIX_PIN;
    }
}

/* ---- the disk's part ----------------------------------------------------------------- */

uint32_t prefix_missing(struct prefix *prefix, uint32_t owner, const uint32_t *tokens, uint32_t limit,
                        uint64_t *keys) {
    struct node *parent = NULL;
    uint64_t hash = chain_start(prefix, owner);
    uint32_t known = 0, n = limit / KV_TILE;
    bool missing = false;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *own = tokens + (size_t)i * KV_TILE;
        keys[i] = hash = chain_extend(hash, own, KV_TILE);
        struct node *node = missing ? NULL : find_full(prefix, parent, hash, owner, own);
        missing |= !node;
        if (missing) continue;
        touch(prefix, node);
        parent = node;
        known++;
    }
    return known;
}

void prefix_insert(struct prefix *prefix, uint32_t owner, const uint32_t *tokens, const uint64_t *keys,
                   struct kv_block *const *blocks, uint32_t first, uint32_t n) {
    struct node *parent = NULL;
    for (uint32_t i = 0; i < first + n; i++) {
        const uint32_t *own = tokens + (size_t)i * KV_TILE;
        struct node *node = find_full(prefix, parent, keys[i], owner, own);
        if (!node && i >= first)
            node = node_add(prefix, parent, keys[i], owner, own, KV_TILE, blocks[i - first]);
        if (!node) return; /* what they stand on was evicted meanwhile */
        if (i >= first) node->kept_ns = clock_ns();
        node->used_again |= i >= first;
        parent = node;
    }
}

/* How many full nodes from the root to this one. */
static uint32_t depth_of(const struct node *node) {
    uint32_t depth = 0;
    for (; node; node = node->parent) depth++;
    return depth;
}

bool prefix_next_fresh(struct prefix *prefix, struct prefix_run *run, uint32_t most) {
    struct node *node = prefix->fresh_first, *last = NULL;
    if (!node) return false;
    *run = (struct prefix_run){.owner = node->owner, .first = depth_of(node) - 1};
    for (; node && run->n < most && (!last || node->parent == last); node = prefix->fresh_first) {
        run->keys[run->n] = node->hash;
        run->blocks[run->n++] = node->block;
        kv_ref(node->block);
        fresh_remove(prefix, node);
        last = node;
    }
    run->tokens = malloc((size_t)(run->first + run->n) * KV_TILE * sizeof *run->tokens);
    uint32_t *end = run->tokens ? run->tokens + (size_t)(run->first + run->n) * KV_TILE : NULL;
    for (node = last; end && node; node = node->parent) memcpy(end -= KV_TILE, node->tokens, sizeof node->tokens);
    return true;
}

void prefix_mark_kept(struct prefix *prefix, uint64_t key, bool kept) {
    for (struct node *node = prefix->buckets[key % prefix->n_buckets]; node; node = node->bucket_next) {
        if (node->hash != key) continue;
        node->kept_ns = kept ? clock_ns() : 0;
        if (kept) fresh_remove(prefix, node);
    }
}

void prefix_mark_fresh(struct prefix *prefix, uint64_t key) {
    for (struct node *node = prefix->buckets[key % prefix->n_buckets]; node; node = node->bucket_next)
        if (node->hash == key) fresh_append(prefix, node);
}

void prefix_refresh(struct prefix *prefix) {
    for (struct node *node = prefix->roots; node;) { /* parents first */
        fresh_append(prefix, node);
        if (node->children) {
            node = node->children;
            continue;
        }
        while (node && !node->sibling_next) node = node->parent;
        if (node) node = node->sibling_next;
    }
}

/* ---- eviction ---------------------------------------------------------------------- */

/* Lower goes first. */
static int worth(const struct node *node) {
    return node->pinned ? 2 : node->used_again;
}

/* The least recently used leaf of the lowest worth. held: also one whose block a sequence holds. */
static struct node *find_victim(struct prefix *prefix, bool held) {
    struct node *victim = NULL;
    for (struct node *node = prefix->lru_first; node; node = node->lru_next) {
        if (node->children || (node->block->refs > 1 && !held)) continue;
        if (!victim || worth(node) < worth(victim)) victim = node;
        if (worth(victim) == 0) break;
    }
    return victim;
}

struct kv_block *prefix_take(struct prefix *prefix) {
    struct kv_block *block = kv_take(prefix->kv);
    while (!block) {
        struct node *victim = find_victim(prefix, false);
        /* Forgetting a held block frees none, but it may stand on some that nobody holds: a sequence that
         * computed its beginning itself while another one's was stored holds the end of such a chain. */
        if (!victim) victim = find_victim(prefix, true);
        if (!victim) return NULL;
        node_remove(prefix, victim);
        prefix->stats.evictions++;
        block = kv_take(prefix->kv);
    }
    return block;
}

struct prefix_stats prefix_stats(const struct prefix *prefix) {
    return prefix->stats;
}

void prefix_free(struct prefix *prefix) {
    if (!prefix) return;
    /* Children come before their parents nowhere in particular: take leaves until none is left. */
    while (prefix->lru_first) {
        struct node *node = prefix->lru_first;
        while (node->children) node = node->children;
        node_remove(prefix, node);
    }
    free(prefix->buckets);
    free(prefix);
}
