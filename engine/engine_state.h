/* engine_state: what the engine's own files share; not for other layers. */
#ifndef ENGINE_ENGINE_STATE_H
#define ENGINE_ENGINE_STATE_H

#include <stdatomic.h>

#include "engine/chat.h"
#include "engine/disk.h"
#include "engine/engine.h"
#include "engine/forward.h"
#include "engine/grammar_cache.h"
#include "engine/prefix.h"
#include "engine/trie.h"

enum { CHOSEN_SHARE = 8 }; /* where a grammar leaves less than 1 / CHOSEN_SHARE of the tokens, no
                              other logits are computed */

struct generation_list {
    struct generation *first, *last;
    size_t n;
};

struct counters { /* written by the engine thread, read by any */
    atomic_uint_fast64_t active, queued, prompt_tokens, cached_tokens, completion_tokens, forced_tokens,
        steps, generations, blocks_used, blocks_total, entries, hits, misses, evictions;
    atomic_uint_fast64_t disk_bytes, disk_read, disk_written, disk_rejected, disk_failed;
    atomic_int_fast64_t last_token_ns;
};

struct engine {
    /* Immutable after engine_new. */
    struct gguf *gguf;
    struct vocab *vocab;
    struct trie *trie;
    struct model *model;
    const struct kernels *kernels;
    struct chat chat;
    struct engine_info info;
    char *alias;
    char cache_problem[320];
    uint64_t *free_mask; /* bit i: token i may be put out where no grammar says otherwise */
    uint32_t *end_tokens;
    size_t n_end_tokens;
    uint32_t max_active, batch_rows;
    uint32_t draft_max;  /* tokens drafted in a pass, beside one for each generation; 0: none at all */
    uint32_t max_logits; /* rows of a pass that may have logits */
    struct grammar_cache *grammars; /* locks itself */
    /* Of the engine thread. */
    struct pool *pool;
    struct kv kv;
    struct prefix *prefix;
    struct disk *disk;        /* NULL: memory only */
    struct generation *asker; /* for which the disk is being read, or NULL */
    bool has_wake;
    int64_t block_ns;         /* what computing a block of prompt takes; 0: not known yet */
    struct forward *forward;
    struct generation_list queue, active;
    uint64_t reserved_blocks; /* what the active generations may come to need */
    float *logits;            /* [max_logits][n_vocab] while busy: rows of all tokens from the first on, of few
                                 tokens from the last down */
    uint32_t *chosen;         /* [max_logits][n_vocab / CHOSEN_SHARE] beside them */
    uint32_t n_full, n_few;   /* such rows of this pass */
    uint64_t *mask;           /* [(n_vocab + 63) / 64] */
    struct row *rows;         /* [batch_rows] */
    struct counters counters;
};

#endif
