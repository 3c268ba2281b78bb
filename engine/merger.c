#include "engine/merger.h"

#include <stdlib.h>

static const uint32_t NONE = UINT32_MAX;

bool merger_start(struct merger *merger, size_t n) {
    merger->len = merger->heap_len = 0;
    merger->last = NONE;
    if (n > MERGER_MAX) return false;
    if (n <= merger->cap) return true;
    size_t cap = n < 64 ? 64 : n + n / 4;
    free(merger->symbols);
    merger->symbols = malloc(cap * sizeof *merger->symbols);
    merger->cap = merger->symbols ? cap : 0;
    return merger->symbols != NULL;
}

void merger_free(struct merger *merger) {
    free(merger->symbols);
    free(merger->heap);
    *merger = (struct merger){0};
}

void merger_add(struct merger *merger, uint32_t id, uint32_t len) {
    merger->symbols[merger->len] = (struct symbol){id, len, merger->last};
    merger->last = (uint32_t)merger->len;
    merger->len += len;
}

/* ---- the heap ---- */

static bool heap_push(struct merger *merger, uint64_t key) {
    if (merger->heap_len == merger->heap_cap) {
        size_t cap = merger->heap_cap ? merger->heap_cap * 2 : 64;
        uint64_t *heap = realloc(merger->heap, cap * sizeof *heap);
        if (!heap) return false;
        merger->heap = heap;
        merger->heap_cap = cap;
    }
    size_t at = merger->heap_len++;
    for (; at > 0 && merger->heap[(at - 1) / 2] > key; at = (at - 1) / 2) {
        merger->heap[at] = merger->heap[(at - 1) / 2];
        merger->steps++;
    }
    merger->heap[at] = key;
    return true;
}

static uint64_t heap_pop(struct merger *merger) {
    uint64_t *heap = merger->heap, top = heap[0], key = heap[--merger->heap_len];
    size_t at = 0, n = merger->heap_len;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= key) break;
        heap[at] = heap[child];
        merger->steps++;
    }
    heap[at] = key;
    return top;
}

/* ---- joining ---- */

static bool consider(struct merger *merger, uint32_t left, merger_find find, const void *context) {
    struct joined joined;
    if (left == NONE) return true;
    uint32_t right = left + merger->symbols[left].len;
    merger->steps++;
    if (right >= merger->len || !find(context, merger, left, right, &joined)) return true;
    return heap_push(merger, (uint64_t)joined.rank << 32 | left);
}

/* An entry is out of date if its pair has changed since; then a newer one stands for it. */
static bool still_there(const struct merger *merger, uint64_t entry, merger_find find,
                        const void *context, struct joined *joined) {
    uint32_t left = (uint32_t)entry, right = left + merger->symbols[left].len;
    return merger->symbols[left].len > 0 && right < merger->len &&
           find(context, merger, left, right, joined) && joined->rank == entry >> 32;
}

static void join(struct merger *merger, uint32_t left, uint32_t id) {
    struct symbol *symbol = &merger->symbols[left];
    uint32_t right = left + symbol->len, after = right + merger->symbols[right].len;
    symbol->len += merger->symbols[right].len;
    symbol->id = id;
    merger->symbols[right].len = 0;
    if (after < merger->len) merger->symbols[after].prev = left;
}

bool merger_run(struct merger *merger, merger_find find, const void *context) {
    struct joined joined;
    for (uint32_t at = 0; at < merger->len; at += merger->symbols[at].len)
        if (!consider(merger, at, find, context)) return false;
    while (merger->heap_len > 0) {
        uint64_t entry = heap_pop(merger);
        uint32_t left = (uint32_t)entry;
        merger->steps++;
        if (!still_there(merger, entry, find, context, &joined)) continue;
        join(merger, left, joined.id);
        if (!consider(merger, merger->symbols[left].prev, find, context) ||
            !consider(merger, left, find, context))
            return false;
    }
    return true;
}
