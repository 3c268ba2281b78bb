/* kv: the pool of KV blocks, and sequences made of them.
 *
 * A block holds keys and values of KV_TILE (32) positions for all layers and KV
 * heads, in f16: per layer and head a key tile [head_dim][32] (dim-major, so that
 * positions are SIMD lanes) and a value tile [32][head_dim]. Blocks are allocated
 * lazily under one budget and reference counted: sequences and the prefix cache
 * hold references. A block with more than one holder is read-only. Owned by the
 * engine thread.
 */
#ifndef ENGINE_KV_H
#define ENGINE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/model.h"
#include "kernels/kernels.h"

enum { KV_ALIGN = 64 };

struct kv_block {
    uint16_t *data; /* KV_ALIGN-aligned, in `memory` */
    void *memory;
    uint32_t refs;
    struct kv_block *next_free;
};

struct kv {
    uint32_t n_head_kv, head_dim;
    size_t block_values;     /* f16 values a block */
    uint32_t max_blocks, n_blocks; /* budget; allocated so far (free ones included) */
    uint32_t n_used;         /* blocks with refs > 0 */
    struct kv_block *free;
};

size_t kv_block_bytes(const struct model *model);
void kv_init(struct kv *kv, const struct model *model, uint64_t budget_bytes);
void kv_deinit(struct kv *kv); /* every block must be free */

/* A free block with one reference, or NULL when the budget (or memory) is used up. */
struct kv_block *kv_take(struct kv *kv);
void kv_ref(struct kv_block *block);
void kv_unref(struct kv *kv, struct kv_block *block);

static inline uint16_t *kv_keys(const struct kv *kv, const struct kv_block *block, uint32_t layer,
                                uint32_t head) {
    return block->data + ((size_t)layer * kv->n_head_kv + head) * 2 * KV_TILE * kv->head_dim;
}

static inline uint16_t *kv_values(const struct kv *kv, const struct kv_block *block, uint32_t layer,
                                  uint32_t head) {
    return kv_keys(kv, block, layer, head) + (size_t)KV_TILE * kv->head_dim;
}

/* Positions 0..n_tokens-1 of one running context. */
struct sequence {
    struct kv_block **blocks;
    uint32_t n_blocks, cap_blocks;
    uint32_t n_tokens; /* positions filled */
};

/* Makes room for positions up to n_tokens, taking blocks by `take` (which may evict). False when no
 * block can be had: the sequence is as before. */
bool sequence_reserve(struct sequence *sequence, uint32_t n_tokens,
                      struct kv_block *(*take)(void *user), void *user);
/* Forgets the positions from n_tokens on; what is written there next goes to blocks of its own, one of
 * which may have to be taken. False when it can't be had. */
bool sequence_cut(struct kv *kv, struct sequence *sequence, uint32_t n_tokens,
                  struct kv_block *(*take)(void *user), void *user);
/* Appends a block (its reference moves to the sequence). */
bool sequence_push(struct sequence *sequence, struct kv_block *block);
void sequence_clear(struct kv *kv, struct sequence *sequence);

#endif
