#include "engine/kv.h"

#include <stdlib.h>
#include <string.h>

static size_t block_values(const struct model *model) {
    return (size_t)model->n_layer * model->n_head_kv * 2 * KV_TILE * model->head_dim;
}

size_t kv_block_bytes(const struct model *model) {
    return block_values(model) * sizeof(uint16_t);
}

void kv_init(struct kv *kv, const struct model *model, uint64_t budget_bytes) {
    uint64_t blocks = budget_bytes / kv_block_bytes(model);
    *kv = (struct kv){
        .n_head_kv = model->n_head_kv,
        .head_dim = model->head_dim,
        .block_values = block_values(model),
        .max_blocks = blocks < 2 ? 2 : blocks > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)blocks,
    };
}

void kv_deinit(struct kv *kv) {
    while (kv->free) {
        struct kv_block *block = kv->free;
        kv->free = block->next_free;
        free(block->memory);
        free(block);
    }
}

static struct kv_block *block_new(const struct kv *kv) {
    struct kv_block *block = calloc(1, sizeof *block);
    size_t bytes = kv->block_values * sizeof *block->data;
    /* Slots are read only after they were written, but a whole tile is widened at once: it must hold
     * numbers, not what was there before. Fresh pages are zero; calloc does not touch them. */
    if (!block || !(block->memory = calloc(1, bytes + KV_ALIGN - 1))) {
        free(block);
        return NULL;
    }
    block->data = (uint16_t *)(((uintptr_t)block->memory + KV_ALIGN - 1) / KV_ALIGN * KV_ALIGN);
    return block;
}

struct kv_block *kv_take(struct kv *kv) {
    struct kv_block *block = kv->free;
    if (block) {
        kv->free = block->next_free;
    } else {
        if (kv->n_blocks >= kv->max_blocks || !(block = block_new(kv))) return NULL;
        kv->n_blocks++;
    }
    block->refs = 1;
    kv->n_used++;
    return block;
}

void kv_ref(struct kv_block *block) {
    block->refs++;
}

void kv_unref(struct kv *kv, struct kv_block *block) {
    if (--block->refs) return;
    if (kv->n_blocks > kv->max_blocks) { /* the budget was wider for a while */
        kv->n_blocks--;
        kv->n_used--;
        free(block->memory);
        free(block);
        return;
    }
    block->next_free = kv->free;
    kv->free = block;
    kv->n_used--;
}

bool sequence_push(struct sequence *sequence, struct kv_block *block) {
    if (sequence->n_blocks == sequence->cap_blocks) {
        uint32_t cap = sequence->cap_blocks ? sequence->cap_blocks * 2 : 16;
        struct kv_block **blocks = realloc(sequence->blocks, cap * sizeof *blocks);
        if (!blocks) return false;
        sequence->blocks = blocks;
        sequence->cap_blocks = cap;
    }
    sequence->blocks[sequence->n_blocks++] = block;
    return true;
}

bool sequence_reserve(struct sequence *sequence, uint32_t n_tokens,
                      struct kv_block *(*take)(void *user), void *user) {
    uint32_t need = (n_tokens + KV_TILE - 1) / KV_TILE;
    while (sequence->n_blocks < need) {
        struct kv_block *block = take(user);
        if (!block || !sequence_push(sequence, block)) return false;
    }
    return true;
}

bool sequence_cut(struct kv *kv, struct sequence *sequence, uint32_t n_tokens,
                  struct kv_block *(*take)(void *user), void *user) {
    uint32_t kept = n_tokens / KV_TILE;
    if (n_tokens >= sequence->n_tokens) return true;
    sequence->n_tokens = n_tokens;
    while (sequence->n_blocks > kept + 1) kv_unref(kv, sequence->blocks[--sequence->n_blocks]);
    struct kv_block *last = sequence->n_blocks > kept ? sequence->blocks[kept] : NULL;
    if (!last || last->refs == 1) return true;
    struct kv_block *own = take(user); /* the other is read by others */
    if (!own) return false;
    memcpy(own->data, last->data, kv->block_values * sizeof *own->data);
    sequence->blocks[kept] = own;
    kv_unref(kv, last);
    return true;
}

void sequence_clear(struct kv *kv, struct sequence *sequence) {
    for (uint32_t i = 0; i < sequence->n_blocks; i++) kv_unref(kv, sequence->blocks[i]);
    free(sequence->blocks);
    *sequence = (struct sequence){0};
}
